import json
from pathlib import Path

import jsonschema

schema = json.loads(Path("docs/schema/vmaf-log-1.json").read_text(encoding="utf-8"))
log = json.loads(Path("vmaf.json").read_text(encoding="utf-8"))
jsonschema.validate(log, schema)

print(log["pooled_metrics"]["vmaf"]["mean"], log["pairing"]["notes"])

"""Fuzzes one target: `python fuzz.py TARGET SECONDS FOLDER`. Needs atheris; what it finds is saved in FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["tinyvmaf"]):
    from fuzz.targets import TARGETS

from fuzz.seeds import seeds


def main(target: str, seconds: str, folder: str) -> None:
    corpus = Path(folder, target)
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(data)
    limits = [
        f"-max_total_time={seconds}",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-max_len=65536",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/{target}-", str(corpus)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])

import tinyvmaf
from tinyvmaf import dnn
from tinyvmaf.score.scorer import Scorer

scorer = Scorer("vmaf_v0.6.1", features=["psnr"])
model = dnn.use_tiny_model(scorer, "vmaf_tiny", dnn.DnnConfig(device="cpu"))

result = scorer.score("demo/reference.mkv", "demo/distorted.mp4")
print(result.score("vmaf"), result.score(model.name), result.scores[1].device)

try:
    tinyvmaf.score(None, "demo/distorted.mp4", models="vmaf_tiny")
except tinyvmaf.UsageError as error:
    print(error.message)

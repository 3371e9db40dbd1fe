import tinyvmaf

result = tinyvmaf.score("demo/reference.mkv", "demo/distorted.mp4", models=["vmaf_v0.6.1"], features=["psnr"])

print(f"VMAF {result.score('vmaf'):.2f}, fifth percentile {result.pooled('vmaf').p5:.2f}")
for frame in result.worst(3):
    print(f"frame {frame.frame} at {frame.time:.2f} s: {frame.value:.2f}")
print("PSNR of the first frames:", result.column("psnr_y")[:4])
tinyvmaf.write_log(result, "score.json", "json")

import tinyvmaf

neg = tinyvmaf.load_model("vmaf_v0.6.1neg", "neg")
luma = tinyvmaf.make_feature("psnr", {"enable_chroma": False, "enable_mse": True})
result = tinyvmaf.score("demo/reference.mkv", "demo/distorted.mp4", models=[neg], features=[luma, "ms_ssim"])

print(result.score("neg"), result.pooled("mse_y").mean, result.pooled("ms_ssim").min)
print(sorted(result.columns))

import numpy as np

import tinyvmaf

random = np.random.default_rng(1)
reference = [random.integers(16, 236, (144, 176), dtype=np.uint8) for _ in range(4)]
distorted = [np.clip(frame + random.integers(-3, 4, frame.shape), 0, 255).astype(np.uint8) for frame in reference]

result = tinyvmaf.score(reference, distorted, models=[], features=["psnr", "ssim"])
print(result.column("psnr_y"), result.column("ssim"))

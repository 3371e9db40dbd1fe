tinyvmaf score demo/reference.mkv demo/distorted.mp4 --with psnr,ssim --json log.json

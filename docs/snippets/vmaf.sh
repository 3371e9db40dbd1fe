# An encode against its reference, with PSNR and SSIM
vmaf -r demo/reference.mkv -d demo/distorted.mp4 --feature psnr --feature float_ssim --json -o vmaf.json

# Two models side by side, on two threads
vmaf -r demo/reference.mkv -d demo/distorted.mp4 --threads 2 \
  -m version=vmaf_v0.6.1:name=vmaf -m version=vmaf_v0.6.1neg:name=vmaf_neg --csv -o vmaf.csv

# Features only, every second frame
vmaf -r demo/reference.mkv -d demo/distorted.mp4 --no_prediction --feature psnr --subsample 2 -o psnr.xml

vmaf -r demo/reference.mkv -d demo/distorted.mp4
vmaf -r demo/reference.mkv -d demo/distorted.mp4 --json -o vmaf.json

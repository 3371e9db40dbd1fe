# A tiny model beside VMAF, on the CPU
vmaf -r demo/reference.mkv -d demo/distorted.mp4 --tiny-model vmaf_tiny --tiny-device cpu --json -o tiny.json

# Where it ran, and its scores
python -c 'import json; print({k: v for k, v in json.load(open("tiny.json"))["tiny_model"].items() if k != "per_frame"})'

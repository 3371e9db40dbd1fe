import tinyvmaf

video = tinyvmaf.open_video("demo/distorted.mp4")
video.skip(3)  # stands for a clip that lacks its first frames

try:
    tinyvmaf.score("demo/reference.mkv", video, models=["vmaf_v0.6.1"])
except tinyvmaf.MismatchError as error:
    print(error.message)
    print(error.hint)

policy = tinyvmaf.PairingPolicy(frame_skip_reference=3, frame_skip_distorted=3, frame_limit=10)

from tinyvmaf.vision.detect import detect_shots
from tinyvmaf.vision.lists import write_shots

shots = detect_shots("demo/reference.mkv", "content", threshold=0.5)
for shot in shots:
    print(f"frames {shot.first} to {shot.last}, {shot.start} s to {shot.end} s")
write_shots(shots, "keyframes.txt", "qpfile")

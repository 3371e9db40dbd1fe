import numpy as np

from tinyvmaf import dnn

with dnn.open_session("vmaf_tiny", device="cpu", threads=1) as session:
    rows = np.array([[1, 1, 1, 1, 1, 0], [0.96, 0.5, 0.85, 0.92, 0.95, 4]], np.float32)
    scores = session.run({"features": rows})["score"]  # or session.run([rows])
    print(session.attached_device, scores)
    print(session.inputs[0].name, session.inputs[0].shape, session.report.operators)

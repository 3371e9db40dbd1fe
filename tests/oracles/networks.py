"""Published networks run by hand: H.273's float64 RGB, the network's own standardisation, ONNX Runtime as it is."""

from __future__ import annotations

import numpy as np
import onnxruntime

from oracles.pictures import rgb

IMAGENET = np.reshape((0.485, 0.456, 0.406, 0.229, 0.224, 0.225), (2, 3, 1, 1))


def distance(data, reference, distorted, bits=8, chroma="420", matrix="smpte170m", range_="limited", *, imagenet=False):
    """What a network of two pictures says of two frames."""
    images = [rgb(planes, bits, chroma, matrix, range_) for planes in (reference, distorted)]
    if imagenet:
        images = [(image - IMAGENET[0]) / IMAGENET[1] for image in images]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]
    (score,) = session.run(None, {n: i[None].astype(np.float32) for n, i in zip(names, images, strict=True)})
    return float(np.ravel(score)[0])

"""The same damage inside the object of a clip and outside it."""

from __future__ import annotations

import io
from collections.abc import Callable

import av
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from lab.davis import Sequence, Twins
from tinyvmaf.video.frame import Frame, Plane
from tinyvmaf.video.pictures import plane_view

Lumas = list[Plane]
Planes = list[tuple[Plane, ...]]

CRF = 42
SIGMA = 2.0
"""Of the blur, in samples."""
NOISE = 10.0
"""Standard deviation in code values."""


def encoded(sequence: Sequence, _twins: Twins) -> tuple[Lumas, Lumas]:
    """x264 at one CRF; with one thread, so that its decisions are the same each time."""
    memory = io.BytesIO()
    height, width = sequence.frames[0].luma.shape
    with av.open(memory, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": str(CRF), "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in sequence.frames:
            container.mux(stream.encode(_picture(frame)))
        container.mux(stream.encode())
    memory.seek(0)
    with av.open(memory) as container:
        lumas = [plane_view(picture, 0, 8) for picture in container.decode(video=0)]
    return lumas, lumas


def _picture(frame: Frame) -> av.VideoFrame:
    rows = [plane.reshape(-1) for plane in map(np.ascontiguousarray, frame.planes)]
    height, width = frame.luma.shape
    return av.VideoFrame.from_ndarray(np.concatenate(rows).reshape(height * 3 // 2, width), format="yuv420p")


def blurred(sequence: Sequence, _twins: Twins) -> tuple[Lumas, Lumas]:
    """A Gaussian filter."""
    lumas = [_rounded(gaussian_filter(frame.luma.astype(np.float32), SIGMA)) for frame in sequence.frames]
    return lumas, lumas


def noisy(sequence: Sequence, twins: Twins) -> tuple[Lumas, Lumas]:
    """White noise: each sample of the one place gets what its counterpart gets."""
    random = np.random.default_rng(sum(sequence.name.encode()))
    inside, outside = [], []
    for frame in sequence.frames:
        noise = random.normal(0, NOISE, frame.luma.shape)
        inside.append(_rounded(frame.luma + noise))
        outside.append(_rounded(frame.luma + np.roll(noise, twins.shift, (0, 1))))
    return inside, outside


DAMAGES: dict[str, Callable[[Sequence, Twins], tuple[Lumas, Lumas]]] = {
    f"x264, CRF {CRF}": encoded,
    f"blur, sigma {SIGMA:g}": blurred,
    f"noise, sigma {NOISE:g}": noisy,
}
"""Each damage: the luma of all frames, damaged all over, for use inside the object and outside it."""


def _rounded(luma: npt.NDArray[np.floating]) -> Plane:
    return np.clip(np.rint(luma), 0, 255).astype(np.uint8)


def confined(sequence: Sequence, lumas: Lumas, places: npt.NDArray[np.bool_]) -> Planes:
    """The clip with damage in some places only; chroma stays as it is.

    Args:
        sequence: The clip.
        lumas: Its luma, damaged all over.
        places: (frames, H, W), where the damage is let through.
    """
    return [
        (np.where(place, luma, frame.luma), *frame.planes[1:])
        for frame, luma, place in zip(sequence.frames, lumas, places, strict=True)
    ]

"""Structure and texture distance of two frames by VGG16: 0 for equal frames, larger for worse ones.

Source: Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity" (TPAMI 2020).
"""

from __future__ import annotations

from tinyvmaf.features._published import PublishedNetwork


class Dists(PublishedNetwork):
    """DISTS on the six stages of VGG16, pulled as `dists`."""

    name = "dists"
    environment = "VMAF_DISTS_MODEL_PATH"

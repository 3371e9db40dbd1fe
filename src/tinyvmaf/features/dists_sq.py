"""Structure and texture distance of two frames by a small network of ours: DISTS made thinner.

Source of the form: Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity" (TPAMI 2020).
"""

from __future__ import annotations

from tinyvmaf.features._published import PublishedNetwork


class DistsSq(PublishedNetwork):
    """What `dists` says, nearly, at a fraction of its cost; comes with the package."""

    name = "dists_sq"
    environment = "VMAF_DISTS_SQ_MODEL_PATH"

"""Learned perceptual distance of two frames by SqueezeNet 1.1: 0 for equal frames, larger for worse ones.

Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (CVPR 2018), version 0.1.
"""

from __future__ import annotations

from tinyvmaf.features._published import PublishedNetwork


class LpipsSq(PublishedNetwork):
    """LPIPS v0.1 on the seven taps of SqueezeNet 1.1, pulled as `lpips_sq`."""

    name = "lpips_sq"
    environment = "VMAF_LPIPS_MODEL_PATH"

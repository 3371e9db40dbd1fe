"""Learned perceptual distance of two frames by AlexNet: 0 for equal frames, larger for worse ones.

Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (CVPR 2018), version 0.1.
"""

from __future__ import annotations

from tinyvmaf.features._published import PublishedNetwork


class LpipsAlex(PublishedNetwork):
    """LPIPS v0.1 on the five taps of AlexNet, pulled as `lpips_alex`."""

    name = "lpips_alex"
    environment = "VMAF_LPIPS_ALEX_MODEL_PATH"

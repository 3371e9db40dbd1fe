"""Fixtures that several folders of tests share."""

from pulls import downloads, pulled, store

__all__ = ["downloads", "pulled", "store"]

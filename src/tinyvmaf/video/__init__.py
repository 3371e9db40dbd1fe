"""Frames from files, and two files paired frame by frame."""

"""Holds a device against what was compiled for it."""

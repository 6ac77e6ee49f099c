"""A device held against what was compiled for it."""

"""The files that the examples of the pages on chips, mappings, runs and devices name, by code."""

PREPARED = {}

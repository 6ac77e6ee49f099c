"""The files that the examples of the pages on options, files, models and data name, by code."""

PREPARED = {}

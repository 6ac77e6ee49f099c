"""A chip, its target, a pass and a model format that nmcompile does not know."""

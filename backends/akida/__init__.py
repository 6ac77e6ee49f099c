"""BrainChip Akida v1: the integer arithmetic of its layers, and a script that builds them."""

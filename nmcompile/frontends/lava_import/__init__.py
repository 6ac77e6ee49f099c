"""Read the networks that lava-dl writes for netx."""

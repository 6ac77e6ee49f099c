"""Devices that need no chip: the simulator, and recordings of any laboratory."""

"""Pico, one core of 256 neurons for an FPGA: its arithmetic, its file and its target."""

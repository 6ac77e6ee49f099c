"""Pico's hardware in Amaranth, and a device of nmcompile that runs it in Amaranth's simulator."""

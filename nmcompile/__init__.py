"""Compile trained spiking neural networks to neuromorphic chips."""

__version__ = "0.1.0"

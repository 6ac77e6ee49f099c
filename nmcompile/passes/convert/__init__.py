"""Artificial networks as spiking ones, with the loss measured on data."""

from nmcompile.passes.convert.convert import BALANCES, STEPS, Conversion, Converted, Trial, convert
from nmcompile.passes.convert.rate import is_artificial

__all__ = ["BALANCES", "STEPS", "Conversion", "Converted", "Trial", "convert", "is_artificial"]

"""Passes that choose the chip's integers."""

from nmcompile.passes.quantize.layer import LayerError, Trial
from nmcompile.passes.quantize.precision import AUTO, NAMES, Precision, choose_widths
from nmcompile.passes.quantize.quantize import Calibration, Widths, layer_of, payloads, quantize

__all__ = [
    "AUTO",
    "NAMES",
    "Calibration",
    "LayerError",
    "Precision",
    "Trial",
    "Widths",
    "choose_widths",
    "layer_of",
    "payloads",
    "quantize",
]

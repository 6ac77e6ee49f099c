"""Passes that choose the chip's integers."""

from nmcompile.passes.quantize.quantize import Calibration, LayerError, payloads, quantize

__all__ = ["Calibration", "LayerError", "payloads", "quantize"]

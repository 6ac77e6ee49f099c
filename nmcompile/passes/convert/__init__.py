"""Artificial networks as spiking ones, with the loss measured on data."""

from nmcompile.passes.convert.changes import Changes, ChangesTrial, convert_to_changes
from nmcompile.passes.convert.convert import (
    BALANCES,
    CODES,
    STEPS,
    Conversion,
    Converted,
    Trial,
    convert,
)
from nmcompile.passes.convert.rate import is_artificial

__all__ = ["BALANCES", "CODES", "STEPS", "Changes", "ChangesTrial", "Conversion", "Converted",
           "Trial", "convert", "convert_to_changes", "is_artificial"]

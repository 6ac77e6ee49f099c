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
from nmcompile.passes.convert.levels import Levelled, to_levels
from nmcompile.passes.convert.rate import is_artificial

__all__ = ["BALANCES", "CODES", "STEPS", "Changes", "ChangesTrial", "Conversion", "Converted",
           "Levelled", "Trial", "convert", "convert_to_changes", "is_artificial", "to_levels"]

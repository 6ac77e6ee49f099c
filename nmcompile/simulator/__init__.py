"""Bit-exact, timed simulation of a program on the model of its chip."""

from nmcompile.simulator.energy import (
    KIND_OF,
    KINDS,
    SAME,
    UNKNOWN,
    Ledger,
    energy_by_slice,
    kinds_of,
    ledger,
    time_ratios,
)
from nmcompile.simulator.exits import Exit, Exits, require_decision
from nmcompile.simulator.packets import TIMINGS, expected_traffic
from nmcompile.simulator.perturb import Perturbation, noisy, parse_perturbation
from nmcompile.simulator.records import RecordFile
from nmcompile.simulator.run import Counts, Modes, Run, Samples, each_step, simulate
from nmcompile.simulator.traffic import Expected

__all__ = [
    "KINDS",
    "KIND_OF",
    "SAME",
    "TIMINGS",
    "UNKNOWN",
    "Counts",
    "Exit",
    "Exits",
    "Expected",
    "Ledger",
    "Modes",
    "Perturbation",
    "RecordFile",
    "Run",
    "Samples",
    "each_step",
    "energy_by_slice",
    "expected_traffic",
    "kinds_of",
    "ledger",
    "noisy",
    "parse_perturbation",
    "require_decision",
    "simulate",
    "time_ratios",
]

"""The energy of a run as plain data: by kind, layer, core and constant, with what is outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.simulator import KINDS, UNKNOWN, Ledger, Run, kinds_of, time_ratios
from nmcompile.target import Constant, Target

RAILS = ("interface", "sensor", "processors")  # watts for each chip in use


def energies(ledger: Ledger, mine: Array | slice) -> dict[str, Any]:
    """Energy of the slices `mine` by kind and in total, and from where to where it may be.

    energy_j        {kind: joules}
    energy_range_j  {kind: {"low", "high"}, or None where a constant's error is not known}
    """
    joules = ledger.joules[:, mine].sum(axis=1)
    kinds = ledger.by_kind()[:, mine].sum(axis=1)
    low, high = ledger.bounds(joules)
    ranges = {kind: range_of(*ends) for kind, *ends in zip(KINDS, low, high, strict=True)}
    by_kind = dict(zip(KINDS, kinds.tolist(), strict=True))
    return {
        "energy_j": {"total": float(kinds.sum()), **by_kind},
        "energy_range_j": {"total": range_of(low.sum(), high.sum()), **ranges},
    }


def by_core(program: Program, run: Run, ledger: Ledger) -> dict[str, Any]:
    """Columns by core, cores rising; what inputs cause is on no core and stands last.

    core    global numbers, None for the inputs
    busy_s  seconds in which the core works
    """
    core = program.mapping.slices.core
    cores, place = np.unique(core, return_inverse=True)
    kinds = np.zeros((len(KINDS), len(cores) + 1))
    np.add.at(kinds.T, np.append(place, len(cores)), ledger.by_kind().T)
    busy = np.append(np.bincount(place, run.counts.busy_s), 0.0)
    return {
        "core": [*map(int, cores), None],
        "busy_s": busy.tolist(),
        **{kind: joules.tolist() for kind, joules in zip(KINDS, kinds, strict=True)},
    }


def by_constant(program: Program, ledger: Ledger) -> list[dict[str, Any]]:
    """What each constant costs, where its value comes from, and what is known of its error.

    energy_range_j  by the constant's own error, with times and counts as they are
    """
    constants = program.target.constants()
    rows = []
    for k, (name, kind) in enumerate(kinds_of(program.target).items()):
        constant, joules = constants[name], float(ledger.joules[k].sum())
        rows.append({
            "constant": name, "kind": kind, "value": constant.value, "unit": constant.unit,
            "known_as": constant.kind, "source": constant.source, "spread": constant.spread,
            "events": float(ledger.events[k].sum()), "energy_j": joules,
            "energy_range_j": range_of(*(joules * np.array(constant.ratios or UNKNOWN))),
        })
    return rows


def outside(program: Program, run: Run) -> dict[str, Any]:
    """What is not in the figures of the chips, as far as the target knows it.

    boundary     what the figures hold, in words; None where the target does not say it
    energy_j     of packets that enter, of rails and of the board, {name: joules}
    host_sample  seconds that a host adds to a sample of another workload, with their source
    """
    target, io = program.target, program.target.io
    if not target.costs_known:
        return {"boundary": None if io is None else io.boundary.value, "energy_j": {},
                "energy_range_j": {}, "host_sample": None}
    seconds, time = float(run.step_s.sum()), np.array(time_ratios(target, run))
    chips = len(np.unique(program.mapping.slices.core // target.cores_per_chip))
    board = target.board.chips.value
    known = {}
    for name, (constant, events) in _beyond(target, run, chips * seconds, board * seconds).items():
        if constant is not None and events:
            share = 1.0 if name == "packet" else time
            joules = constant.value * events
            known[name] = joules, range_of(*(joules * share * np.array(constant.ratios or UNKNOWN)))
    return {
        "boundary": None if io is None else io.boundary.value,
        "energy_j": {name: joules for name, (joules, _) in known.items()},
        "energy_range_j": {name: ends for name, (_, ends) in known.items()},
        "host_sample": None if io is None or io.host_sample is None else _host(io.host_sample),
    }


def _beyond(
    target: Target, run: Run, chips_s: float, board_s: float
) -> dict[str, tuple[Constant[float] | None, float]]:
    """Constants of what is outside, and how often or for how many seconds of a chip they count."""
    unused = {"unused_chips": (target.power.static, board_s - chips_s)}
    if target.io is None:
        return {**unused}
    return {
        **unused,
        "packet": (target.io.packet, float(run.counts.packets_out[-1])),
        **{rail: (getattr(target.io, rail), chips_s) for rail in RAILS},
        "board": (target.io.board, board_s),
    }


def _host(constant: Constant[float]) -> dict[str, Any]:
    ends = np.array(constant.ratios or UNKNOWN)
    return {"seconds": constant.value, "source": constant.source,
            "range": range_of(*(constant.value * ends))}


def range_of(low: float, high: float) -> dict[str, float] | None:
    """From where to where; None where that is not known."""
    return None if np.isnan(low + high) else {"low": float(low), "high": float(high)}

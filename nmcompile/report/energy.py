"""The energy of a run as plain data: by kind, layer, core and constant, with what is outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.simulator import KIND_OF, KINDS, Ledger, Run, time_ratios

RAILS = ("interface", "sensor", "processors")  # watts for each chip in use


def energies(ledger: Ledger, mine: Array | slice) -> dict[str, Any]:
    """Energy of the slices `mine` by kind and in total, and from where to where it may be.

    energy_j        {kind: joules}
    energy_range_j  {kind: {"low", "high"}, or None where a constant's error is not known}
    """
    joules = ledger.joules[:, mine].sum(axis=1)
    kinds = ledger.by_kind()[:, mine].sum(axis=1)
    low, high = ledger.bounds(joules)
    ranges = {kind: _range(*ends) for kind, *ends in zip(KINDS, low, high, strict=True)}
    return {
        "energy_j": {"total": float(kinds.sum()), **dict(zip(KINDS, map(float, kinds)))},
        "energy_range_j": {"total": _range(low.sum(), high.sum()), **ranges},
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
    """What each constant costs, where its value comes from, and what is known of its error."""
    constants = program.target.constants()
    rows = []
    for k, (name, kind) in enumerate(KIND_OF.items()):
        constant, joules = constants[name], float(ledger.joules[k].sum())
        rows.append({
            "constant": name, "kind": kind, "value": constant.value, "unit": constant.unit,
            "known_as": constant.kind, "source": constant.source, "spread": constant.spread,
            "events": float(ledger.events[k].sum()), "energy_j": joules,
            "energy_range_j": _range(*(joules * ledger.ratios[k])) if joules else _range(0, 0),
        })
    return rows


def outside(program: Program, run: Run) -> dict[str, Any]:
    """What is not in the figures of the chips, as far as the target knows it.

    boundary     what the figures hold, in words; None where the target does not say it
    energy_j     of packets that enter, of rails and of the board, {name: joules}
    host_sample  seconds that a host adds to a sample of another workload, with their source
    """
    target, io = program.target, program.target.io
    seconds = float(run.step_s.sum())
    chips = len(np.unique(program.mapping.slices.core // target.cores_per_chip))
    board, time = target.board.chips.value, np.array(time_ratios(target, run))
    found = {"unused_chips": (target.power_w.static, (board - chips) * seconds, time)}
    if io is not None:
        found["packet"] = (io.packet, float(run.counts.packets_out[-1]), np.ones(2))
        found |= {rail: (getattr(io, rail), chips * seconds, time) for rail in RAILS}
        found["board"] = (io.board, board * seconds, time)
    known = {name: row for name, row in found.items() if row[0] is not None and row[1]}
    return {
        "boundary": None if io is None else io.boundary.value,
        "energy_j": {name: float(c.value * events) for name, (c, events, _) in known.items()},
        "energy_range_j": {
            name: None if c.ratios is None else _range(*(c.value * events * share * c.ratios))
            for name, (c, events, share) in known.items()},
        "host_sample": _host(io),
    }


def _host(io: Any) -> dict[str, Any] | None:
    if io is None or io.host_sample is None:
        return None
    constant = io.host_sample
    ends = constant.ratios
    return {"seconds": constant.value, "source": constant.source,
            "range": None if ends is None else _range(*(constant.value * e for e in ends))}


def _range(low: float, high: float) -> dict[str, float] | None:
    """From where to where; None where that is not known."""
    return None if np.isnan(low + high) else {"low": float(low), "high": float(high)}

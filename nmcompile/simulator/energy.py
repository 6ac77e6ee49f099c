"""Energy of a run by constant, slice and kind: events times cost, static power times time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import compartments
from nmcompile.simulator.run import Run
from nmcompile.target import Target

KINDS = ("synapse", "neuron", "router", "link", "static")
STATIC = "power_w.static"
KIND_OF = {
    "energy_j.synaptic_event": "synapse",
    "energy_j.neuron_update": "neuron",
    "energy_j.spike_out": "neuron",
    "energy_j.packet_out": "router",
    "energy_j.packet_in": "router",
    "energy_j.hop_x": "router",
    "energy_j.hop_y": "router",
    "energy_j.hop_chip": "link",
    STATIC: "static",
}
IDLE = "energy_j.neuron_idle"
UNKNOWN = (np.nan, np.nan)
MODELS = ("cycle", "fast")  # of time, that count with time_s
SAME = 1e-9  # share by which the length of a step may differ from the tick that ends it


@dataclass(frozen=True, kw_only=True, eq=False)
class Ledger:
    """What each constant of a target costs in a run, in the order of `kinds_of`.

    kind    (c,) numbers of KINDS
    events  (c, slices + 1) float64 of each slice; the last entry is what the inputs cause. Of the
            static power it is seconds of a chip, shared evenly by the cores in use
    joules  (c, slices + 1) float64
    ratios  (c, 2) float64 how much it is at least and at most, as a share of the joules; NaN where
            the sources do not say it
    """

    kind: Array
    events: Array
    joules: Array
    ratios: Array

    def by_kind(self) -> Array:
        """(kinds, slices + 1) joules."""
        return _grouped(self.joules, self.kind)

    def bounds(self, joules: Array) -> tuple[Array, Array]:
        """The least and the largest that sums of kinds can be, (kinds,) each; NaN if not known.

        joules  (c,) of each constant

        One constant is wrong by the same share wherever it counts; those of different constants
        are taken to be wrong in the same direction, so that these are bounds.
        """
        ends = np.where(joules[:, None] == 0, 0.0, joules[:, None] * self.ratios)
        low, high = _grouped(ends, self.kind).T
        return low, high


def kinds_of(target: Target) -> dict[str, str]:
    """The constants of `target` that cost energy, and the kind of each."""
    return KIND_OF | ({IDLE: "neuron"} if target.energies.neuron_idle else {})


def ledger(program: Program, run: Run) -> Ledger:
    """The ledger of a run."""
    target, counts = program.target, run.counts
    updated = compartments(program.network, program.mapping.slices) * run.frames
    events = np.stack([
        np.append(counts.events, 0),
        np.append(updated - counts.idle, 0),
        np.append(counts.spikes[:-1], 0),
        counts.packets_out,
        np.append(counts.packets_in, 0),
        *counts.hops.T,
        _chip_seconds(program, run),
        *([np.append(counts.idle, 0)] if target.energies.neuron_idle else []),
    ]).astype(np.float64)
    constants, kinds = target.constants(), kinds_of(target)
    cost = np.array([constants[name].value for name in kinds], np.float64)
    ratios = np.array([constants[name].ratios or UNKNOWN for name in kinds])
    ratios[list(kinds).index(STATIC)] *= time_ratios(target, run)
    return Ledger(
        kind=np.array([KINDS.index(kind) for kind in kinds.values()]), events=events,
        joules=events * cost[:, None], ratios=ratios)


def energy_by_slice(program: Program, run: Run) -> dict[str, Array]:
    """Joules of each kind, (slices + 1,) float64; the last entry is what the inputs cause.

    synapse  synaptic events                      neuron  updates of compartments, and spikes
    router   packets out and in, hops on a chip   link    hops between chips
    static   power of the chips in use over the run, shared evenly by the cores in use
    """
    return dict(zip(KINDS, ledger(program, run).by_kind(), strict=True))


def time_ratios(target: Target, run: Run) -> tuple[float, float]:
    """The least and the largest that the time of a run can be, as shares of it; NaN if not known.

    Times of work are sums and maxima of the constants of `time_s` that took part, so they change
    by no more than the one that changes most; what the target's `network` adds is not counted.
    Steps that a tick ends are taken to end with it. Of a chip's own model nothing else is known.
    """
    cost = target.times
    tick = np.zeros(run.step_s.shape, bool)
    if cost.tick:
        tick = np.isclose(run.step_s, cost.tick.value, rtol=SAME, atol=0)
    held, rest = float(run.step_s[tick].sum()), float(run.step_s[~tick].sum())
    total, ends = held + rest, np.zeros(2)
    if held and cost.tick:
        ends += held * np.array(cost.tick.ratios or UNKNOWN)
    if rest:
        known = _ratios_of_work(target, run) if run.timing in MODELS else [None]
        worked = np.array([ratios or UNKNOWN for ratios in known or [(1.0, 1.0)]])
        ends += rest * np.array([worked[:, 0].min(), worked[:, 1].max()])
    low, high = ends / total if total else (1.0, 1.0)
    return float(low), float(high)


def _ratios_of_work(target: Target, run: Run) -> list[tuple[float, float] | None]:
    """Of the constants of time that are above 0 and took part in `run`."""
    counts = run.counts
    hops = counts.hops.sum(axis=0)
    took_part = {
        "neuron_update": run.frames, "spike_out": counts.spikes[:-1].sum(),
        "packet_out": counts.packets_out.sum(), "packet_in": counts.packets_in.sum(),
        "synaptic_event": counts.events.sum(), "hop_x": hops[0], "hop_y": hops[1],
        "hop_chip": hops[2], "barrier": run.frames,
    }
    constants = {name: getattr(target.times, name) for name, count in took_part.items() if count}
    return [constant.ratios for constant in constants.values()
            if np.any(np.atleast_1d(constant.value)[..., -1])]


def _grouped(values: Array, kind: Array) -> Array:
    """(kinds, ...) sums of `values` (c, ...)."""
    sums = np.zeros((len(KINDS), *values.shape[1:]))
    np.add.at(sums, kind, values)
    return sums


def _chip_seconds(program: Program, run: Run) -> Array:
    core = program.mapping.slices.core
    chips = len(np.unique(core // program.target.cores_per_chip))
    cores, inverse, slices_on_core = np.unique(core, return_inverse=True, return_counts=True)
    share = chips * float(run.step_s.sum()) / len(cores) / slices_on_core[inverse]
    return np.append(share, 0.0)

"""The chain of checks: each step of a compilation against the one before it, with figures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir import Network, Trace, run
from nmcompile.ir.neurons.base import Array

Records = dict[str, dict[str, Array]]
TIE = 1e-4  # of the threshold: nearer to it than this, float32 rounding decides a spike


@dataclass(frozen=True, kw_only=True)
class Check:
    """One arrow of the chain: its name, what was found in words, and the figures by name."""

    arrow: str
    text: str
    figures: dict[str, float | int | str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How two records of the same populations differ."""

    spikes: int
    differing: int
    ties: int
    max_error: float


def run_aligned(network: Network, latency: dict[str, int], inputs: dict[str, Array]) -> Trace:
    """Run a retimed network and take off each population's lag."""
    steps = next(iter(inputs.values())).shape[1]
    trace = run(network, inputs, steps + max(latency.values(), default=0))
    return Trace(
        records={
            name: {k: v[:, latency[name] : latency[name] + steps] for k, v in record.items()}
            for name, record in trace.records.items()
        }
    )


def compare(
    network: Network, wanted: Records, found: Records, *, states: bool = True
) -> Difference:
    """Count spikes that differ and, if `states`, the largest error of a state before the first.

    The first spikes of a sample that differ are ties where both membranes lie at the threshold
    to within float32 rounding; what follows them differs as a consequence and is not judged.
    """
    first = _first_differences(wanted, found)
    spikes = differing = ties = 0
    worst = 0.0
    for name, records in wanted.items():
        unequal = records["spikes"] != found[name]["spikes"]
        spikes += int(np.count_nonzero(records["spikes"]))
        differing += int(np.count_nonzero(unequal))
        ties += _ties(network, name, records, found[name], first)
        judged_states = set(records) & set(found[name]) - {"spikes"} if states else set()
        for variable in judged_states:
            error = np.abs(records[variable].astype(np.float64) - found[name][variable])
            judged = np.arange(error.shape[1])[None] < first[:, None]
            worst = max(
                worst,
                float((error.reshape(*judged.shape, -1).max(axis=2) * judged).max(initial=0.0)),
            )
    return Difference(spikes=spikes, differing=differing, ties=ties, max_error=worst)


def require_same_spikes(arrow: str, difference: Difference, tolerance: float) -> None:
    """Raise NmcError unless all spikes agree, rounding ties apart, and states to `tolerance`."""
    if difference.differing and not difference.ties:
        raise NmcError(
            arrow,
            f"{difference.differing:,} of {difference.spikes:,} spikes differ",
            "The result would not be the model; please report it with the model.",
        )
    if difference.max_error > tolerance:
        raise NmcError(
            arrow,
            f"states differ by up to {difference.max_error:.2g}, allowed {tolerance:g}",
            "The result would not be the model; please report it with the model.",
        )


def describe(difference: Difference) -> str:
    """The figures of a comparison in one phrase."""
    tie = f" ({difference.ties} rounding ties at the threshold)" if difference.ties else ""
    return (
        f"{difference.differing:,} of {difference.spikes:,} spikes differ{tie}, "
        f"states within {difference.max_error:.1e}"
    )


def decisions(network: Network, trace: Trace) -> Array:
    """(samples,) the class that the first output says: most spikes, or the largest membrane sum."""
    port = network.outputs[0]
    records = trace.records[port.population][port.variable]
    return records.sum(axis=1, dtype=np.float64).reshape(len(records), -1).argmax(axis=1)


def _first_differences(wanted: Records, found: Records) -> Array:
    """(samples,) the first step in which any spike differs; the number of steps if none does."""
    steps = []
    for name, records in wanted.items():
        unequal = records["spikes"] != found[name]["spikes"]
        by_step = unequal.reshape(*unequal.shape[:2], -1).any(axis=2)
        steps.append(np.where(by_step.any(axis=1), by_step.argmax(axis=1), by_step.shape[1]))
    return np.min(steps, axis=0)


def _ties(
    network: Network, name: str, wanted: dict[str, Array], found: dict[str, Array], first: Array
) -> int:
    """Samples whose first difference is in population `name`, at the threshold within rounding."""
    neuron = network.population(name).neuron
    threshold = getattr(neuron, "threshold", None)
    if threshold is None:
        return 0
    ties = 0
    level = np.broadcast_to(threshold, wanted["v"].shape[2:])
    for sample in np.flatnonzero(first < wanted["spikes"].shape[1]):
        here = (sample, int(first[sample]))
        unequal = wanted["spikes"][here] != found["spikes"][here]
        quiet = np.where(wanted["spikes"][here] == 0, wanted["v"][here], found["v"][here])
        near = np.abs(quiet - level) <= TIE * np.maximum(np.abs(level), 1e-3)
        ties += int(unequal.any() and near[unequal].all())
    return ties

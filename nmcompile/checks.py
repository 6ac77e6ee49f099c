"""The chain of checks: each step of a compilation against the one before it, with figures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nmcompile.errors import CheckError
from nmcompile.ir import Network, Trace, decisions, order
from nmcompile.ir.neurons.base import Array

Records = dict[str, dict[str, Array]]
STATES = 1e-5  # error allowed to float32 states, times the largest state where that is above 1
CUTS = 2  # units of their grid by which states may differ that are cut to one: float32 sums that
# lie at a unit fall to either side, machine by machine
NONE = np.zeros(())
TIE = 1e-4  # of the threshold: nearer to it than this, float32 rounding decides a spike


@dataclass(frozen=True, kw_only=True)
class Check:
    """One arrow of the chain: its name, what was found in words, and the figures by name."""

    arrow: str
    text: str
    figures: dict[str, float | int | str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How two records of the same populations differ.

    samples  samples in which any spike differs; ties: those of them that rounding explains
    error    largest error of a state before the first spike that differs in its sample
    largest  largest magnitude of those states, or of what several spikes of one step took from one
    grid     the widest grid that a population's states are cut to, 0 where none are
    """

    spikes: int
    differing: int
    samples: int
    ties: int
    error: float
    largest: float
    grid: float = 0.0


def count_differing(wanted: Records, found: Records) -> tuple[dict[str, int], int]:
    """Spikes and states of `wanted` that are not those of `found`, and the spikes in `wanted`."""
    differing = {"spikes": 0, "states": 0}
    for name, record in wanted.items():
        for variable, values in record.items():
            unequal = np.count_nonzero(values != found[name][variable])
            differing["spikes" if variable == "spikes" else "states"] += int(unequal)
    return differing, sum(int(np.count_nonzero(r["spikes"])) for r in wanted.values())


def compare(
    network: Network, wanted: Records, found: Records, *, states: bool = True
) -> Difference:
    """Count spikes that differ and, if `states`, measure the states before the first of them.

    A state that `wanted` does not know is NaN there. Graded spikes are equal to within the error
    that states may have. The first difference of a sample is a tie where the membrane that stayed
    quiet lies at the threshold to within float32 rounding, or a value between two levels. What
    follows it differs as a consequence.
    """
    unequal = {name: _unequal(network, name, wanted, found) for name in wanted}
    first = _first_differences(unequal)
    steps = next(iter(wanted.values()))["spikes"].shape[1]
    spikes = differing = 0
    error, largest, grid = 0.0, 0.0, 0.0
    for name, records in wanted.items():
        spikes += int(np.count_nonzero(records["spikes"]))
        differing += int(np.count_nonzero(unequal[name]))
        for variable in set(records) & set(found[name]) - {"spikes"} if states else set():
            judged = np.arange(steps)[None] < first[:, None]
            values = records[variable][judged].astype(np.float64)
            known = ~np.isnan(values)
            values = values[known]
            error = max(error, _largest(values - found[name][variable][judged][known]))
            largest = max(largest, _largest(values))
        largest = max(largest, _largest(_taken(network, name, records["spikes"])))
        grid = max(grid, _largest(getattr(network.population(name).neuron, "state_step", NONE)))
    samples = np.flatnonzero(first < steps)
    ties = sum(_is_tie(network, wanted, found, (int(s), int(first[s]))) for s in samples)
    return Difference(
        spikes=spikes,
        differing=differing,
        samples=len(samples),
        ties=ties,
        error=error,
        largest=largest,
        grid=grid,
    )


def require_same(arrow: str, difference: Difference) -> None:
    """Raise NmcError unless all spikes agree, rounding ties apart, and states to rounding."""
    advice = "The result would not be the model; please report it with the model."
    if difference.samples > difference.ties:
        raise CheckError(
            arrow, f"{difference.differing:,} of {difference.spikes:,} spikes differ", advice
        )
    allowed = STATES * max(1.0, difference.largest) + CUTS * difference.grid
    if difference.error > allowed:
        found = f"states differ by up to {difference.error:.2g}, allowed {allowed:.2g}"
        raise CheckError(arrow, found, advice)


def require_decisions(network: Network, found: Trace, scores: Array | None) -> None:
    """Raise NmcError unless the class that `network` decides for has the model's largest score.

    scores  (samples, classes) of the model itself, None where it says none
    """
    if scores is None or scores.shape[1] != network.population(network.outputs[0].population).size:
        return
    decided = decisions(network, found)
    largest = scores.max(axis=1)
    behind = largest - scores[np.arange(len(scores)), decided]
    wrong = int(np.count_nonzero(behind > TIE * np.maximum(1.0, np.abs(scores).max(axis=1))))
    if wrong:
        raise CheckError("trace", f"{wrong} of {len(scores)} decisions differ from what the model "
                         "returns", "The result would not be the model; please report it with the "
                         "model.")


def describe(difference: Difference) -> str:
    """The spikes of a comparison in one phrase."""
    tie = f" (rounding ties in {difference.ties} samples)" if difference.ties else ""
    return f"{difference.differing:,} of {difference.spikes:,} spikes differ{tie}"


def _unequal(network: Network, name: str, wanted: Records, found: Records) -> Array:
    """Where the spikes of one population differ."""
    values, others = wanted[name]["spikes"], found[name]["spikes"]
    if not network.population(name).neuron.graded:
        return values != others
    allowed = STATES * max(1.0, _largest(values))
    return ~(np.abs(values.astype(np.float64) - others) <= allowed)


def _taken(network: Network, name: str, spikes: Array) -> Array:
    """What spikes took from the membrane, which was that much larger when it was rounded."""
    neuron = network.population(name).neuron
    threshold = getattr(neuron, "threshold", None)
    if neuron.graded or threshold is None or not np.any(spikes > 1):
        return np.zeros(1)
    taken: Array = spikes * threshold
    return taken


def _first_differences(unequal: dict[str, Array]) -> Array:
    """(samples,) the first step in which any spike differs; the number of steps if none does."""
    steps = []
    for differing in unequal.values():
        by_step = np.any(differing.reshape(*differing.shape[:2], -1), axis=2)
        steps.append(np.where(by_step.any(axis=1), by_step.argmax(axis=1), by_step.shape[1]))
    return np.min(steps, axis=0)


def _is_tie(network: Network, wanted: Records, found: Records, place: tuple[int, int]) -> bool:
    """Whether the first population that differs at `place` (sample, step) does so by rounding."""
    for name in order(network):
        if name not in wanted:
            continue
        unequal = _unequal(network, name, wanted, found)[place]
        if unequal.any():
            there = {k: v[place][unequal] for k, v in wanted[name].items()}
            here = {k: v[place][unequal] for k, v in found[name].items()}
            neuron = network.population(name).neuron
            parameter = "step_size" if neuron.graded else "threshold"
            level = np.broadcast_to(getattr(neuron, parameter, np.inf), unequal.shape)[unequal]
            if hasattr(neuron, "offset"):
                here["v"] = here["v"] + np.broadcast_to(neuron.offset, unequal.shape)[unequal]
            decide = _between_levels if neuron.graded else _at
            return decide(there, here, level)
    return False


def _at(wanted: dict[str, Array], found: dict[str, Array], threshold: Array) -> bool:
    """Whether the membranes that stayed quiet lie at the threshold."""
    quiet = np.where(wanted["spikes"] == 0, wanted["v"], found["v"])
    return bool(np.all(np.abs(quiet - threshold) <= TIE * np.maximum(np.abs(threshold), 1e-3)))


def _between_levels(wanted: dict[str, Array], found: dict[str, Array], size: Array) -> bool:
    """Whether the values lie in the middle of two levels of distance `size`, one sent for each."""
    if not np.all((size > 0) & np.isfinite(size)):
        return False
    place = found["v"] / size
    apart = np.abs(wanted["spikes"] - found["spikes"]) <= (1 + TIE) * size
    return bool(np.all(apart & (np.abs(place - np.floor(place) - 0.5) <= TIE)))


def _largest(values: Array) -> float:
    """The largest magnitude; infinite where one is no number."""
    largest = float(np.abs(values).max(initial=0.0))
    return np.inf if np.isnan(largest) else largest

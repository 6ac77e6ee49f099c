"""Chips that are not perfect: noisy weights, spikes lost and added, cores that are silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nmcompile.errors import OptionError, unknown_name
from nmcompile.ir import Projection, SynapseFormat
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.simulator._perturb_kernels import disturb

Levels = Callable[[SynapseFormat], tuple[int, int, int]]
WHERE = "--perturb"
WEIGHTS, CORES, SPIKES = 1, 2, 3  # streams of one seed


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """What goes wrong.

    weights      standard deviation of what is added to each weight that is not 0, as a share of
                 the largest of its projection; the sum is rounded to the chip's own weights
    drop, add    chance that a spike is lost at its sender, and that a silent sender sends one of
                 payload 1, in each step
    stuck_cores  how many of the cores in use never send, though they work
    seed         of all draws; what is drawn does not depend on batches or threads
    """

    weights: float = 0.0
    drop: float = 0.0
    add: float = 0.0
    stuck_cores: int = 0
    seed: int = 0


def parse_perturbation(text: str, seed: int) -> Perturbation:
    """The perturbation that `text` names: weights=0.05,drop=0.01,add=0.001,stuck-cores=3.

    Raises NmcError for what is no such list, naming what is wrong with it.
    """
    given: dict[str, float | int] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (part.strip() for part in item.partition("="))
        if name not in ("weights", "drop", "add", "stuck-cores"):
            raise unknown_name(WHERE, name, ("weights", "drop", "add", "stuck-cores"))
        if name.replace("-", "_") in given:
            raise OptionError(WHERE, f"{name} is given twice")
        given[name.replace("-", "_")] = _number(name, value)
    if not given:
        raise OptionError(WHERE, "names nothing that goes wrong",
                          "Give for example weights=0.05,drop=0.01,stuck-cores=1.")
    return Perturbation(**given, seed=seed)  # type: ignore[arg-type]


def _number(name: str, value: str) -> float | int:
    kind, most = (int, 1_000_000) if name == "stuck-cores" else (float, 1)
    try:
        number = kind(value)
    except ValueError:
        number = -1
    if not 0 <= number <= most:
        raise OptionError(WHERE, f"{name} is '{value}', expected a "
                          f"{'whole number' if kind is int else 'share'} from 0 to {most:,}")
    return number


def noisy(program: Program, perturbation: Perturbation, levels: Levels) -> Program:
    """`program` with noise on its weights; `levels` are those of a format of its chip.

    A convolution's kernel is one set of weights wherever it is used.
    """
    if not perturbation.weights:
        return program
    network = program.network
    projections = tuple(
        _noisy(projection, perturbation, number, levels)
        for number, projection in enumerate(network.projections))
    return replace(program, network=replace(network, projections=projections))


def _noisy(
    projection: Projection, perturbation: Perturbation, number: int, levels: Levels
) -> Projection:
    assert projection.format is not None
    low, high, step = levels(projection.format)
    weight = projection.map.weights()
    deviation = perturbation.weights * float(np.abs(weight).max(initial=0))
    rng = np.random.default_rng([perturbation.seed, WEIGHTS, number])
    moved = weight + deviation * rng.standard_normal(len(weight))
    found = np.clip(np.rint(moved / step) * step, low, high)
    if projection.split:  # the sign says which current a synapse feeds, noise does not rewire it
        found = np.where(np.sign(found) == np.sign(weight), found, 0)
    found = np.where(weight == 0, 0, found).astype(_holding(low, high, weight.dtype))
    return replace(projection, map=projection.map.with_weights(found))


def _holding(low: int, high: int, stored: np.dtype[Any]) -> np.dtype[Any]:
    """The type of integers that are `stored`, or the narrowest that holds `low` to `high`."""
    return next(kind for kind in (stored, *map(np.dtype, (np.int16, np.int32, np.int64)))
                if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)


class Disturbance:
    """Changes what is sent, step by step.

    cores  (k,) the stuck ones, rising
    """

    def __init__(self, program: Program, perturbation: Perturbation) -> None:
        network = program.network
        self._program, self._asked, self._lags = program, perturbation, network.lags
        sizes = [node.size for node in network.nodes]
        ends = np.cumsum(sizes)
        self._first = {node.name: int(end - size)
                       for node, end, size in zip(network.nodes, ends, sizes, strict=True)}
        self._seed = np.uint64(
            np.random.default_rng([perturbation.seed, SPIKES]).integers(2**64, dtype=np.uint64))
        self.cores = _stuck(program, perturbation)
        self._silent = self._neurons_on(self.cores)

    def apply(self, name: str, step: int, sample: int, steps: int, payload: Array) -> None:
        """Change what an input or population sends, (k, samples, n) int32, in place.

        step, sample  of the chip and of the whole run, the first ones
        steps         of a sample; outside of a node's own ones nothing is drawn
        """
        asked, own = self._asked, step - self._lags[name]
        begin, end = max(0, -own), min(len(payload), steps - own)
        if (asked.drop or asked.add) and begin < end:
            disturb(payload[begin:end], own + begin, sample, self._first[name], self._seed,
                    asked.drop, asked.add)
        if name in self._silent:
            payload[:, :, self._silent[name]] = 0

    def _neurons_on(self, cores: Array) -> dict[str, Array]:
        network, slices = self._program.network, self._program.mapping.slices
        found = {}
        for number, population in enumerate(network.populations if len(cores) else ()):
            owner = slice_of_neurons(network, slices, number)
            neurons = np.flatnonzero(np.isin(slices.core[owner], cores))
            if len(neurons):
                found[population.name] = neurons
        return found


def _stuck(program: Program, perturbation: Perturbation) -> Array:
    used = np.unique(program.mapping.slices.core)
    if perturbation.stuck_cores > len(used):
        raise OptionError(WHERE, f"stuck-cores is {perturbation.stuck_cores:,}, the network is on "
                          f"{len(used):,} cores")
    rng = np.random.default_rng([perturbation.seed, CORES])
    return np.sort(rng.choice(used, perturbation.stuck_cores, replace=False))

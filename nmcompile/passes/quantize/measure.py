"""How far a layer in integers is from the same layer in real numbers, on what it receives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from nmcompile.backend import Backend, EncodedLayer, Layer
from nmcompile.ir.accumulate import by_sign, in_floats, whole_sums
from nmcompile.ir.neurons.base import Array, State
from nmcompile.ir.reference import spread


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What a layer receives and what it should do with it.

    arriving  for each projection the payloads that reach it, (samples, steps, n_in)
    v, fired  membrane and spikes of the layer in real numbers, (samples, steps, *shape)
    """

    arriving: tuple[Array, ...]
    v: Array
    fired: Array

    @property
    def extent(self) -> tuple[int, int]:
        """Samples and steps."""
        return self.v.shape[0], self.v.shape[1]


def real_current(layer: Layer, seen: Seen) -> Array:
    """Summed input (samples * steps, n) of the layer before quantization, each current's."""
    samples, steps = seen.extent
    size = prod(layer.population.current_shape)
    real = np.zeros((samples * steps, size))
    for projection, unit, sent in zip(layer.projections, layer.units, seen.arriving, strict=True):
        sums = projection.map.apply(sent.reshape(samples * steps, -1) * unit)
        real += spread(sums, projection, size)
    return real


def whole_current(encoded: EncodedLayer, seen: Seen) -> Array:
    """Summed integer input (samples, steps, *current_shape)."""
    samples, steps = seen.extent
    shape = encoded.population.current_shape
    current = np.zeros((samples * steps, prod(shape)), np.int64)
    for projection, sent in zip(encoded.projections, seen.arriving, strict=True):
        for part in by_sign(projection):
            whole = whole_sums(in_floats(part), sent.reshape(samples * steps, -1))
            current += spread(whole, part, prod(shape))
    return current.reshape(samples, steps, *shape)


def whole_input(encoded: EncodedLayer, seen: Seen) -> Array:
    """`whole_current`, (samples * steps, n); of weights split by sign the sum of both signs."""
    current = whole_current(encoded, seen)
    if any(p.split for p in encoded.projections):
        current = current[:, :, 0] - current[:, :, 1]
    return current.reshape(len(current) * current.shape[1], -1)


def _stepped(encoded: EncodedLayer, seen: Seen) -> Iterator[tuple[State, Array]]:
    """State and spikes (samples, *shape) of the integer neurons after each step."""
    neuron, current = encoded.population.neuron, whole_current(encoded, seen)
    state = neuron.initial_state((len(seen.v), *encoded.population.shape))
    for step in range(seen.v.shape[1]):
        state, spikes = neuron.step(state, current[:, step])
        yield state, spikes


def differing_spikes(encoded: EncodedLayer, seen: Seen) -> int:
    """Neurons' steps in which the integers fire and the layer does not, or the other way."""
    return sum(int(np.count_nonzero((spikes != 0) != (seen.fired[:, step] != 0)))
               for step, (_, spikes) in enumerate(_stepped(encoded, seen)))


def membrane_error(encoded: EncodedLayer, seen: Seen) -> float:
    """Root mean square difference of the layer's membrane from the wanted one, in real units.

    Where either spikes, the membranes are not compared: chips keep v after the reset, libraries
    often before it. Those of graded spikes, which reset nothing, are.
    """
    total, compared, graded = 0.0, 0, encoded.population.neuron.graded
    for step, (state, spikes) in enumerate(_stepped(encoded, seen)):
        quiet = ((spikes == 0) & (seen.fired[:, step] == 0)) | graded
        total += float(np.square(state["v"] * encoded.unit - seen.v[:, step])[quiet].sum())
        compared += int(np.count_nonzero(quiet))
    return float(np.sqrt(total / max(compared, 1)))


def weight_error(layer: Layer, encoded: EncodedLayer) -> float:
    """Sum of the squared errors of all weights, in real units of the summed input."""
    total = 0.0
    for real, whole, unit in zip(layer.projections, encoded.projections, layer.units, strict=True):
        exponent = whole.format.exponent if whole.format else 0
        stored = whole.map.weights() * (2.0**exponent * encoded.current_unit)
        total += float(np.square(stored - real.map.weights() * unit).sum())
    return total


def clipped_weights(encoded: EncodedLayer, layer: Layer, backend: Backend) -> int:
    """Weights that lie more than a step beyond the largest stored mantissa of their sign."""
    count = 0
    for real, whole, unit in zip(layer.projections, encoded.projections, layer.units, strict=True):
        assert whole.format is not None
        stored = whole.map.weights()
        wanted = real.map.weights() * (unit / encoded.current_unit / 2.0**whole.format.exponent)
        high, low = int(stored.max(initial=0)), int(stored.min(initial=0))
        _, _, step = backend.weight_levels(whole.format)
        count += int(np.count_nonzero((wanted > high + step) | (wanted < low - step)))
    return count


def overflows(encoded: EncodedLayer, seen: Seen) -> dict[str, int]:
    """How often, on the data seen, each state left its register; empty where a chip cannot tell."""
    neuron, current = encoded.population.neuron, whole_current(encoded, seen)
    if not hasattr(neuron, "overflows"):
        return {}
    state = neuron.initial_state((len(seen.v), *encoded.population.shape))
    counts: dict[str, int] = {}
    for step in range(seen.v.shape[1]):
        for name, left in neuron.overflows(state, current[:, step]).items():
            counts[name] = counts.get(name, 0) + int(np.count_nonzero(left))
        state, _ = neuron.step(state, current[:, step])
    return counts

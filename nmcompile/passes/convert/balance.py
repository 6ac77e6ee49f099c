"""Thresholds of a converted network, from what its activations are on data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nmcompile.ir import Network, Population, Trace, order
from nmcompile.ir.neurons import Activation
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.convert.rate import Thresholds

QUANTILES = (1.0, 0.9999, 0.999, 0.995, 0.99, 0.975, 0.95, 0.9)  # tried layer by layer
Progress = Callable[[str], None]


def of_quantile(network: Network, activity: Trace, quantile: float) -> Thresholds:
    """For each activation the `quantile` of what it sends, or its upper bound where that is less.

    Quantile 1 is Diehl et al. 2015 (doi 10.1109/IJCNN.2015.7280696), 0.999 Rueckauer et al. 2017.
    """
    return {
        population.name: _threshold(population, activity.spikes(population.name), quantile)
        for population in network.populations if isinstance(population.neuron, Activation)
    }


def _threshold(population: Population, sent: Array, quantile: float) -> float:
    """A positive threshold; layers that send nothing get their bound, or 1."""
    assert isinstance(population.neuron, Activation)
    bound = float(np.max(population.neuron.high))
    found = float(np.quantile(sent, quantile)) or float(sent.max())
    found = min(found, bound)
    return found if found > 0 else bound if 0 < bound < np.inf else 1.0


def layer_by_layer(
    network: Network, activity: Trace, inputs: dict[str, Array], steps: int,
    progress: Progress = lambda name: None,
) -> Thresholds:
    """For each activation the threshold whose rate comes closest to it, given the real spikes.

    Layers are run in their order on the spikes that the layers before them send, so that each
    threshold answers to the errors of those before it (Sengupta et al. 2019,
    doi 10.3389/fnins.2019.00095, choose theirs in this order too).
    """
    sent = {name: np.repeat(values.reshape(len(values), 1, -1), steps, axis=1)
            for name, values in inputs.items()}
    chosen: Thresholds = {}
    for name in order(network):
        population = network.population(name)
        if not isinstance(population.neuron, Activation):
            continue
        progress(name)
        current = _currents(network, population, sent)
        wanted = activity.spikes(name).reshape(len(current), -1)
        tried = {_threshold(population, activity.spikes(name), q) for q in QUANTILES}
        best = min(sorted(tried), key=lambda level: _error(current, level, wanted))
        chosen[name] = best
        sent[name] = _fire(current, best) * np.float32(best)
    return chosen


def _currents(network: Network, population: Population, sent: dict[str, Array]) -> Array:
    """Input of each step (samples, steps, neurons)."""
    samples, steps = next(iter(sent.values())).shape[:2]
    bias = np.broadcast_to(population.bias, population.shape).reshape(-1)
    total = np.broadcast_to(bias, (samples, steps, population.size)).astype(np.float32)
    for projection in network.incoming(population.name):
        rows = sent[projection.source].reshape(samples * steps, -1)
        total += projection.map.apply(rows).reshape(total.shape)
    return total


def _fire(current: Array, threshold: float) -> Array:
    """Spikes of integrate-and-fire neurons with a soft reset, as `rate_coded` makes them."""
    samples, steps, size = current.shape
    v = np.zeros((samples, size), np.float32)
    spikes = np.empty(current.shape, bool)
    for step in range(steps):
        v += current[:, step] + np.float32(threshold / (2 * steps))
        spikes[:, step] = v > threshold
        v -= spikes[:, step] * np.float32(threshold)
    return spikes


def _error(current: Array, threshold: float, wanted: Array) -> float:
    rate = _fire(current, threshold).mean(axis=1, dtype=np.float64) * threshold
    return float(np.square(rate - wanted).mean())

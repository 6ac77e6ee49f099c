"""Activations in the few levels that a chip sends, for chips that take them as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nmcompile.ir import Network, decisions, run_aligned, verify
from nmcompile.ir.neurons.base import Array

SAMPLES = 64  # on which the largest values are tried
CLIPS = np.geomspace(1.0, 1 / 16, 25)  # shares of the largest value seen that are tried as the top


@dataclass(frozen=True, kw_only=True, eq=False)
class Levelled:
    """The network in levels, what each layer's top became, and the decisions before and after.

    tops  population -> (largest level, largest value seen)
    """

    network: Network
    tops: dict[str, tuple[float, float]]
    before: Array
    after: Array


def to_levels(
    network: Network, latency: dict[str, int], inputs: dict[str, Array], bits: int
) -> Levelled:
    """`network` whose activations send 2**bits - 1 levels above 0; those in levels stay so.

    network  retimed, of neurons with `levels` and `with_levels` beside others
    inputs   name -> (samples, 1, *shape) values that the levels are chosen on

    Of several largest levels the one is taken that changes what the next layer gets least.
    """
    activity = run_aligned(network, latency, inputs)
    populations, tops = [], dict[str, tuple[float, float]]()
    for population in network.populations:
        neuron: Any = population.neuron
        if getattr(neuron, "levels", 1) == 0 and neuron.activation and not neuron.step_size.any():
            sent = activity.spikes(population.name)[:SAMPLES]
            top = _top(network, population.name, sent.reshape(-1, population.size), 2**bits - 1)
            tops[population.name] = top, float(sent.max(initial=0.0))
            neuron = neuron.with_levels(top / (2**bits - 1), 2**bits - 1)
        populations.append(replace(population, neuron=neuron))
    levelled = verify(replace(network, populations=tuple(populations)))
    after = run_aligned(levelled, latency, inputs)
    return Levelled(network=levelled, tops=tops, before=decisions(network, activity),
                    after=decisions(levelled, after))


def _top(network: Network, name: str, sent: Array, levels: int) -> float:
    """The largest level for values `sent` (n, size) of a population; 1 where it sends none."""
    peak = float(sent.max(initial=0.0))
    if peak == 0:
        return 1.0
    errors = [_error(network, name, sent, peak * clip / levels, levels) for clip in CLIPS]
    return float(peak * CLIPS[int(np.argmin(errors))])


def _error(network: Network, name: str, sent: Array, step: float, levels: int) -> float:
    """Sum of the squared changes of what the next layers get; of what is sent, at the end."""
    change = (np.clip(np.rint(sent / step), 0, levels) * step - sent).astype(np.float32)
    outgoing = network.outgoing(name)
    if not outgoing:
        return float(np.square(change).sum())
    return float(sum(np.square(p.map.apply(change), dtype=np.float64).sum() for p in outgoing))

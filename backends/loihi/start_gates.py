"""Which populations need their start held back, and which stay at rest until then anyway."""

from __future__ import annotations

from math import inf

import numpy as np
from nmcompile_backends.loihi.adaptive import LoihiAdaptive
from nmcompile_backends.loihi.arithmetic import LoihiNeuron
from nmcompile_backends.loihi.sigma_delta import LoihiSigmaDelta

from nmcompile.ir import Network


def gated(network: Network) -> tuple[str, ...]:
    """Populations whose state would move before their start if nothing held it.

    Without a bias a state moves when the first spike arrives. The first step in which each
    population can spike is found by relaxation over the projections, from never downwards.
    """
    first = {port.name: 0.0 for port in network.inputs}
    first |= {population.name: inf for population in network.populations}
    for _ in network.populations:
        for population in network.populations:
            first[population.name] = max(population.start, _moves(network, population.name, first))
    return tuple(p.name for p in network.populations if _moves(network, p.name, first) < p.start)


def _moves(network: Network, name: str, first: dict[str, float]) -> float:
    """First step in which a free-running population would leave its state of rest."""
    neuron = network.population(name).neuron
    if isinstance(neuron, LoihiNeuron | LoihiAdaptive) and (
            np.any(neuron.bias_mantissa) or np.any(neuron.u_init) or np.any(neuron.v_init)):
        return 0.0
    if isinstance(neuron, LoihiAdaptive) and not np.all(neuron.threshold):
        return 0.0  # it fires at its threshold, at rest too
    if isinstance(neuron, LoihiSigmaDelta) and np.any(neuron.offset):
        return 0.0
    return min((first[p.source] + p.delay for p in network.incoming(name)), default=inf)

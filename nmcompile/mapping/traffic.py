"""What slices send each other in a step at given rates."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.mapping.mapping import Axons, Slices


def packets_between(
    network: Network, slices: Slices, axons: tuple[Axons, ...], rates: dict[str, Array]
) -> tuple[scipy.sparse.csr_array, Array]:
    """Packets (s + 1, s) from row to column, the last row the inputs; synaptic events (s,).

    rates  name of input or population -> (n,) mean spikes of each neuron in a step
    """
    index, n = {p.name: i for i, p in enumerate(network.populations)}, len(slices)
    total, events = scipy.sparse.csr_array((n + 1, n)), np.zeros(n)
    for projection, axon in zip(network.projections, axons, strict=True):
        rate = np.asarray(rates[projection.source], np.float64).reshape(-1)
        owner = (slice_of_neurons(network, slices, index[projection.source])
                 if projection.source in index else np.full(len(rate), n))
        counts = np.diff(axon.start)
        packets = np.repeat(rate, counts)
        pairs = (packets, (np.repeat(owner, counts), axon.slice))
        total = total + scipy.sparse.csr_array(scipy.sparse.coo_array(pairs, shape=total.shape))
        events += np.bincount(axon.slice, packets * axon.synapses, n)
    return total, events

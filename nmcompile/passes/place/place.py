"""Put every slice on a core so that spikes travel few hops and no link is a bottleneck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Axons, Slices
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.passes.place.arrange import Nodes, arrange
from nmcompile.passes.place.board import board_of
from nmcompile.passes.place.start import Rule, first_cores, legal_cores
from nmcompile.target import Target


def place(  # noqa: PLR0913 - what may be left out is by keyword
    network: Network,
    slices: Slices,
    axons: tuple[Axons, ...],
    target: Target,
    rates: dict[str, Array],
    *,
    free: Array | None = None,
    allowed: Sequence[Rule] = (),
    together: Array | None = None,
) -> Slices:
    """`slices` with one core each, or all on the one core that a board has.

    rates     name of input or population -> (n,) mean spikes of each neuron in a step
    free      (n_cores,) bool, cores that may be used; default: all
    allowed   rules for some slices; a slice under several keeps them all
    together  (s,) int, slices of one number share a core; default: each slice has its own

    Slices start in the network's order along a line that snakes through the tiles of one chip
    after the other, as few chips as hold them; `arrange` then lowers the cost. Raises NmcError
    where there are too few cores.
    """
    if target.n_cores == 1:
        return replace(slices, core=np.zeros(len(slices), np.int32))
    usable = np.ones(target.n_cores, bool) if free is None else free
    labels = np.arange(len(slices)) if together is None else together
    node = np.unique(labels, return_inverse=True)[1]
    rules = [(np.unique(node[np.asarray(numbers)]), cores) for numbers, cores in allowed]
    group, legal = legal_cores(target, usable, int(node.max()) + 1, rules)
    first = first_cores(target, group, legal)
    packets, busy_s = traffic(network, slices, axons, target, rates, node)
    nodes = Nodes(packets=packets, group=group, legal=legal, busy_s=busy_s)
    chip = np.arange(target.n_cores) // target.cores_per_chip
    return replace(slices, core=arrange(nodes, board_of(target, usable), chip, first)[node])


def traffic(
    network: Network,
    slices: Slices,
    axons: tuple[Axons, ...],
    target: Target,
    rates: dict[str, Array],
    node: Array,
) -> tuple[scipy.sparse.csr_array, float]:
    """Packets in a step from node to node, the last being the input port; the busiest's seconds."""
    index = {p.name: i for i, p in enumerate(network.populations)}
    n, cost = int(node.max()) + 1, target.time_s
    total, busy = scipy.sparse.csr_array((n + 1, n + 1)), np.zeros(n)
    for projection, axon in zip(network.projections, axons, strict=True):
        rate = rates[projection.source].reshape(-1)
        owner = (
            node[slice_of_neurons(network, slices, index[projection.source])]
            if projection.source in index
            else np.full(len(rate), n)
        )
        counts, to = np.diff(axon.start), node[axon.slice]
        packets = np.repeat(rate, counts)
        pairs = (packets, (np.repeat(owner, counts), to))
        total = total + scipy.sparse.csr_array(scipy.sparse.coo_array(pairs, shape=total.shape))
        seconds = cost.packet_in.value + axon.synapses * cost.synaptic_event.value
        busy += np.bincount(to, packets * seconds, n)
    total.eliminate_zeros()
    return scipy.sparse.csr_array(total), float(busy.max(initial=0.0))

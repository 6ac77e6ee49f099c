"""Put every slice on a core so that spikes travel few hops and no link is a bottleneck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Axons, Faults, Slices
from nmcompile.mapping.traffic import copies_between, packets_between
from nmcompile.passes.place.around import around
from nmcompile.passes.place.arrange import Nodes, arrange
from nmcompile.passes.place.board import board_of
from nmcompile.passes.place.machine_board import machine_board
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
    faults: Faults | None = None,
) -> Slices:
    """`slices` with one core each, or all on the one core that a board has.

    rates     name of input or population -> (n,) mean spikes of each neuron in a step
    free      (n_cores,) bool, cores that may be used; default: all
    allowed   rules for some slices; a slice under several keeps them all
    together  (s,) int, slices of one number share a core; default: each slice has its own
    faults    whose dead links packets go around; cores that these cut off must not be free

    Slices start in the network's order along a line that snakes through the tiles of one chip
    after the other, as few chips as hold them; `arrange` then lowers the cost. A packet that
    routers copy counts as one for each core that it goes to. Raises NmcError where there are too
    few cores.
    """
    if target.n_cores == 1:
        return replace(slices, core=np.zeros(len(slices), np.int32))
    usable = np.ones(target.n_cores, bool) if free is None else free
    labels = np.arange(len(slices)) if together is None else together
    node = np.unique(labels, return_inverse=True)[1]
    rules = [(np.unique(node[np.asarray(numbers)]), cores) for numbers, cores in allowed]
    group, legal = legal_cores(target, usable, int(node.max()) + 1, rules)
    first = first_cores(target, group, legal)
    traffic = (packets_between(network, slices, axons, rates) if target.router is None
               else copies_between(network, slices, axons, rates, target))
    packets, busy_s = by_node(*traffic, node, target)
    nodes = Nodes(packets=packets, group=group, legal=legal, busy_s=busy_s)
    chip = np.arange(target.n_cores) // target.cores_per_chip
    board = board_of(target, usable) if target.router is None else machine_board(
        target, usable, faults or Faults())
    if target.router is None and faults is not None and len(faults.links):
        board = around(board_of(target, np.logical_or.reduce(legal)), target, faults)
        chip = chip[: board.cores.max() + 1]
    return replace(slices, core=arrange(nodes, board, chip, first)[node])


def by_node(
    packets: scipy.sparse.csr_array, events: Array, node: Array, target: Target
) -> tuple[scipy.sparse.csr_array, float]:
    """Packets from node to node, the last being the input port; seconds of the busiest receiver."""
    n, cost = int(node.max()) + 1, target.times
    held = np.append(node, n)
    members = scipy.sparse.csr_array((np.ones(len(held)), (np.arange(len(held)), held)))
    total = scipy.sparse.csr_array(members.T @ packets @ members[:-1])
    total.eliminate_zeros()
    busy = packets.sum(axis=0) * cost.packet_in.value + events * cost.synaptic_event.value
    return total, float(np.bincount(node, busy, n).max(initial=0.0))

"""What a whole mapping asks of the routers, and whether its tables do it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from nmcompile.ir import Network
from nmcompile.mapping.mapping import Mapping, Program
from nmcompile.mapping.multicast.check import RoutingError, Ways, check, ways_of
from nmcompile.mapping.multicast.demand import Demand, Senders, demand_of, reached_slices, senders
from nmcompile.mapping.multicast.machine import Machine, machine_of
from nmcompile.target import Target


@dataclass(frozen=True, kw_only=True, eq=False)
class Sent:
    """What a mapping asks of the routers.

    reached  (senders, slices) 1 where a sender's packets go to a slice
    """

    machine: Machine
    senders: Senders
    reached: scipy.sparse.csr_array
    demand: Demand


def sent_in(network: Network, mapping: Mapping, target: Target) -> Sent:
    """What the slices and inputs of a mapping send, on a target with routers."""
    slices = mapping.slices
    from_ = senders(network, slices, target)
    reached = reached_slices(network, slices, mapping.axons, from_)
    return Sent(machine=machine_of(target, mapping.faults), senders=from_, reached=reached,
                demand=demand_of(slices, from_, reached, target))


def check_routing(program: Program) -> int:
    """Links that one packet of every key crosses, all together.

    Raises RoutingError where a key is longer than a packet's, or does not reach exactly the cores
    that it must: see `check`.
    """
    routing, router = program.mapping.routing, program.target.router
    assert routing is not None
    assert router is not None
    sent = sent_in(program.network, program.mapping, program.target)
    if len(routing.keys.key) != len(sent.demand):
        raise RoutingError("senders and blocks of keys differ in number")
    last = (routing.keys.key | ~routing.keys.mask).astype(np.int64)
    if np.any(last >> router.key_bits.value):
        raise RoutingError(f"a key has more than the {router.key_bits.value} bits of a packet's")
    return check(sent.machine, sent.demand, routing.keys, routing.tables, router.spare_bits.value)


def ways_in(program: Program, sent: Sent) -> Ways:
    """The ways of each sender's packets through the tables of a program."""
    routing = program.mapping.routing
    assert routing is not None
    return ways_of(sent.machine, sent.demand, routing.keys, routing.tables)

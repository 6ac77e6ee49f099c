"""Replay packets on a mesh, cycle by cycle: when each enters the network and when it arrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.simulator.noc._replay_kernels import LINKS, advance
from nmcompile.simulator.noc.mesh import Mesh
from nmcompile.simulator.noc.router import Router

Array = np.ndarray
CHUNK = 1_000_000  # router-cycles between two reports of progress, about a tenth of a second
MOST_PLACES = 1 << 28


@dataclass(frozen=True, kw_only=True, eq=False)
class Replay:
    """What became of the packets of a trace, in its order, and what the mesh did.

    injected       (n,) int64 cycle in which a packet left its source's queue for the router
    arrived        (n,) int64 cycle in which it reached its core
    routers        (n,) int64 routers that it passed
    fullest        most packets that an input buffer held
    router_cycles  cycles of routers that held packets, summed over routers
    """

    injected: Array
    arrived: Array
    routers: Array
    fullest: int
    router_cycles: int


class Fabric(NamedTuple):
    """The mesh as the kernels read it; ports are counted router by router."""

    width: int
    ports: int
    depth: int
    routing_delay: int
    output_delay: int
    switch_delay: int
    traversal_delay: int
    credit_delay: int
    speculative: bool
    far: Array  # (ports of all routers,): see Mesh.links
    latency: Array
    interval: Array


class Packets(NamedTuple):
    """The packets; `order` is that of creation, `queue` has them source by source."""

    source: Array
    target_router: Array
    target_port: Array
    created: Array
    order: Array
    queue: Array
    injected: Array
    arrived: Array
    routers: Array


class Clock(NamedTuple):
    """What has been reached; each is of shape (1,), as kernels write it."""

    now: Array
    created: Array  # packets of `order` that their sources have queued
    arrived: Array
    active: Array  # routers in `State.active`
    ready: Array  # nodes in `State.ready`
    router_cycles: Array


class State(NamedTuple):
    """All that changes as cycles pass."""

    clock: Clock
    buffer: Array  # (ports * depth,) packets, a ring for each input
    head: Array  # (ports,) first place of the ring
    held: Array  # (ports,) packets in it
    fullest: Array  # (ports,)
    wanted: Array  # (ports,) output that the first packet of an input takes
    ready_at: Array  # (ports,) cycle from which on it asks
    owns: Array  # (ports,) whether it owns the output
    output_due: Array  # (ports,) cycle in which an allocation ends, -1 for none
    output_won: Array
    switch_due: Array
    switch_won: Array
    owner: Array  # (ports,) input that owns an output, -1 for none
    credits: Array  # (ports,) free places behind an output
    free_at: Array  # (ports,) cycle from which on its link takes a packet
    output_turn: Array  # (ports,) input whose turn it is
    switch_turn: Array
    resident: Array  # (routers,) packets in the buffers
    active: Array  # (routers,) those that hold packets
    ready: Array  # (nodes,) those that can inject
    waiting: Array  # (nodes,) packets in the queue of a source
    first: Array  # (nodes,) its first packet in `queue`
    node_credits: Array  # (nodes,) free places in the router's input
    flit_first: Array  # (slots,) first packet due in a cycle, modulo slots
    flit_next: Array  # (n,) next packet due in the same cycle
    flit_to: Array  # (n,) where a packet goes
    credit_first: Array  # (slots,) first place of `buffer` whose credit is due
    credit_next: Array  # (ports * depth,)
    asked: Array  # (ports of a router,) inputs that ask for each output, as bits
    sent: Array  # (ports of a router,) inputs that send


def replay(
    source: Array,
    target: Array,
    created: Array,
    *,
    mesh: Mesh,
    router: Router,
    progress: Callable[[int], Any] = lambda arrived: None,
) -> Replay:
    """Send packets from `source` to `target`, nodes of `mesh`, at cycles `created`; all (n,) int64.

    Packets may be in any order. A source queues its own by the cycle of their creation, those of
    one cycle in the order given, and sends one a cycle while its router has room. `progress` hears
    how many have arrived. Mesh and router must be in order (`verify`), nodes within the mesh.

    The cycle is that of BookSim 2 (Jiang et al., ISPASS 2013), whose input-queued router this is.
    Raises NmcError if the buffers are more than memory should hold.
    """
    places = mesh.n_routers * mesh.ports * router.buffer
    if places > MOST_PLACES:
        raise NmcError("mesh", f"buffers hold {places:,} packets, expected at most "
                       f"{MOST_PLACES:,}", "Take a smaller mesh or smaller buffers.")
    fabric = _fabric(mesh, router)
    packets = _packets(source, target, created, mesh)
    state = _state(fabric, packets, mesh)
    while state.clock.arrived[0] < len(source):
        advance(fabric, packets, state, CHUNK)
        progress(int(state.clock.arrived[0]))
    return Replay(
        injected=packets.injected,
        arrived=packets.arrived,
        routers=packets.routers,
        fullest=int(state.fullest.max()),
        router_cycles=int(state.clock.router_cycles[0]),
    )


def _fabric(mesh: Mesh, router: Router) -> Fabric:
    far, latency, interval = mesh.links(router.link)
    return Fabric(
        width=mesh.width,
        ports=mesh.ports,
        depth=router.buffer,
        routing_delay=router.routing,
        output_delay=router.output,
        switch_delay=router.switch,
        traversal_delay=router.traversal,
        credit_delay=router.credit,
        speculative=router.speculative,
        far=far,
        latency=latency,
        interval=interval,
    )


def _packets(source: Array, target: Array, created: Array, mesh: Mesh) -> Packets:
    order = np.argsort(created, kind="stable")
    return Packets(
        source=source,
        target_router=target // mesh.cores,
        target_port=LINKS + target % mesh.cores,
        created=created,
        order=order,
        queue=order[np.argsort(source[order], kind="stable")],
        injected=np.full(len(source), -1, np.int64),
        arrived=np.full(len(source), -1, np.int64),
        routers=np.zeros(len(source), np.int64),
    )


def _state(fabric: Fabric, packets: Packets, mesh: Mesh) -> State:
    n_ports, n_packets = len(fabric.far), len(packets.source)
    longest = 1 + int(fabric.latency.max()) + max(fabric.traversal_delay, fabric.credit_delay)
    counts = np.bincount(packets.source, minlength=mesh.n_nodes)

    def filled(size: int, value: int) -> Array:
        return np.full(size, value, np.int64)

    now = int(packets.created.min()) if n_packets else 0
    return State(
        clock=Clock(filled(1, now), *(filled(1, 0) for _ in range(5))),
        buffer=filled(n_ports * fabric.depth, -1),
        head=filled(n_ports, 0),
        held=filled(n_ports, 0),
        fullest=filled(n_ports, 0),
        wanted=filled(n_ports, 0),
        ready_at=filled(n_ports, 0),
        owns=np.zeros(n_ports, np.bool_),
        output_due=filled(n_ports, -1),
        output_won=np.zeros(n_ports, np.bool_),
        switch_due=filled(n_ports, -1),
        switch_won=np.zeros(n_ports, np.bool_),
        owner=filled(n_ports, -1),
        credits=filled(n_ports, fabric.depth),
        free_at=filled(n_ports, 0),
        output_turn=filled(n_ports, 0),
        switch_turn=filled(n_ports, 0),
        resident=filled(mesh.n_routers, 0),
        active=filled(mesh.n_routers, 0),
        ready=filled(mesh.n_nodes, 0),
        waiting=filled(mesh.n_nodes, 0),
        first=np.cumsum(counts) - counts,
        node_credits=filled(mesh.n_nodes, fabric.depth),
        flit_first=filled(longest + 1, -1),
        flit_next=filled(n_packets, -1),
        flit_to=filled(n_packets, 0),
        credit_first=filled(longest + 1, -1),
        credit_next=filled(n_ports * fabric.depth, -1),
        asked=filled(fabric.ports, 0),
        sent=np.zeros(fabric.ports, np.bool_),
    )

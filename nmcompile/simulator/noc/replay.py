"""Replay packets on a mesh, cycle by cycle: when each enters the network and when it arrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nmcompile.errors import MeshError
from nmcompile.simulator.noc import _fields as f
from nmcompile.simulator.noc._replay_kernels import advance
from nmcompile.simulator.noc.mesh import Mesh
from nmcompile.simulator.noc.router import Router

Array = np.ndarray
CHUNK = 1_000_000  # router-cycles between two reports of progress, about a tenth of a second
MOST_PLACES = 1 << 25


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
        raise MeshError("mesh", f"buffers hold {places:,} packets, expected at most "
                        f"{MOST_PLACES:,}", "Take a smaller mesh or smaller buffers.")
    packet = _packets(source, target, created, mesh)
    port = _ports(mesh, router)
    clock = np.zeros(f.N_CLOCK, np.int64)
    clock[f.NOW] = created.min(initial=np.iinfo(np.int64).max)
    routers = np.zeros((mesh.n_routers, f.N_ROUTER), np.int64)
    tables = (
        _setup(mesh, router), port, np.full((places, f.N_PLACE), f.NONE, np.int64), packet,
        _nodes(source, mesh, router), routers, _slots(port, router), clock,
    )
    while clock[f.N_ARRIVED] < len(packet):
        advance(*tables, CHUNK)
        progress(int(clock[f.N_ARRIVED]))
        if clock[f.NOW] == f.NEVER and clock[f.N_ARRIVED] < len(packet):
            raise RuntimeError(f"{len(packet) - clock[f.N_ARRIVED]} packets wait for each other")
    return Replay(
        injected=packet[:, f.INJECTED].copy(),
        arrived=packet[:, f.ARRIVED].copy(),
        routers=packet[:, f.ROUTERS].copy(),
        fullest=int(port[:, f.FULLEST].max()),
        router_cycles=int(clock[f.WORKED]),
    )


def _setup(mesh: Mesh, router: Router) -> Array:
    setup = [mesh.width, mesh.ports, router.buffer, router.routing, router.output, router.switch,
             router.traversal, router.credit, int(router.speculative)]
    return np.array(setup, np.int64)


def _packets(source: Array, target: Array, created: Array, mesh: Mesh) -> Array:
    packet = np.full((len(source), f.N_PACKET), f.NONE, np.int64)
    packet[:, f.SOURCE] = source
    packet[:, f.TO_ROUTER] = target // mesh.cores
    packet[:, f.TO_PORT] = f.LINKS + target % mesh.cores
    packet[:, f.CREATED] = created
    packet[:, f.ROUTERS] = 0
    order = np.argsort(created, kind="stable")
    packet[:, f.ORDER] = order
    packet[:, f.QUEUE] = order[np.argsort(source[order], kind="stable")]
    return packet


def _ports(mesh: Mesh, router: Router) -> Array:
    port = np.zeros((mesh.n_routers * mesh.ports, f.N_PORT), np.int64)
    port[:, f.FAR], port[:, f.LATENCY], port[:, f.INTERVAL] = mesh.links(router.link)
    port[:, f.ROOM] = router.buffer
    port[:, [f.OUTPUT_DUE, f.SWITCH_DUE, f.OWNER]] = f.NONE
    return port


def _nodes(source: Array, mesh: Mesh, router: Router) -> Array:
    node = np.zeros((mesh.n_nodes, f.N_NODE), np.int64)
    counts = np.bincount(source, minlength=mesh.n_nodes)
    node[:, f.FIRST] = np.cumsum(counts) - counts
    node[:, f.SPACE] = router.buffer
    return node


def _slots(port: Array, router: Router) -> Array:
    longest = 1 + int(port[:, f.LATENCY].max()) + max(router.traversal, router.credit)
    return np.full((longest + 1, f.N_SLOT), f.NONE, np.int64)

"""The figures of a replay: latency, throughput, and the difference from what a trace records."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from nmcompile.simulator.noc.compare import difference
from nmcompile.simulator.noc.mesh import Mesh
from nmcompile.simulator.noc.replay import Replay
from nmcompile.simulator.noc.trace import Trace


def figures(trace: Trace, found: Replay, mesh: Mesh) -> dict[str, Any]:
    """Figures that JSON can hold; cycles, but for shares, packets and packets a node and cycle.

    The throughput is taken from the first creation to the last arrival.
    """
    latency = found.arrived - trace.created
    cycles = int(found.arrived.max() - trace.created.min()) + 1
    against = difference(trace, found)
    return {
        "packets": len(latency),
        "nodes": mesh.n_nodes,
        "cycles": cycles,
        "latency_cycles": {
            "mean": float(latency.mean()),
            "median": float(np.median(latency)),
            "p99": float(np.quantile(latency, 0.99)),
            "max": int(latency.max()),
            "queued_mean": float((found.injected - trace.created).mean()),
        },
        "routers_mean": float(found.routers.mean()),
        "packets_per_node_cycle": len(latency) / (mesh.n_nodes * cycles),
        "fullest_buffer_packets": found.fullest,
        "router_cycles": found.router_cycles,
        "recorded": None if against is None else asdict(against),
    }

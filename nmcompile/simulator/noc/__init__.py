"""The network on chip, cycle by cycle: packets on a mesh of input-queued routers."""

from nmcompile.simulator.noc.compare import Difference, difference
from nmcompile.simulator.noc.figures import figures
from nmcompile.simulator.noc.mesh import Mesh
from nmcompile.simulator.noc.replay import Replay, replay
from nmcompile.simulator.noc.router import Router, parse_router
from nmcompile.simulator.noc.trace import Trace, read_trace, write_trace

__all__ = [
    "Difference",
    "Mesh",
    "Replay",
    "Router",
    "Trace",
    "difference",
    "figures",
    "parse_router",
    "read_trace",
    "replay",
    "write_trace",
]

"""Multicast routing on machines of SpiNNaker's kind: trees, keys and tables."""

from nmcompile.mapping.multicast.check import check, walk
from nmcompile.mapping.multicast.demand import Demand, demand
from nmcompile.mapping.multicast.machine import N_CORES, Faults, Machine, grid, spin5
from nmcompile.mapping.multicast.routing import Keys, Tables
from nmcompile.passes.route.multicast.compress import compress
from nmcompile.passes.route.multicast.keys import keys
from nmcompile.passes.route.multicast.routing import routing
from nmcompile.passes.route.multicast.tables import Arrivals, arrivals, tables
from nmcompile.passes.route.multicast.trees import Trees, trees

__all__ = [
    "N_CORES", "Arrivals", "Demand", "Faults", "Keys", "Machine", "Tables", "Trees", "arrivals",
    "check", "compress", "demand", "grid", "keys", "routing", "spin5", "tables", "trees", "walk",
]

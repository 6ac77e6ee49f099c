"""Multicast routing on machines of SpiNNaker's kind: trees, keys and tables."""

from nmcompile.passes.route.multicast.check import check, walk
from nmcompile.passes.route.multicast.compress import compress
from nmcompile.passes.route.multicast.demand import Demand, demand
from nmcompile.passes.route.multicast.keys import Keys, keys
from nmcompile.passes.route.multicast.machine import N_CORES, Faults, Machine, grid, spin5
from nmcompile.passes.route.multicast.tables import Arrivals, Tables, arrivals, tables
from nmcompile.passes.route.multicast.trees import Trees, trees

__all__ = [
    "N_CORES", "Arrivals", "Demand", "Faults", "Keys", "Machine", "Tables", "Trees", "arrivals",
    "check", "compress", "demand", "grid", "keys", "spin5", "tables", "trees", "walk",
]

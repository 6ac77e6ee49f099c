"""Linear maps: everything that stands between two populations."""

from nmcompile.ir.maps.base import LinearMap
from nmcompile.ir.maps.conv import Conv, pool
from nmcompile.ir.maps.dense import Dense
from nmcompile.ir.maps.grid import Grid
from nmcompile.ir.maps.scale import Chain, Scale
from nmcompile.ir.maps.sparse import Sparse, from_matrix

MAPS = (Dense, Conv, Sparse, Scale, Chain)

__all__ = ["MAPS", "Chain", "Conv", "Dense", "Grid", "LinearMap", "Scale", "Sparse",
           "from_matrix", "pool"]

"""Leave out connections that pruning emptied, so that no core keeps a table for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nmcompile.ir import Network


def drop_empty(network: Network) -> Network:
    """`network` without the projections whose weights are all 0, and a note that names them."""
    empty = [p for p in network.projections if not np.any(p.map.weights())]
    if not empty:
        return network
    kept = tuple(p for p in network.projections if p not in empty)
    note = f"without a weight, left out: {', '.join(p.name for p in empty)}"
    return replace(network, projections=kept, notes=(*network.notes, note))

"""What slices ask of their cores, against what a core has."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from nmcompile.backend import Backend
from nmcompile.errors import NmcError
from nmcompile.ir import Network, Projection
from nmcompile.ir.maps import Conv, Dense
from nmcompile.ir.neurons.base import Array, compartments_of
from nmcompile.mapping.mapping import Axons, Mapping, Slices, view
from nmcompile.target import Target

LIMITS = ("neurons", "synapse_bits", "input_axons", "output_axons")
SMALLER_INPUT = "Make the layer before it smaller, or split its inputs over two layers."
HINTS = {
    "neurons": "Spread the layer over more cores.",
    "synapse_bits": SMALLER_INPUT,
    "input_axons": SMALLER_INPUT,
    "output_axons": "Make the layers that it feeds smaller, or use a target with larger cores.",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Demand:
    """What each slice needs, (s,) int64, named and measured as in the target's [core] table."""

    neurons: Array
    synapse_bits: Array
    input_axons: Array
    output_axons: Array


def demand(network: Network, mapping: Mapping, target: Target, backend: Backend) -> Demand:
    """What each slice of a routed mapping needs."""
    slices = mapping.slices
    bits, received = np.zeros(len(slices), np.int64), np.zeros(len(slices), np.int64)
    sent = np.zeros(len(slices), np.int64)
    index = {p.name: i for i, p in enumerate(network.populations)}
    for projection, axons in zip(network.projections, mapping.axons, strict=True):
        received += np.bincount(axons.slice, minlength=len(slices))
        bits += _projection_bits(projection, axons, slices, target, backend)
        if projection.source in index:
            owner = slice_of_neurons(network, slices, index[projection.source])
            sent += np.bincount(owner, np.diff(axons.start), len(slices)).astype(np.int64)
    return Demand(
        neurons=compartments(network, slices), synapse_bits=bits, input_axons=received,
        output_axons=sent)


def compartments(network: Network, slices: Slices) -> Array:
    """(s,) compartments of each slice."""
    each = np.array([compartments_of(p.neuron) for p in network.populations], np.int64)
    return slices.sizes() * each[slices.population]


def require_fit(network: Network, mapping: Mapping, target: Target, needs: Demand) -> None:
    """Raise NmcError naming layer, limit, need and allowance where a core is overfull."""
    core = mapping.slices.core
    for limit in LIMITS:
        allowed = getattr(target.core, limit).value
        per_core = np.bincount(core, getattr(needs, limit), target.n_cores)
        worst = int(per_core.argmax())
        if per_core[worst] > allowed:
            on_core = mapping.slices.population[core == worst]
            names = ", ".join(network.populations[i].name for i in np.unique(on_core))
            raise too_large(names, limit, int(per_core[worst]), target)


def too_large(name: str, limit: str, need: int, target: Target) -> NmcError:
    """The error for a layer of which even the smallest slice breaks a limit of a core."""
    constant = getattr(target.core, limit)
    return NmcError(
        name,
        f"needs {need:,} {limit.replace('_', ' ')} on one core, {target.name} has "
        f"{constant.value:,} ({constant.kind}: core.{limit})",
        HINTS[limit],
    )


def slice_of_neurons(network: Network, slices: Slices, population: int) -> Array:
    """(n,) int32, for each neuron of population number `population`, its slice."""
    box = view(network.populations[population].shape)
    owner = np.full(box, -1, np.int32)
    for i in np.flatnonzero(slices.population == population):
        (c0, y0, x0), (c1, y1, x1) = slices.low[i], slices.high[i]
        owner[c0:c1, y0:y1, x0:x1] = i
    return owner.reshape(-1)


def _projection_bits(
    projection: Projection, axons: Axons, slices: Slices, target: Target, backend: Backend
) -> Array:
    assert projection.format is not None
    n = len(slices)
    if isinstance(projection.map, Conv) and target.core.shared_kernels.value:
        touched = np.unique(axons.slice)
        bits = np.zeros(n, np.int64)
        channels = (slices.high - slices.low)[touched, 0]
        taps = prod(projection.map.weight.shape[1:])
        bits[touched] = backend.row_bits(projection.format, channels.astype(np.int64) * taps)
        return bits
    rows = backend.row_bits(
        projection.format, axons.synapses, indexed=not isinstance(projection.map, Dense)
    )
    return np.bincount(axons.slice, rows, n).astype(np.int64)

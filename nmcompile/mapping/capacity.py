"""What slices ask of their cores, against what a core has."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import scipy.sparse

from nmcompile.backend import Backend
from nmcompile.errors import BoardLimitError, CoreLimitError
from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import Conv, Dense
from nmcompile.ir.neurons.base import Array, compartments_of, copies_of
from nmcompile.mapping.configurations import kept
from nmcompile.mapping.mapping import Axons, Mapping, Slices
from nmcompile.target import Target


class CapacityError(CoreLimitError):
    """A network needs more of a limit than a target has.

    layer  the population, "" for the whole network
    limit  a constant of the target's [core] table, or "cores"
    """

    def __init__(self, layer: str, limit: str, what: str, hint: str = "") -> None:
        super().__init__(layer or "network", what, hint)
        if limit == "cores":
            self.code = BoardLimitError.code
        self.layer = layer
        self.limit = limit

    def with_hint(self, hint: str) -> CapacityError:
        """The same, with what to do."""
        return CapacityError(self.layer, self.limit, self.what, hint)


LIMITS = ("neurons", "synapse_bits", "input_axons", "output_axons")


@dataclass(frozen=True, kw_only=True, eq=False)
class Demand:
    """What each slice needs, (s,) int64, named and measured as in the target's [core] table.

    kept     limit -> (k, 2) slice, and number of what its core keeps once for all slices on it
    tick_ns  nanoseconds that each slice takes of a mean tick, where cores have to be done within
             it; nothing is refused for that
    """

    neurons: Array
    synapse_bits: Array
    input_axons: Array
    output_axons: Array
    kept: dict[str, Array]
    tick_ns: Array | None = None

    def on_cores(self, core: Array, n: int) -> dict[str, Array]:
        """Limit -> (n,) int64 what is asked of each of n cores; core (s,) is that of each slice."""
        found = {limit: np.bincount(core, getattr(self, limit), n).astype(np.int64)
                 for limit in LIMITS}
        for limit, pairs in self.kept.items():
            once = np.unique(np.stack([core[pairs[:, 0]], pairs[:, 1]], axis=1), axis=0)
            found[limit] = np.bincount(once[:, 0], minlength=n)
        return found

    def of_slices(self) -> dict[str, Array]:
        """Limit -> (s,) int64 what each slice by itself asks of a core."""
        return self.on_cores(np.arange(len(self.neurons)), len(self.neurons))


def demand(network: Network, mapping: Mapping, target: Target, backend: Backend) -> Demand:
    """What each slice of a routed mapping needs."""
    slices, n = mapping.slices, len(mapping.slices)
    bits, received, sent = np.zeros((3, n), np.int64)
    index = {p.name: i for i, p in enumerate(network.populations)}
    for projection, axons in zip(network.projections, mapping.axons, strict=True):
        bits += _projection_bits(projection, axons, slices, target, backend)
        number = index.get(projection.source)
        owner = (n + run_of_lines(len(axons.start) - 1, target) if number is None
                 else slice_of_neurons(network, slices, number))
        starts, ends, count = _ways(np.repeat(owner, np.diff(axons.start)), axons.slice, n)
        used = -(-count // sources_of_an_axon(projection, target))
        received += np.bincount(ends, used, n).astype(np.int64)
        leaving = np.bincount(starts, used, n)[:n].astype(np.int64)
        sent = sent + leaving if target.router is None else np.maximum(sent, leaving.clip(max=1))
    sizes = slices.sizes()
    for number, population in enumerate(network.populations):
        sent += np.where(slices.population == number, lines_heard(network, population, sizes), 0)
    return Demand(
        neurons=compartments(network, slices), synapse_bits=bits, input_axons=received,
        output_axons=sent, kept=kept(network, slices, target))


def sources_of_an_axon(projection: Projection, target: Target) -> int:
    """How many neurons of a slice may share an axon of `projection` into another slice.

    Routers that match keys send all packets of a slice the same ways, whatever the map.
    """
    if target.router is not None:
        return target.core.axon_sources.value
    shared = isinstance(projection.map, Conv) and target.core.shared_kernels.value
    return target.core.axon_sources.value if shared or isinstance(projection.map, Dense) else 1


def is_heard(network: Network, population: Population) -> bool:
    """Whether the host hears `population`."""
    return any(port.population == population.name for port in network.outputs)


def lines_heard(network: Network, population: Population, neurons: Array) -> Array:
    """(k,) output axons that the host takes of slices of `neurons` (k,) neurons of `population`.

    Where a line takes copies of the neuron that feeds it, what the host hears is one copy more.
    """
    copies = copies_of(population.neuron)
    if not copies or not is_heard(network, population):
        return np.zeros(len(neurons), np.int64)
    return -(-neurons.astype(np.int64) // copies)


def runs_of_inputs(lines: int, target: Target) -> int:
    """How many runs of lines, each as long as a core's neurons, routers tell of an input apart."""
    return -(-lines // target.core.neurons.value)


def run_of_lines(lines: int, target: Target) -> Array:
    """(lines,) int64 the run of each line of an input; without routers an input is one."""
    if target.router is None:
        return np.zeros(lines, np.int64)
    return np.arange(lines) // target.core.neurons.value


def _ways(starts: Array, ends: Array, n: int) -> tuple[Array, Array, Array]:
    """The pairs of slices among `starts` (from `n` on: inputs) and `ends`; how often each is."""
    pairs = scipy.sparse.coo_array(
        (np.ones(len(ends), np.int64), (starts, ends)),
        shape=(int(starts.max(initial=0)) + 1, n)).tocsr().tocoo()
    return pairs.row, pairs.col, pairs.data


def compartments(network: Network, slices: Slices) -> Array:
    """(s,) compartments of each slice."""
    each = np.array([compartments_of(p.neuron) for p in network.populations], np.int64)
    return slices.sizes() * each[slices.population]


def require_fit(network: Network, mapping: Mapping, target: Target, needs: Demand) -> None:
    """Raise NmcError naming layer, limit, need and allowance where a core is overfull."""
    core = mapping.slices.core
    for limit, per_core in needs.on_cores(core, target.n_cores).items():
        worst = int(per_core.argmax())
        if per_core[worst] > getattr(target.core, limit).value:
            on_core = mapping.slices.population[core == worst]
            names = ", ".join(network.populations[i].name for i in np.unique(on_core))
            raise too_large(names, limit, int(per_core[worst]), target)


def too_large(name: str, limit: str, need: int, target: Target) -> CapacityError:
    """The error for a layer of which even the smallest slice breaks a limit of a core."""
    constant = getattr(target.core, limit)
    return CapacityError(
        name, limit,
        f"needs {need:,} {limit.replace('_', ' ')} on one core, {target.name} has "
        f"{constant.value:,} ({constant.kind}: core.{limit})")


def slice_of_neurons(network: Network, slices: Slices, population: int) -> Array:
    """(n,) int32, for each neuron of population number `population`, its slice."""
    box = slices.view(network.populations[population].shape, population)
    owner = np.full(box, -1, np.int32)
    for i in np.flatnonzero(slices.population == population):
        (c0, y0, x0), (c1, y1, x1) = slices.low[i], slices.high[i]
        owner[c0:c1, y0:y1, x0:x1] = i
    order = slices.orders.get(str(population))
    if order is None:
        return owner.reshape(-1)
    by_neuron = np.empty(owner.size, np.int32)
    by_neuron[order] = owner.reshape(-1)
    return by_neuron


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

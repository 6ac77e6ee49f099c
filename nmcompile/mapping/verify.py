"""Every rule that a Program keeps: its network, its slices, its axons."""

from __future__ import annotations

from math import prod

import numpy as np

from nmcompile.errors import MappingError
from nmcompile.ir import Network, Projection, verify
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.mapping.mapping import Axons, Faults, Program, Slices, view
from nmcompile.mapping.multicast.check import RoutingError
from nmcompile.mapping.multicast.program import check_routing
from nmcompile.mapping.multicast.routing import Routing
from nmcompile.target import Target
from nmcompile.target.topology import n_links, neighbours


def verify_program(program: Program) -> Program:
    """Return `program` if it keeps every rule, raise NmcError naming the part that does not.

    Behind it kernels index without checking.
    """
    network, mapping = verify(program.network), program.mapping
    _verify_latency(program)
    verify_slices(network, mapping.slices, program.target)
    if len(mapping.axons) != len(network.projections):
        raise MappingError("mapping", "projections and axons differ in number")
    verify_rates(network, mapping.rates)
    _verify_faults(mapping.faults, mapping.slices, program.target)
    for projection, axons in zip(network.projections, mapping.axons, strict=True):
        _verify_projection(projection, program.target)
        _verify_axons(projection, axons, network, mapping.slices)
    _verify_routing(program)
    return program


def _verify_latency(program: Program) -> None:
    longest = sum(max((p.delay for p in program.network.incoming(q.name)), default=0)
                  for q in program.network.populations)
    for node in program.network.nodes:
        lag = program.latency.get(node.name, -1)
        if lag < 0 or lag != getattr(node, "start", 0):
            raise MappingError(node.name, f"its lag of {lag} steps is not its start")
        if lag > longest:
            raise MappingError(node.name, f"its lag of {lag} steps is more than the {longest} that "
                               "the network's delays can make")
    for port in program.network.inputs:
        if port.format.payload_bits is None:
            raise MappingError(port.name, "its values have no integer format")


def verify_slices(
    network: Network, slices: Slices, target: Target, placed: bool = True
) -> None:
    """Raise NmcError where slices do not hold each neuron once, or lie on no core."""
    n = len(slices.population)
    _require_integers("slices", slices.population, slices.low, slices.high, slices.core)
    if slices.low.shape != (n, 3) or slices.high.shape != (n, 3) or slices.core.shape != (n,):
        raise MappingError("mapping", "populations, corners and cores of slices differ in number")
    _require_range("slices", slices.population, 0, len(network.populations))
    _require_range("slices", slices.core, 0 if placed else -1, target.n_cores if placed else 0)
    if np.any(slices.low < 0) or np.any(slices.low >= slices.high):
        raise MappingError("mapping", "a slice is empty or begins outside its population")
    _verify_orders(network, slices)
    for index, population in enumerate(network.populations):
        if not hasattr(population.neuron, "stepper"):
            raise MappingError(population.name, f"'{population.neuron.kind}' is no chip's neuron")
        if np.any(population.bias):
            raise MappingError(population.name, "its bias is not in its neuron, where chips' are")
        mine = slices.population == index
        shape = np.array(slices.view(population.shape, index))
        held = (slices.high[mine] - slices.low[mine]).astype(np.int64).prod(axis=1).sum()
        inside = not np.any(slices.high[mine] > shape) and held == population.size
        if not inside or slice_of_neurons(network, slices, index).min() < 0:
            raise MappingError(population.name, "its slices do not hold each neuron once")


def _verify_orders(network: Network, slices: Slices) -> None:
    for key, order in slices.orders.items():
        if not key.isdecimal() or int(key) >= len(network.populations) or key != str(int(key)):
            raise MappingError("mapping", "an order is of no population")
        population = network.populations[int(key)]
        _require_integers(population.name, order)
        _require_range(population.name, order, 0, population.size)
        if order.shape != (population.size,) or len(np.unique(order)) != len(order):
            raise MappingError(population.name, "its order does not hold each neuron once")
        firsts = slices.low[slices.population == int(key), 2]
        falls = np.flatnonzero(np.diff(order) < 0) + 1
        if not np.all(np.isin(falls, firsts)):
            raise MappingError(population.name, "its order does not rise within a slice")
        if any(not isinstance(p.map, Sparse) for p in network.incoming(population.name)):
            raise MappingError(population.name, "only sparse maps reach neurons in another order")


def verify_rates(network: Network, rates: Array) -> None:
    """Raise NmcError where `rates` are not those of `network`."""
    if rates.dtype != np.float32 or rates.shape != (sum(n.size for n in network.nodes),):
        raise MappingError("mapping", "rates and neurons differ in number")
    if not np.all(np.isfinite(rates)) or np.any(rates < 0):
        raise MappingError("mapping", "a rate is negative or no number")


def _verify_faults(faults: Faults, slices: Slices, target: Target) -> None:
    _require_integers("faults", faults.cores, faults.links)
    for numbers, end in ((faults.cores, target.n_cores), (faults.links, n_links(target))):
        _require_range("faults", numbers, 0, end)
        if np.any(np.diff(numbers) <= 0):
            raise MappingError("mapping", "its dead parts are not listed once and rising")
    if np.any(neighbours(target).reshape(-1)[faults.links] < 0):
        raise MappingError("mapping", "a dead link leads from or to no tile")
    if np.any(np.isin(slices.core, faults.cores)):
        raise MappingError("mapping", "a slice lies on a dead core")


def _verify_routing(program: Program) -> None:
    target, routing = program.target, program.mapping.routing
    if routing is None or target.router is None:
        if (routing is None) != (target.router is None):
            raise MappingError(
                "mapping", f"it has keys and tables, or {target.name} has routers, but "
                "not both")
        return
    _verify_tables(routing, target.board.chips.value)
    try:
        check_routing(program)
    except RoutingError as error:
        raise MappingError("routing", str(error)) from error


def _verify_tables(routing: Routing, chips: int) -> None:
    keys, tables = routing.keys, routing.tables
    words = (keys.key, keys.mask, tables.key, tables.mask, tables.route)
    if any(w.dtype != np.uint32 or w.ndim != 1 for w in words) or tables.start.dtype != np.int64:
        raise MappingError("routing", "its keys and tables are not of 32-bit words")
    if len(keys.key) != len(keys.mask) or len({len(w) for w in words[2:]}) != 1:
        raise MappingError("routing", "its words differ in number")
    start = tables.start
    if start.shape != (chips + 1,) or start[0] != 0 or start[-1] != len(tables) or np.any(
            np.diff(start) < 0):
        raise MappingError("routing", "its tables are not one for each chip")


def _verify_projection(projection: Projection, target: Target) -> None:
    name, linear = projection.name, projection.map
    if not isinstance(linear, Dense | Conv | Sparse) or projection.format is None:
        raise MappingError(name, "its map is not in the chip's form")
    _require_integers(name, linear.weights())
    farthest = max(1, target.formats.max_delay.value)
    if not 1 <= projection.delay <= farthest or not -31 <= projection.format.exponent <= 31:
        raise MappingError(name, "its delay or its exponent is not the chip's")


def _verify_axons(projection: Projection, axons: Axons, network: Network, slices: Slices) -> None:
    name, n = projection.name, len(axons.slice)
    _require_integers(name, axons.start, axons.slice, axons.synapses, axons.first, axons.order)
    n_sources = prod(network.shape_of(projection.source))
    if axons.start.shape != (n_sources + 1,) or {axons.synapses.shape, axons.slice.shape} != {(n,)}:
        raise MappingError(name, "its axons and sources differ in number")
    if axons.start[0] != 0 or axons.start[-1] != n or np.any(axons.start[1:] < axons.start[:-1]):
        raise MappingError(name, "its axons are not in the order of its sources")
    first, end = projection.sources or (0, n_sources)
    if axons.start[first] != 0 or axons.start[end] != n:
        raise MappingError(name, "an axon begins at a neuron that it does not come from")
    _require_range(name, axons.slice, 0, len(slices))
    owner = network.populations.index(network.population(projection.target))
    if np.any(slices.population[axons.slice] != owner) or np.any(axons.synapses < 0):
        raise MappingError(name, "an axon ends in a slice of another population")
    several = projection.feeds_all(network.population(projection.target))
    if several and not isinstance(projection.map, Dense):
        raise MappingError(name, "only a dense map reaches neurons with several currents")
    if isinstance(projection.map, Sparse):
        n_synapses = len(projection.map.weight)
        if axons.first.shape != (n,) or len(axons.order) != n_synapses:
            raise MappingError(name, "its axons and synapses differ in number")
        _require_range(name, axons.order, 0, n_synapses)
        _require_range(name, axons.first, 0, n_synapses)
        _require_range(name, axons.synapses, 0, n_synapses + 1)
        _require_range(name, axons.first.astype(np.int64) + axons.synapses, 0, n_synapses + 1)
    if isinstance(projection.map, Conv):
        shape = view(network.shape_of(projection.target))
        if shape != projection.map.out_shape:
            raise MappingError(
                name, f"its convolution gives {projection.map.out_shape}, its target "
                f"is {shape}")


def _require_integers(name: str, *arrays: Array) -> None:
    if any(array.dtype.kind != "i" for array in arrays):
        raise MappingError(name, "an array of its mapping or weights does not hold integers")


def _require_range(name: str, values: Array, low: int, high: int) -> None:
    if values.size and (values.min() < low or values.max() >= high):
        raise MappingError(name, f"an index of its mapping lies outside {low}..{high - 1}")

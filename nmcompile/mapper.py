"""From an integer network to a mapping: partition, route and place under a user's constraints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from nmcompile.backend import Backend
from nmcompile.errors import ConstraintError, CostError, NmcError, OptionsError
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array, is_splitter
from nmcompile.mapping import Axons, Mapping, Program, Slices, rates_by_name
from nmcompile.mapping.capacity import CapacityError, Demand, demand, require_fit
from nmcompile.mapping.constraints import Constraints
from nmcompile.mapping.faults import cut_off
from nmcompile.mapping.ticks import tick_seconds
from nmcompile.mapping.traffic import packets_between, ways_around
from nmcompile.passes.partition import (
    OWN,
    TickLoads,
    cutter,
    grids_of,
    in_time,
    may_split,
    pack,
    partition,
    regroup,
    search,
    suggestions,
    with_splitters,
)
from nmcompile.passes.partition.sizes import Grid
from nmcompile.passes.place import allowed, place
from nmcompile.passes.route import multicast, route
from nmcompile.target import Target

Spikes = dict[str, Array]
Grids = dict[str, Grid]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """What each input and population sends, name -> (steps, n).

    typical  in typical steps; where it is given, cuts and cores are chosen for the least energy
             times delay
    ticks    in steps of the chip, each what is sent in it; where it is given, and the chip's cores
             have to be done within a tick, layers are cut for that
    """

    typical: Spikes | None = None
    ticks: Spikes | None = None


def record_of(network: Network, sent: Spikes, search: bool, hurried: bool) -> Recorded:
    """What a search, or a cut for ticks, goes by.

    sent  name -> (samples, steps, *shape), all in the network's own time
    """
    flat = {node.name: sent[node.name].reshape(*sent[node.name].shape[:2], node.size)
            for node in network.nodes}
    typical = {name: values.reshape(-1, values.shape[2]) for name, values in flat.items()}
    lags = network.lags
    last = max(lags.values())
    ticks = {name: np.pad(values != 0, ((0, 0), (lags[name], last - lags[name]), (0, 0)))
             for name, values in flat.items()} if hurried else {}
    return Recorded(
        typical=typical if search else None,
        ticks={name: values.reshape(-1, values.shape[2]) for name, values in ticks.items()}
        if hurried else None)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """Slices without cores yet (-1).

    network   what is cut, with splitters where it needs them
    together  (s,) int64, slices of one number share a core
    origin    (n,) int64 for each input line and neuron, in the order of `Mapping.rates`, the one
              that it was before splitters were put in, or whose spikes it hands on
    """

    network: Network
    slices: Slices
    together: Array
    origin: Array

    @property
    def n_cores(self) -> int:
        """Cores that the slices take."""
        return len(np.unique(self.together))


def map_network(
    network: Network,
    target: Target,
    backend: Backend,
    rates: Array,
    constraints: Constraints | None = None,
    recorded: Recorded | None = None,
) -> tuple[Program, Demand]:
    """A program of `network` that no core of `target` is too small for, and what its slices need.

    rates  (n,) float32 as in `Mapping`

    Raises NmcError where there is none: which layer, which limit, need and allowance.
    """
    found = cut(network, target, backend, rates, constraints, recorded)
    return lay(found, target, backend, rates[found.origin], constraints)


def map_again(
    program: Program, backend: Backend, constraints: Constraints | None, recorded: Recorded,
    partitioner: str = "own",
) -> tuple[Program, Demand]:
    """`program` mapped anew; parameters as of `map_network` and `cut`.

    A network with splitters keeps its slices, for which these were made, and is only placed anew.
    Raises NmcError where it is to be cut otherwise.
    """
    network, mapping = program.network, program.mapping
    if not any(is_splitter(p.neuron) for p in network.populations):
        found = cut(network, program.target, backend, mapping.rates, constraints, recorded,
                    partitioner)
        return lay(found, program.target, backend, mapping.rates[found.origin], constraints)
    if recorded.typical is not None or partitioner != OWN:
        raise OptionsError("--partitioner" if recorded.typical is None else "--search",
                           "cuts layers anew, and the splitters of this build belong to its slices",
                           "Leave it out, or compile the model with it.")
    slices = replace(mapping.slices, core=np.full_like(mapping.slices.core, -1))
    together = np.unique(mapping.slices.core, return_inverse=True)[1].astype(np.int64)
    found = Cut(network=network, slices=slices, together=together, origin=_all(network))
    return lay(found, program.target, backend, mapping.rates, constraints)


def cut(  # noqa: PLR0913 - what may be left out comes last
    network: Network,
    target: Target,
    backend: Backend,
    rates: Array,
    constraints: Constraints | None = None,
    recorded: Recorded | None = None,
    partitioner: str = "own",
) -> Cut:
    """Slices of `network`, or CapacityError with what would make it fit.

    rates        as of `map_network`
    partitioner  of irregular populations, one of PARTITIONERS: see `partition.partitioners`

    Where there are more slices than cores, some share one, if the chip's cores are alike.
    """
    constraints, recorded = constraints or Constraints(), recorded or Recorded()
    spikes = recorded.typical
    if spikes is not None and target.router is not None:
        raise OptionsError(
            "--search", f"does not know the ways of packets that routers copy, as those "
            f"of {target.name} do", "Leave it out.")
    if spikes is not None and not target.costs_known:
        raise CostError("--search", "makes energy times delay small, and no costs are known of "
                        f"{target.name}", "Leave it out.")
    cores = int(np.count_nonzero(constraints.free(target)))
    if spikes is not None and target.n_cores > 1:
        found = _searched(network, target, backend, spikes, constraints)
        return _on_cores(found, target, backend, constraints)
    try:
        coarse = grids_of(network, target, backend)
        grids = _in_time(network, target, backend, coarse, constraints, recorded.ticks)
        slices = regroup(
            network, partition(network, target, backend, grids), target,
            lambda part, found, index: _fills(part, found, index, target, backend),
            cutter(partitioner), rates_by_name(network, rates),
            frozenset(name for name in grids if grids[name] != coarse[name]))
        return _on_cores(_split(network, slices, target), target, backend, constraints)
    except CapacityError as error:
        ways = ". ".join(suggestions(
            network, target, backend,
            lambda changed: taken(changed, target, backend, constraints, cores), cores, error))
        hint = f"{ways}." if ways else "No narrower weights, split, stride or chips make it fit."
        lost = _told_cut_off(constraints, target) if error.limit == "cores" else ""
        raise error.with_hint(lost + hint) from error


def _in_time(
    network: Network, target: Target, backend: Backend, grids: Grids, constraints: Constraints,
    ticks: Spikes | None,
) -> Grids:
    """`grids`, or finer ones whose cores are done within the tick, where there is one that matters.

    Layers that a user wants on one chip, or no two on one, are not cut further.
    """
    work = backend.tick_work(target)
    if work is None or ticks is None:
        return grids
    most = {name: int(np.count_nonzero(cores)) for name, cores in constraints.on.items()}
    for name, cores in constraints.most_cores.items():
        most[name] = min(cores, most.get(name, cores))
    for group in (*constraints.together, *constraints.apart):
        most |= {name: prod(grids[name]) for name in group}
    free = int(np.count_nonzero(constraints.free(target)))
    return in_time(TickLoads(network, target, work, ticks), grids, most, free)


def _searched(
    network: Network, target: Target, backend: Backend, spikes: Spikes, constraints: Constraints
) -> Cut:
    if backend.suited_cores(network, target):
        raise OptionsError(target.name, "has cores that differ, which --search takes for alike",
                           "Leave out --search.")
    if not backend.shares_cores:
        raise OptionsError(
            target.name, "has cores of one layer each, which --search lets layers share",
            "Leave out --search.")
    try:
        best = search(network, target, backend, spikes,
                      int(np.count_nonzero(constraints.free(target))), _kinds(network, constraints))
    except CapacityError as error:
        if error.limit == "output_axons" and may_split(network.population(error.layer), target):
            raise error.with_hint(
                "Leave out --search, which puts no splitters behind its neurons.") from error
        raise
    return Cut(network=network, slices=best.slices, origin=_all(network),
               together=np.asarray(best.together, np.int64))


def _all(network: Network) -> Array:
    return np.arange(sum(node.size for node in network.nodes))


def _split(network: Network, slices: Slices, target: Target) -> Cut:
    """`slices` and those of the splitters that they need, each on a core of its own."""
    split = with_splitters(network, slices, target)
    return Cut(network=split.network, slices=split.slices, origin=split.origin,
               together=np.arange(len(split.slices)))


def _on_cores(found: Cut, target: Target, backend: Backend, constraints: Constraints) -> Cut:
    """`found` on no more cores than there are, or CapacityError."""
    free = int(np.count_nonzero(constraints.free(target)))
    found = _shared(found, target, backend, constraints, free)
    if target.n_cores > 1 and found.n_cores > free:
        raise _too_many(found, target, free)
    return found


def _shared(
    found: Cut, target: Target, backend: Backend, constraints: Constraints, cores: int
) -> Cut:
    """`found` with slices that share cores where it takes more than `cores`, if they may.

    They may where cores are alike and hold several layers, which SpiNNaker's do not.
    """
    alone = target.n_cores == 1 or not backend.shares_cores
    if alone or found.n_cores <= cores or backend.suited_cores(found.network, target):
        return found
    return replace(found, together=_packed(found, target, backend, constraints, cores))


def _packed(
    found: Cut, target: Target, backend: Backend, constraints: Constraints, cores: int
) -> Array:
    network, slices = found.network, found.slices
    axons, needs = _needs(network, slices, target, backend)
    every = {node.name: np.ones(node.size) for node in network.nodes}
    packets, _ = packets_between(network, slices, axons, every)
    kinds = _kinds(network, constraints)
    names = [network.populations[i].name for i in slices.population]
    return pack(needs, packets[:-1], kinds[slices.population], names, cores, target)


def _kinds(network: Network, constraints: Constraints) -> Array:
    return constraints.kinds([p.name for p in network.populations])


def taken(
    network: Network, target: Target, backend: Backend, constraints: Constraints, cores: int
) -> int:
    """The cores that `network` takes, the fewest where they are more than `cores`.

    Raises NmcError where a part of it fits no core.
    """
    found = _split(network, partition(network, target, backend), target)
    return _shared(found, target, backend, constraints, cores).n_cores


def _too_many(found: Cut, target: Target, free: int) -> CapacityError:
    slices, cores = found.slices, found.n_cores
    counts = np.bincount(slices.population, minlength=len(found.network.populations))
    largest = [f"{found.network.populations[i].name} {counts[i]:,}"
               for i in np.argsort(-counts, kind="stable")[:3]]
    shared = f" for {len(slices):,} slices" if cores < len(slices) else ""
    left = "" if free == target.n_cores else f", of which {free:,} are free"
    return CapacityError(
        "", "cores", f"needs {cores:,} cores{shared}, {target.name} has {target.n_cores:,} "
        f"({target.board.chips.value} chips of {target.cores_per_chip}){left}; largest layers: "
        f"{', '.join(largest)}")


def _needs(
    network: Network, slices: Slices, target: Target, backend: Backend
) -> tuple[tuple[Axons, ...], Demand]:
    """The axons between slices without cores, and what each slice needs by itself."""
    axons = route(network, slices)
    mapping = Mapping(slices=slices, axons=axons, rates=np.zeros(0, np.float32))
    return axons, demand(network, mapping, target, backend)


def _fills(
    network: Network, slices: Slices, index: int, target: Target, backend: Backend
) -> Array:
    """(k,) the largest need of each slice of population number `index` over what a core has."""
    _, needs = _needs(network, slices, target, backend)
    mine = slices.population == index
    return np.max([need[mine] / getattr(target.core, limit).value
                   for limit, need in needs.of_slices().items()], axis=0)


def lay(
    found: Cut,
    target: Target,
    backend: Backend,
    rates: Array,
    constraints: Constraints | None = None,
) -> tuple[Program, Demand]:
    """Slices routed and placed, and what they need; `rates` are of the network in `found`.

    Raises NmcError also where a layer takes more cores than its most_cores, and where dead links
    leave no way that a packet needs.
    """
    constraints, network = constraints or Constraints(), found.network
    _require_few(found, constraints)
    axons = route(network, found.slices)
    suited = backend.suited_cores(network, target)
    faults = constraints.faults
    try:
        where = allowed(network, found.slices, found.together, constraints, suited, target)
        placed = place(
            network, found.slices, axons, target, rates_by_name(network, rates), faults=faults,
            free=constraints.free(target), allowed=where, together=found.together)
    except NmcError as error:
        lost = _told_cut_off(constraints, target)
        raise error.at(error.where, lost + error.hint) from error
    if target.router is None:
        ways_around(network, placed, axons, faults, target)
    mapping = Mapping(slices=placed, axons=axons, rates=rates, faults=faults)
    needs = demand(network, mapping, target, backend)
    try:
        require_fit(network, mapping, target, needs)
    except CapacityError as error:
        raise error.with_hint("Go on from quantize.h5, or give it fewer bits (--bits) or more "
                              "chips (--chips).") from error
    needs = with_time(needs, network, mapping, target, backend)
    if target.router is not None:
        mapping = replace(mapping, routing=multicast.routing(network, mapping, target))
    return Program(network=network, mapping=mapping, target=target, latency=network.lags), needs


def with_time(
    needs: Demand, network: Network, mapping: Mapping, target: Target, backend: Backend
) -> Demand:
    """`needs` with the time that slices take of a tick at the mapping's rates, if that matters."""
    work = backend.tick_work(target)
    if work is None:
        return needs
    busy = tick_seconds(
        network, mapping.slices, mapping.axons, target, work, mapping.rates[None].astype(float))
    return replace(needs, tick_ns=np.rint(busy[0] * 1e9).astype(np.int64))


def _told_cut_off(constraints: Constraints, target: Target) -> str:
    """The sentence on cores that dead links cut off, empty where there are none."""
    lost = np.count_nonzero(cut_off(target, constraints.faults))
    return f"Dead links cut off {lost:,} of its living cores. " if lost else ""


def _require_few(found: Cut, constraints: Constraints) -> None:
    """Raise NmcError where a layer takes more cores than the user allows it."""
    for index, population in enumerate(found.network.populations):
        need = len(np.unique(found.together[found.slices.population == index]))
        most = constraints.most_cores.get(population.name, need)
        if need > most:
            raise ConstraintError(
                population.name, f"needs {need:,} cores, its most_cores is {most:,}",
                "Allow it more, or give it fewer bits (--bits).")

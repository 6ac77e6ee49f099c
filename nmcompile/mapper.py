"""From an integer network to a mapping: partition, route and place under a user's constraints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.backend import Backend
from nmcompile.errors import NmcError
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Mapping, Slices, rates_by_name
from nmcompile.mapping.capacity import LIMITS, CapacityError, Demand, demand, require_fit
from nmcompile.mapping.constraints import Constraints
from nmcompile.mapping.faults import cut_off
from nmcompile.mapping.traffic import ways_around
from nmcompile.passes.partition import cutter, partition, regroup, search, suggestions
from nmcompile.passes.place import allowed, place
from nmcompile.passes.route import route
from nmcompile.target import Target

Spikes = dict[str, Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """Slices without cores yet (-1).

    together  (s,) int64, slices of one number share a core
    """

    slices: Slices
    together: Array


def map_network(
    network: Network,
    target: Target,
    backend: Backend,
    rates: Array,
    constraints: Constraints | None = None,
    spikes: Spikes | None = None,
) -> tuple[Mapping, Demand]:
    """A mapping of `network` that no core of `target` is too small for, and what its slices need.

    rates   (n,) float32 as in `Mapping`
    spikes  name of input or population -> (steps, n) what each sends in typical steps; where they
            are given, cuts and cores are chosen for the least energy times delay

    Raises NmcError where there is none: which layer, which limit, need and allowance.
    """
    found = cut(network, target, backend, constraints, spikes)
    return lay(network, found, target, backend, rates, constraints)


def cut(
    network: Network,
    target: Target,
    backend: Backend,
    constraints: Constraints | None = None,
    spikes: Spikes | None = None,
    partitioner: str = "own",
) -> Cut:
    """Slices of `network`, or CapacityError with what would make it fit.

    partitioner  of irregular populations, one of PARTITIONERS: see `hypergraph.partitioners`
    """
    constraints = constraints or Constraints()
    cores = int(np.count_nonzero(constraints.free(target)))
    if spikes is not None and target.n_cores > 1:
        best = search(network, target, backend, spikes, cores)
        together = np.asarray(best.together, np.int64)
        return _with_few(network, Cut(slices=best.slices, together=together), constraints)
    try:
        slices = partition(network, target, backend, cores)
    except CapacityError as error:
        ways = ". ".join(suggestions(network, target, backend, cores, error))
        hint = f"{ways}." if ways else "No narrower weights, split, stride or chips make it fit."
        lost = _told_cut_off(constraints, target) if error.limit == "cores" else ""
        raise error.with_hint(lost + hint) from error
    slices = regroup(network, slices, target, lambda part, found, index: _fills(
        part, found, index, target, backend), cutter(partitioner))
    found = Cut(slices=slices, together=np.arange(len(slices)))
    return _with_few(network, found, constraints)


def _fills(
    network: Network, slices: Slices, index: int, target: Target, backend: Backend
) -> Array:
    """(k,) the largest need of each slice of population number `index` over what a core has."""
    mapping = Mapping(slices=slices, axons=route(network, slices), rates=np.zeros(0, np.float32))
    needs = demand(network, mapping, target, backend)
    mine = slices.population == index
    shares = [getattr(needs, limit)[mine] / getattr(target.core, limit).value for limit in LIMITS]
    return np.max(shares, axis=0)


def lay(
    network: Network,
    found: Cut,
    target: Target,
    backend: Backend,
    rates: Array,
    constraints: Constraints | None = None,
) -> tuple[Mapping, Demand]:
    """Slices routed and placed, and what they need; parameters as of `map_network`.

    Raises NmcError also where dead links leave no way that a packet needs.
    """
    constraints, slices = constraints or Constraints(), found.slices
    axons = route(network, slices)
    suited = backend.suited_cores(network, target)
    faults = constraints.faults
    try:
        where = allowed(network, slices, found.together, constraints, suited, target)
        placed = place(
            network, slices, axons, target, rates_by_name(network, rates), faults=faults,
            free=constraints.free(target), allowed=where, together=found.together)
    except NmcError as error:
        lost = _told_cut_off(constraints, target)
        raise NmcError(error.where, error.what, lost + error.hint) from error
    ways_around(network, placed, axons, faults, target)
    mapping = Mapping(slices=placed, axons=axons, rates=rates, faults=faults)
    needs = demand(network, mapping, target, backend)
    require_fit(network, mapping, target, needs)
    return mapping, needs


def _told_cut_off(constraints: Constraints, target: Target) -> str:
    """The sentence on cores that dead links cut off, empty where there are none."""
    lost = np.count_nonzero(cut_off(target, constraints.faults))
    return f"Dead links cut off {lost:,} of its living cores. " if lost else ""


def _with_few(network: Network, found: Cut, constraints: Constraints) -> Cut:
    """`found`, if no layer takes more cores than the user allows it."""
    for index, population in enumerate(network.populations):
        need = len(np.unique(found.together[found.slices.population == index]))
        most = constraints.most_cores.get(population.name, need)
        if need > most:
            raise NmcError(population.name, f"needs {need:,} cores, its most_cores is {most:,}",
                           "Allow it more, or give it fewer bits (--bits).")
    return found

"""Which layers receive the sum that an earlier layer receives, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from nmcompile.ir import Network, order
from nmcompile.ir.maps import Chain, Conv, LinearMap, Scale, Sparse

Links = tuple[LinearMap, ...]
Path = tuple[str, Links]  # a source and what lies between it and its target


@dataclass(frozen=True)
class Arriving:
    """What arrives at a population without delay: paths of one sum, and what is behind it.

    paths  of the sum; empty where something arrives with a delay, or twice
    own    the links behind it that all paths end in
    """

    paths: frozenset[Path]
    own: Links


@dataclass(frozen=True)
class Use:
    """The sum of `owner` arrives at another population too, behind `links`."""

    owner: str
    links: Links


def arriving(network: Network) -> dict[str, Arriving]:
    """What arrives at each population, in the order in which they compute."""
    found = {}
    for name in order(network):
        incoming = network.incoming(name)
        paths = frozenset((p.source, _links(p.map)) for p in incoming)
        plain = len(paths) == len(incoming) > 0 and not any(p.delay for p in incoming)
        own = _ending(paths) if plain else ()
        cut = frozenset((source, links[: len(links) - len(own)]) for source, links in paths)
        found[name] = Arriving(cut if plain else frozenset(), own)
    return found


def _links(linear: LinearMap) -> Links:
    links = linear.maps if isinstance(linear, Chain) else (linear,)
    return tuple(link for link in links
                 if not (isinstance(link, Scale) and np.all(link.factor == 1)))


def _ending(paths: frozenset[Path]) -> Links:
    """The last links that all `paths` have in common; a single one keeps its own."""
    every = [links for _, links in paths]
    shortest = min(map(len, every))
    if len(every) == 1 or shortest == 0:
        return ()
    length = 0
    while length < shortest and len({links[-1 - length] for links in every}) == 1:
        length += 1
    return every[0][len(every[0]) - length :]


def shared(sums: dict[str, Arriving], owners: set[str]) -> dict[str, Use]:
    """For each population the use of the largest sum of an earlier one of `owners`.

    An owner's own sum may be made with another's; what is not an owner's is all that arrives.
    """
    uses: dict[str, Use] = {}
    earlier: list[str] = []
    for target, part in sums.items():
        wanted = whole(part, target in owners)
        for owner in sorted(earlier, key=lambda name: -len(sums[name].paths)):
            links = _behind(sums[owner].paths, wanted)
            if links is not None:
                uses[target] = Use(owner, links)
                break
        if target in owners and len(part.paths) > 1:
            earlier.append(target)
    return uses


def whole(part: Arriving, owner: bool) -> frozenset[Path]:
    """The paths into the sum of an `owner`, or into the population itself."""
    if owner:
        return part.paths
    return frozenset((source, (*links, *part.own)) for source, links in part.paths)


def _behind(part: frozenset[Path], wanted: frozenset[Path]) -> Links | None:
    """The links behind which all of `part` is among what is `wanted`; None if there are none."""
    source, first = min(part, key=lambda path: (path[0], len(path[1])))
    for other, links in sorted(wanted, key=lambda path: (path[0], len(path[1]))):
        if other != source or links[: len(first)] != first:
            continue
        rest = links[len(first):]
        if all((name, (*own, *rest)) in wanted for name, own in part):
            return rest
    return None


def sum_shape(network: Network, sums: dict[str, Arriving], name: str) -> tuple[int, ...]:
    """The shape of the sum that arrives at population `name`."""
    own = sums[name].own
    return own[0].in_shape if own else network.shape_of(name)


def synapses(links: Links, size: int) -> float:
    """About how many synapses `links` from `size` sources are as one map."""
    if not links:
        return size
    fan_out = prod(_synapses(link) / prod(link.in_shape) for link in links)
    return size * min(fan_out, prod(links[-1].out_shape))


def _synapses(linear: LinearMap) -> float:
    if isinstance(linear, Conv):
        return prod(linear.out_shape) * prod(linear.weight.shape[1:])
    if isinstance(linear, Scale):
        return prod(linear.in_shape)
    if isinstance(linear, Sparse):
        return len(linear.target)
    return float(np.count_nonzero(linear.weights()))

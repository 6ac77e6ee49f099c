"""In which order populations run, and how many steps at a time."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import chain

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from nmcompile.ir import Network


@dataclass(frozen=True, kw_only=True)
class Group:
    """Populations that hear of each other, or a single one, in the network's order.

    steps  how many they may run at a time, each behind the other: the shortest delay between
           them; None where they are in no loop
    """

    populations: tuple[str, ...]
    steps: int | None


def groups_of(network: Network) -> tuple[Group, ...]:
    """All populations, those of a loop together, each group behind those that it hears of.

    The loops are the strongly connected parts of the network. Of the groups that wait for no other
    one, the first in the network comes next.
    """
    names = [p.name for p in network.populations]
    number = {name: i for i, name in enumerate(names)}
    inner = [p for p in network.projections if p.source in number]
    ends = [[number[p.source] for p in inner], [number[p.target] for p in inner]]
    graph = scipy.sparse.coo_array((np.ones(len(inner)), ends), shape=(len(names),) * 2)
    _, loop = connected_components(graph, connection="strong")
    rank = {part: i for i, part in enumerate(dict.fromkeys(loop.tolist()))}
    of = [rank[part] for part in loop.tolist()]
    members: list[list[str]] = [[] for _ in rank]
    for name, part in zip(names, of, strict=True):
        members[part].append(name)
    delays: list[list[int]] = [[] for _ in rank]
    ahead: list[set[int]] = [set() for _ in rank]  # loops that hear of each
    for projection, a, b in zip(inner, *ends, strict=True):
        if of[a] == of[b]:
            delays[of[a]].append(projection.delay)
        else:
            ahead[of[a]].add(of[b])
    return tuple(Group(populations=tuple(members[part]), steps=min(delays[part], default=None))
                 for part in _in_order(ahead))


def _in_order(ahead: list[set[int]]) -> list[int]:
    """The numbers of `ahead`, each behind all that have it in their set; of those the lowest."""
    missing = [0] * len(ahead)
    for part in chain.from_iterable(ahead):
        missing[part] += 1
    ready = [part for part, count in enumerate(missing) if not count]  # a heap, since it rises
    order = []
    while ready:
        order.append(heappop(ready))
        for part in ahead[order[-1]]:
            missing[part] -= 1
            if not missing[part]:
                heappush(ready, part)
    return order

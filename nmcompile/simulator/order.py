"""In which order populations run, and how many steps at a time."""

from __future__ import annotations

from dataclasses import dataclass

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

    The loops are the strongly connected parts of the network; where each group stands follows
    from the longest way to it.
    """
    names = [p.name for p in network.populations]
    number = {name: i for i, name in enumerate(names)}
    inner = [p for p in network.projections if p.source in number]
    ends = [[number[p.source] for p in inner], [number[p.target] for p in inner]]
    graph = scipy.sparse.coo_array((np.ones(len(inner)), ends), shape=(len(names),) * 2)
    _, loop = connected_components(graph, connection="strong")
    between = {(loop[a], loop[b]) for a, b in zip(*ends, strict=True) if loop[a] != loop[b]}
    behind: dict[int, set[int]] = {int(part): set() for part in loop}
    for before, after in between:
        behind[int(after)].add(int(before))
    groups, waiting = [], list(dict.fromkeys(int(part) for part in loop))
    while waiting:
        part = next(p for p in waiting if not behind[p] & set(waiting))
        waiting.remove(part)
        own = [i for i in range(len(names)) if loop[i] == part]
        delays = [p.delay for p in inner if number[p.source] in own and number[p.target] in own]
        groups.append(Group(populations=tuple(names[i] for i in own),
                            steps=min(delays, default=None)))
    return tuple(groups)

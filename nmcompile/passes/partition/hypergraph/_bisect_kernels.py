"""Cut a hypergraph in two: coarsen, grow one side from several seeds, refine on the way back."""

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.passes.partition.hypergraph._level_kernels import (
    build,
    clustered,
    contracted,
    relabelled,
    shuffled,
)
from nmcompile.passes.partition.hypergraph._sides_kernels import (
    cut_weight,
    grown,
    overweight,
    pass_over,
    sides_of,
)

WIDEST = 500  # pins; larger nets say little about which vertices belong together
PASSES = 3  # over a level at most


@kernel
def _refined(level, sides, limit, passes, pa, pb):
    for _ in range(passes):
        if not pass_over(level, sides, limit, pa + len(sides.side) // pb):
            break


@kernel
def _best_grown(level, aim, limit, tries, seed, passes, pa, pb):
    """The best of `tries` sides grown from random vertices and refined."""
    n = len(level.vertex_weight)
    best_over, best_cut = np.int64(2**62), np.int64(2**62)
    best = np.zeros(n, np.int32)
    order = shuffled(n, seed)
    for i in range(min(tries, n)):
        sides = grown(level, aim, limit, order[i])
        _refined(level, sides, limit, passes, pa, pb)
        over, cut = overweight(sides.load, limit), cut_weight(level, sides)
        if over < best_over or (over == best_over and cut < best_cut):
            best_over, best_cut, best = over, cut, sides.side
    return best


@kernel
def bisected(level, aim, limit, small, tries, seed, passes, pa, pb):
    """Side of each vertex, (n,) int32: side 0 weighs about `aim`, none more than its `limit`.

    small  vertices; a level of no more is not coarsened, but seeds are grown in it
    """
    n = len(level.vertex_weight)
    if n <= small:
        return _best_grown(level, aim, limit, tries, seed, passes, pa, pb)
    heaviest = max(2 * level.vertex_weight.sum() // small, 1)
    label, m = clustered(level, heaviest, n // 2, WIDEST, seed)
    if m > 0.95 * n:
        return _best_grown(level, aim, limit, tries, seed, passes, pa, pb)
    coarse = bisected(contracted(level, label, m), aim, limit, small, tries, seed + 1, passes, pa, pb)
    sides = sides_of(level, coarse[label])
    _refined(level, sides, limit, passes, pa, pb)
    return sides.side


@kernel
def side_of(level, part, side):
    """The level of one side, whose nets are cut to it, and its vertices."""
    n = len(part)
    label = np.full(n, -1, np.int32)
    inside = np.empty(n, np.int32)
    m = 0
    for v in range(n):
        if part[v] == side:
            label[v] = m
            inside[m] = v
            m += 1
    start, pins, weight = relabelled(level.start, level.pins, level.weight, label, m)
    inside = inside[:m].copy()
    return build(start, pins, weight, level.vertex_weight[inside]), inside

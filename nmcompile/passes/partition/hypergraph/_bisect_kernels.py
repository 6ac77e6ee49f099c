"""Cut a hypergraph in two: coarsen, grow one side from several seeds, refine on the way back."""

import math

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
TRIES = 3  # seeds that are grown
PASSES = 2  # over a level at most
PATIENCE = 20  # moves without gain before a pass ends


@kernel
def _refined(level, sides, limit):
    for _ in range(PASSES):
        if not pass_over(level, sides, limit, PATIENCE):
            break


@kernel
def _best_grown(level, aim, limit, seed):
    """The best of TRIES sides grown from random vertices and refined."""
    n = len(level.vertex_weight)
    best_over, best_cut = np.int64(2**62), np.int64(2**62)
    best = np.zeros(n, np.int32)
    order = shuffled(n, seed)
    for i in range(min(TRIES, n)):
        sides = grown(level, aim, limit, order[i])
        _refined(level, sides, limit)
        over, cut = overweight(sides.load, limit), cut_weight(level, sides)
        if over < best_over or (over == best_over and cut < best_cut):
            best_over, best_cut, best = over, cut, sides.side
    return best


@kernel
def bisected(level, aim, limit, small, seed):
    """Side of each vertex, (n,) int32: side 0 weighs about `aim`, none more than its `limit`.

    small  vertices; a level of no more is not coarsened, but seeds are grown in it
    """
    n = len(level.vertex_weight)
    if n <= small:
        return _best_grown(level, aim, limit, seed)
    heaviest = max(2 * level.vertex_weight.sum() // small, 1)
    label, m = clustered(level, heaviest, n // 2, WIDEST, seed)
    if m > 0.95 * n:
        return _best_grown(level, aim, limit, seed)
    coarse = bisected(contracted(level, label, m), aim, limit, small, seed + 1)
    sides = sides_of(level, coarse[label])
    _refined(level, sides, limit)
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


@kernel
def halved(level, k, limit, small, seed):
    """Sides of which 0 takes k//2 of k parts of at most `limit`, and 1 the others.

    The room that the parts have together is spread evenly over the bisections to come, as in
    Schlag et al., ALENEX 2016.
    """
    total = level.vertex_weight.sum()
    slack = max(1.0, limit * k / max(total, 1)) ** (1 / math.ceil(math.log2(k)))
    left = k // 2
    limits = np.empty(2, np.int64)
    for s in range(2):
        half = left if s == 0 else k - left
        limits[s] = min(np.int64(math.ceil(slack * total * half / k)), half * limit)
    return bisected(level, total * left // k, limits, small, seed)


@kernel
def split(level, inside, part, first, k, limit, small, seed):
    """Write the parts first..first+k-1 of the vertices `inside`, those of `level`, into `part`.

    Recursive bisection; a cut net goes on in both sides, so that cuts add up to km1.
    """
    if k == 1:
        for v in inside:
            part[v] = first
        return
    sides = halved(level, k, limit, small, seed)
    left, within_left = side_of(level, sides, 0)
    right, within_right = side_of(level, sides, 1)
    split(left, inside[within_left], part, first, k // 2, limit, small, seed + 1)
    split(right, inside[within_right], part, first + k // 2, k - k // 2, limit, small, seed + 1)

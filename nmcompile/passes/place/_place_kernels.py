"""Local search over which core a node stands on, on flat arrays.

Common arguments of these kernels:
    start, other, weight  symmetric traffic (CSR) of the nodes; the last, `n`, is the fixed port
    cores        (rows, columns, k) int32, the usable cores of each tile, -1 where there are fewer
    x, y         (columns,), (rows,) float64, joules along each axis up to a column, a row
    table        (tiles, rows, 2 * reach + 1) float64 joules from a tile to those up to `reach`
                 columns before and behind it, where they are no sum over the axes; else (0, 0, 0)
    group, legal (n,) int32, (groups, cores) bool: the cores on which the nodes of a group may stand
    place        (n + 1, 2) int32, column and row of each node's tile, changed in place
    core, node   (n,) int32 core of each node, (cores,) int32 node on each core or -1; changed
"""

import numpy as np

from nmcompile.arithmetic.jit import kernel


@kernel
def apart(x, y, table, column, row, other_column, other_row):
    """Joules of a packet between two tiles."""
    away = other_column - column + table.shape[2] // 2
    if 0 <= away < table.shape[2]:
        return table[row * len(x) + column, other_row, away]
    return abs(x[column] - x[other_column]) + abs(y[row] - y[other_row])


@kernel
def wire(start, other, weight, x, y, table, place, a, column, row):
    """Joules in a step of all packets of node `a` if it stood on the tile in `column` and `row`."""
    total = 0.0
    if table.size == 0:  # a loop of its own: wander took 60 s with the other for 4
        for k in range(start[a], start[a + 1]):
            b = other[k]
            total += weight[k] * (abs(x[column] - x[place[b, 0]]) + abs(y[row] - y[place[b, 1]]))
        return total
    for k in range(start[a], start[a + 1]):
        b = other[k]
        total += weight[k] * apart(x, y, table, column, row, place[b, 0], place[b, 1])
    return total


@kernel
def energy_of(start, to, packets, x, y, table, place):
    """Joules in a step of all packets, from each node (CSR) to others."""
    total = 0.0
    for a in range(len(start) - 1):
        total += wire(start, to, packets, x, y, table, place, a, place[a, 0], place[a, 1])
    return total


@kernel
def between(start, other, weight, a, b):
    """Packets between two nodes in a step; `other` rises within a row."""
    low, high = start[a], start[a + 1]
    while low < high:
        middle = (low + high) // 2
        if other[middle] < b:
            low = middle + 1
        else:
            high = middle
    return weight[low] if low < start[a + 1] and other[low] == b else 0.0


@kernel
def along_axis(start, other, weight, coordinate, place, axis, a, pull):
    """Fill `pull` (extent,) with the joules of node `a` along one axis, wherever it stood there."""
    pull[:] = 0.0
    for k in range(start[a], start[a + 1]):
        pull[place[other[k], axis]] += weight[k]
    mass, moment = 0.0, 0.0
    for i in range(len(pull)):
        mass += pull[i]
        moment += pull[i] * (coordinate[i] - coordinate[0])
    left, before = 0.0, coordinate[0]
    for i in range(len(pull)):
        here = pull[i]
        moment += (2 * left - mass) * (coordinate[i] - before)
        before = coordinate[i]
        left += here
        pull[i] = moment


@kernel
def gain_of(start, other, weight, x, y, table, place, a, b, own, column, row):
    """Joules saved if `a` (which saves `own` by itself) swaps with `b` in `column` and `row`."""
    saved = wire(start, other, weight, x, y, table, place, b, column, row)
    saved -= wire(start, other, weight, x, y, table, place, b, place[a, 0], place[a, 1])
    shared = between(start, other, weight, a, b)
    return own + saved - 2 * shared * apart(x, y, table, place[a, 0], place[a, 1], column, row)


@kernel
def settle(core, node, place, a, b, site, column, row):
    """Put `a` on core `site`, and `b`, unless it is -1, where `a` was."""
    old = core[a]
    node[old] = b
    if b >= 0:
        core[b] = old
        place[b, 0], place[b, 1] = place[a, 0], place[a, 1]
    node[site] = a
    core[a] = site
    place[a, 0], place[a, 1] = column, row


@kernel
def descend(
    start, other, weight, cores, x, y, table, group, legal, place, core, node, radius, rounds
):
    """Move or swap nodes while that saves energy; the number of changes made.

    Each node, in turn, looks at the tiles within `radius` of the one where its own packets would
    cost least (the weighted median of its partners), and takes the best core there; of a tile with
    many cores it tries 16, others in each round.
    """
    n, columns, rows = len(core), len(x), len(y)
    along_x, along_y = np.zeros(columns), np.zeros(rows)
    changes = 0
    for turn in range(rounds):
        changed = 0
        for a in range(n):
            best, partner, site, to_column, to_row = 1e-9, -1, -1, -1, -1
            along_axis(start, other, weight, x, place, 0, a, along_x)
            along_axis(start, other, weight, y, place, 1, a, along_y)
            if table.size:
                now = wire(start, other, weight, x, y, table, place, a, place[a, 0], place[a, 1])
            else:
                now = along_x[place[a, 0]] + along_y[place[a, 1]]
            best *= now
            middle_x, middle_y = np.argmin(along_x), np.argmin(along_y)
            for row in range(max(0, middle_y - radius), min(rows, middle_y + radius + 1)):
                left, right = max(0, middle_x - radius), min(columns, middle_x + radius + 1)
                for column in range(left, right):
                    if table.size:
                        there = wire(start, other, weight, x, y, table, place, a, column, row)
                    else:
                        there = along_x[column] + along_y[row]
                    own = now - there
                    if own <= 0 or (column == place[a, 0] and row == place[a, 1]):
                        continue
                    for k in range(min(16, cores.shape[2])):
                        to = cores[row, column, (16 * turn + a + k) % cores.shape[2]]
                        if to < 0 or not legal[group[a], to]:
                            continue
                        b = node[to]
                        if b < 0:
                            gain = own
                        elif not legal[group[b], core[a]]:
                            continue
                        else:
                            gain = gain_of(start, other, weight, x, y, table, place, a, b, own,
                                           column, row)
                        if gain > best:
                            best, partner, site, to_column, to_row = gain, b, to, column, row
            if site >= 0:
                settle(core, node, place, a, partner, site, to_column, to_row)
                changed += 1
        changes += changed
        if changed == 0:
            break
    return changes


@kernel
def draw(state, limit):
    """A number below `limit`; `state` (1,) uint64 advances (Steele et al. 2014, SplitMix64)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return int(((z ^ (z >> np.uint64(31))) >> np.uint64(33)) % np.uint64(limit))


@kernel
def wander(start, other, weight, cores, x, y, table, group, legal, place, core, node, sizes, seed):
    """Threshold accepting (Dueck and Scheuer 1990): swaps that cost up to a falling limit.

    sizes  (stages, 3) float64: joules that a swap may cost, tiles that it may reach, and how often
           it is tried for each node
    """
    n, columns, rows = len(core), len(x), len(y)
    state = np.array([seed], np.uint64)
    for stage in range(len(sizes)):
        limit, reach = sizes[stage, 0], int(sizes[stage, 1])
        for _ in range(int(sizes[stage, 2]) * n):
            a = draw(state, n)
            low_x, low_y = max(0, place[a, 0] - reach), max(0, place[a, 1] - reach)
            high_x = min(columns, place[a, 0] + reach + 1)
            high_y = min(rows, place[a, 1] + reach + 1)
            column = low_x + draw(state, high_x - low_x)
            row = low_y + draw(state, high_y - low_y)
            to = cores[row, column, draw(state, cores.shape[2])]
            if to < 0 or (column == place[a, 0] and row == place[a, 1]):
                continue
            b = node[to]
            if not legal[group[a], to] or (b >= 0 and not legal[group[b], core[a]]):
                continue
            gain = wire(start, other, weight, x, y, table, place, a, place[a, 0], place[a, 1])
            gain -= wire(start, other, weight, x, y, table, place, a, column, row)
            if b >= 0:
                gain = gain_of(start, other, weight, x, y, table, place, a, b, gain, column, row)
            if gain > -limit:
                settle(core, node, place, a, b, to, column, row)

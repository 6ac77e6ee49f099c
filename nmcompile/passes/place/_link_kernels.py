"""Loads of the links between tiles under dimension-order routing, and how to lower the largest.

from_start, to, packets  directed traffic (CSR) of the nodes, the port last
cost     (rows * columns * 4,) float64 seconds that a link takes for a packet, in the order
tile * 4 + east, west, north, south
load     (rows * columns * 4,) float64 packets in a step, changed in place
"""

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.passes.place._place_kernels import gain_of, settle, wire


@kernel
def send(load, columns, packets, here, there):
    """Add `packets` to the links of the route from tile `here` (x, y) to `there`: x first."""
    column, row, to_column, to_row = here[0], here[1], there[0], there[1]
    while column != to_column:
        east = to_column > column
        load[(row * columns + column) * 4 + (0 if east else 1)] += packets
        column += 1 if east else -1
    while row != to_row:
        south = to_row > row
        load[(row * columns + column) * 4 + (3 if south else 2)] += packets
        row += 1 if south else -1


@kernel
def send_all(from_start, to, packets, place, columns, load):
    """Add the packets of all nodes."""
    for a in range(len(from_start) - 1):
        for k in range(from_start[a], from_start[a + 1]):
            b = to[k]
            send(load, columns, packets[k], place[a], place[b])


@kernel
def send_of(
    from_start, to, packets, back_start, back, received, place, columns, load, a, skip, sign
):
    """Add `sign` times what `a` sends and receives, without what it shares with `skip`."""
    for k in range(from_start[a], from_start[a + 1]):
        b = to[k]
        if b != skip:
            send(load, columns, sign * packets[k], place[a], place[b])
    for k in range(back_start[a], back_start[a + 1]):
        b = back[k]
        if a != b != skip:
            send(load, columns, sign * received[k], place[b], place[a])


@kernel
def busiest(load, cost):
    """The link that takes longest in a step."""
    worst = 0
    for link in range(len(load)):
        if load[link] * cost[link] > load[worst] * cost[worst]:
            worst = link
    return worst


@kernel
def crossing(from_start, to, packets, place, columns, link, flow):
    """Fill `flow` (n + 1,) with the packets over `link` that each node sends or receives."""
    tile, way = link // 4, link % 4
    row, column = tile // columns, tile % columns
    flow[:] = 0.0
    for a in range(len(from_start) - 1):
        for k in range(from_start[a], from_start[a + 1]):
            b = to[k]
            if way < 2:
                if place[a, 1] != row:
                    continue
                first, last = place[a, 0], place[b, 0]
                here, ahead = column, way == 0
            else:
                if place[b, 0] != column:
                    continue
                first, last = place[a, 1], place[b, 1]
                here, ahead = row, way == 3
            if (first <= here < last) if ahead else (last < here <= first):
                flow[a] += packets[k]
                flow[b] += packets[k]


@kernel
def relieve(
    start, other, weight, cores, x, y, table, group, legal, place, core, node,
    from_start, to, packets, back_start, back, received, cost, floor, power, radius, rounds, budget,
):
    """Lower energy + power * (time of the busiest link beyond `floor`) by moving nodes that use it.

    In each round the eight nodes with the most packets over the busiest link try all cores within
    `radius` tiles of their own; the best move or swap is made. Ends where none helps, or where
    about `budget` links were counted for packets.
    """
    columns, rows = len(x), len(y)
    load, flow, spent = np.zeros(len(cost)), np.zeros(len(core) + 1), np.zeros(1, np.int64)
    send_all(from_start, to, packets, place, columns, load)
    for _ in range(rounds):
        link = busiest(load, cost)
        now = load[link] * cost[link] - floor
        if now <= 0 or spent[0] > budget:
            break
        crossing(from_start, to, packets, place, columns, link, flow)
        best, chosen, partner, site, to_column, to_row = 1e-9 * power * now, -1, -1, -1, -1, -1
        for _ in range(8):
            a = np.argmax(flow[:-1])
            if flow[a] <= 0:
                break
            flow[a] = 0.0
            for row in range(max(0, place[a, 1] - radius), min(rows, place[a, 1] + radius + 1)):
                left, right = max(0, place[a, 0] - radius), min(columns, place[a, 0] + radius + 1)
                for column in range(left, right):
                    if column == place[a, 0] and row == place[a, 1]:
                        continue
                    own = wire(
                        start, other, weight, x, y, table, place, a, place[a, 0], place[a, 1])
                    own -= wire(start, other, weight, x, y, table, place, a, column, row)
                    for k in range(cores.shape[2]):
                        there = cores[row, column, k]
                        if there < 0 or not legal[group[a], there]:
                            continue
                        b = node[there]
                        if b >= 0 and not legal[group[b], core[a]]:
                            continue
                        gain = own
                        if b >= 0:
                            gain = gain_of(
                                start, other, weight, x, y, table, place, a, b, own, column, row)
                        if gain + power * now <= best or spent[0] > budget:
                            continue
                        after = time_after(
                            from_start, to, packets, back_start, back, received, place, columns,
                            load, core, node, a, b, there, column, row, cost, spent)
                        gain += power * (now - max(0.0, after - floor))
                        if gain > best:
                            best, chosen, partner, site = gain, a, b, there
                            to_column, to_row = column, row
        if chosen < 0:
            break
        swap(from_start, to, packets, back_start, back, received, place, columns, load,
             core, node, chosen, partner, site, to_column, to_row)


@kernel
def time_after(
    from_start, to, packets, back_start, back, received, place, columns, load,
    core, node, a, b, site, column, row, cost, spent,
):
    """Seconds of the busiest link if `a` stood on core `site` and `b`, if any, where `a` is.

    spent  (1,) int64, to which about as many links are added as packets are counted on
    """
    routes = from_start[a + 1] - from_start[a] + back_start[a + 1] - back_start[a]
    if b >= 0:
        routes += from_start[b + 1] - from_start[b] + back_start[b + 1] - back_start[b]
    spent[0] += 4 * routes * (columns + len(cost) // (4 * columns)) + len(cost)
    old, old_column, old_row = core[a], place[a, 0], place[a, 1]
    swap(from_start, to, packets, back_start, back, received, place, columns, load, core, node,
         a, b, site, column, row)
    link = busiest(load, cost)
    seconds = load[link] * cost[link]
    swap(from_start, to, packets, back_start, back, received, place, columns, load, core, node,
         a, b, old, old_column, old_row)
    return seconds


@kernel
def swap(
    from_start, to, packets, back_start, back, received, place, columns, load,
    core, node, a, b, site, column, row,
):
    """Settle `a` on core `site` and `b`, if any, where `a` was; keep the loads up to date."""
    send_of(from_start, to, packets, back_start, back, received, place, columns, load, a, -1, -1)
    if b >= 0:
        send_of(from_start, to, packets, back_start, back, received, place, columns, load, b, a, -1)
    settle(core, node, place, a, b, site, column, row)
    send_of(from_start, to, packets, back_start, back, received, place, columns, load, a, -1, 1)
    if b >= 0:
        send_of(from_start, to, packets, back_start, back, received, place, columns, load, b, a, 1)

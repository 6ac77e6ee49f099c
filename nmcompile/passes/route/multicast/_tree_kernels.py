"""Growth of multicast trees over flat arrays."""

import numpy as np

from nmcompile.arithmetic.jit import kernel


@kernel
def grown(array, n):
    """`array` with room for `n` more than it holds."""
    longer = np.empty(2 * len(array) + n, array.dtype)
    longer[: len(array)] = array
    return longer


@kernel
def same_targets(chip, start, target, cores, a, b):
    """Whether sources `a` and `b` stand on one chip and have the same targets."""
    n = start[a + 1] - start[a]
    if chip[a] != chip[b] or n != start[b + 1] - start[b]:
        return False
    for k in range(n):
        if target[start[a] + k] != target[start[b] + k]:
            return False
        if cores[start[a] + k] != cores[start[b] + k]:
            return False
    return True


@kernel
def nearest(neighbour, tree, size, wanted, link, search):
    """The wanted chip nearest to the first `size` chips of `tree`, or -1.

    `search` keeps for each chip seen: the search's number, the chip before it and the link from
    there; its last column is the queue. A packet that goes straight on is preferred to a turn.
    """
    number = search[-1, 0] + 1
    search[-1, 0] = number
    for k in range(size):
        search[k, 3] = tree[k]
        search[tree[k], 0] = number
        search[tree[k], 2] = link[tree[k]]
    head, tail = 0, size
    while head < tail:
        here = search[head, 3]
        head += 1
        straight = search[here, 2]
        for turn in range(6):
            way = (straight + turn) % 6
            there = neighbour[here, way]
            if there < 0 or search[there, 0] == number:
                continue
            search[there, 0], search[there, 1], search[there, 2] = number, here, way
            if wanted[there]:
                return there
            search[tail, 3] = there
            tail += 1
    return -1


@kernel
def join(found, search, link, route, tree, size):
    """Add the path that `search` found to the tree; its new size."""
    while link[found] < 0:
        link[found] = search[found, 2]
        route[search[found, 1]] |= np.uint32(1) << np.uint32(link[found])
        tree[size] = found
        size += 1
        found = search[found, 1]
    return size


@kernel
def grow_one(neighbour, root, target, cores, state):
    """Grow one tree in `state` from chip `root`; its size, and a target without a way or -1.

    state  work space, empty between calls: link into each chip and route of it, whether it is
           wanted, the tree's chips, and that of `nearest`
    """
    link, route, wanted, tree, search = state
    missing = 0
    for k in range(len(target)):
        route[target[k]] |= cores[k] << np.uint32(6)
        if target[k] != root:
            wanted[target[k]] = True
            missing += 1
    if len(target) == 0:
        return 0, -1
    tree[0], size = root, 1
    link[root] = 6
    for _ in range(missing):
        found = nearest(neighbour, tree, size, wanted, link, search)
        if found < 0:
            for k in range(len(target)):
                if wanted[target[k]]:
                    return size, k
        wanted[found] = False
        size = join(found, search, link, route, tree, size)
    return size, -1


@kernel
def grow(neighbour, chip, start, target, cores):
    """Trees of all sources: starts, and chip, link travelled and route of each node.

    The last result is the index of a target that cannot be reached, or -1.
    """
    n_chips, n = len(neighbour), len(chip)
    tree_start = np.zeros(n + 1, np.int64)
    node_chip, node_link = np.empty(n_chips, np.int32), np.empty(n_chips, np.int8)
    node_route = np.empty(n_chips, np.uint32)
    link, route = np.full(n_chips, -1, np.int8), np.zeros(n_chips, np.uint32)
    tree = np.empty(n_chips, np.int32)
    state = (link, route, np.zeros(n_chips, np.bool_), tree, np.zeros((n_chips + 1, 4), np.int32))
    for s in range(n):
        at = tree_start[s]
        if at + n_chips > len(node_chip):
            node_chip, node_link = grown(node_chip, n_chips), grown(node_link, n_chips)
            node_route = grown(node_route, n_chips)
        if s > 0 and same_targets(chip, start, target, cores, s - 1, s):
            size = at - tree_start[s - 1]
            for k in range(at, at + size):
                node_chip[k], node_link[k] = node_chip[k - size], node_link[k - size]
                node_route[k] = node_route[k - size]
        else:
            low, high = start[s], start[s + 1]
            size, lost = grow_one(neighbour, chip[s], target[low:high], cores[low:high], state)
            if lost >= 0:
                return tree_start, node_chip, node_link, node_route, low + lost
            for k in range(size):
                node_chip[at + k], node_link[at + k] = tree[k], link[tree[k]]
                node_route[at + k] = route[tree[k]]
                link[tree[k]], route[tree[k]] = -1, 0
        tree_start[s + 1] = at + size
    end = tree_start[n]
    return tree_start, node_chip[:end], node_link[:end], node_route[:end], -1

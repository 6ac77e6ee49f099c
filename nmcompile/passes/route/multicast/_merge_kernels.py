"""Merges of routing entries that only the order of a table permits."""

import numpy as np

from nmcompile.arithmetic.jit import kernel


@kernel
def owner(low, same, key, mask, size, first):
    """The first entry from `first` on that matches all keys of a block, else `size`."""
    for e in range(first, size):
        if not (low ^ key[e]) & mask[e] and not mask[e] & ~same:
            return e
    return size


@kernel
def may_fall(low, same, needs, table, early, late):
    """Whether no entry between `early` and `late` routes keys of a block in another way."""
    key, mask, route = table
    for e in range(early + 1, late):
        if route[e] != needs and not (low ^ key[e]) & same & mask[e]:
            return False
    return True


@kernel
def fits(table, owners, blocks, pair, wide):
    """Where entries early, late of `pair` may merge to `wide`: at 2 late, 1 early, 0 nowhere.

    At the late place the merged entry takes keys of entries behind it, and those of the early one
    fall to the entries between; at the early place it takes keys of all that is behind.
    """
    key, mask, route = table
    lows, sames, needs = blocks
    early, late = pair
    wide_key, wide_mask = wide
    mine, early_key, early_mask = route[early], key[early], mask[early]
    at_early = at_late = True
    for b in range(len(lows)):
        low, same = lows[b], sames[b]
        if owners[b] < early or (low ^ wide_key) & same & wide_mask:
            continue
        if needs[b] != mine:
            if owners[b] > late:
                return 0
            at_early = False
        elif at_late and not (low ^ early_key) & same & early_mask:
            at_late = may_fall(low, same, mine, table, early, late)
        if not at_early and not at_late:
            return 0
    return 2 if at_late else 1


@kernel
def replace(table, size, owners, blocks, kept, lost, wide):
    """Make entry `kept` `wide`, remove `lost` from a table of `size`, and find owners again."""
    key, mask, route = table
    lows, sames, _ = blocks
    key[kept], mask[kept] = wide
    for e in range(lost, size - 1):
        key[e], mask[e], route[e] = key[e + 1], mask[e + 1], route[e + 1]
    first = min(kept, lost)
    for b in range(len(lows)):
        if owners[b] < first:
            continue
        if not (lows[b] ^ wide[0]) & sames[b] & wide[1]:
            owners[b] = owner(lows[b], sames[b], key, mask, size - 1, first)
        elif owners[b] > lost:
            owners[b] -= 1


@kernel
def merge_entries(table, size, blocks):
    """Merge pairs of entries of one route in place while every block keeps its way; the new size.

    table   key, mask and route, of which the first `size` count
    blocks  key, mask and route of what arrives
    The wider entry stands where one of the two stood, the later place first.
    """
    key, mask, route = table
    lows, sames, _ = blocks
    owners = np.empty(len(lows), np.int64)
    for b in range(len(lows)):
        owners[b] = owner(lows[b], sames[b], key, mask, size, 0)
    late = size - 1
    while late > 0:
        early = late - 1
        while early >= 0:
            if route[early] == route[late]:
                wide_mask = mask[early] & mask[late] & ~(key[early] ^ key[late])
                wide = (key[early] & wide_mask, wide_mask)
                place = fits(table, owners, blocks, (early, late), wide)
                if place:
                    kept, lost = (late, early) if place == 2 else (early, late)
                    replace(table, size, owners, blocks, kept, lost, wide)
                    size -= 1
                    if lost == late:
                        break
                    late -= 1
            early -= 1
        late -= 1
    return size

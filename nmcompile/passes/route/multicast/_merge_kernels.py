"""Merges of routing entries that only the order of a table permits."""

from nmcompile.arithmetic.jit import kernel


@kernel
def routed_alike(key, mask, route, size, blocks, lost, kept, new_key, new_mask):
    """Whether all blocks go where they must with entry `lost` gone and `kept` made wider.

    key, mask, route  the first `size` are the table
    blocks            key, mask, route and whether it may go straight on, in rows of uint32
    """
    for b in range(len(blocks)):
        low, same = blocks[b, 0], blocks[b, 1]
        if (low ^ new_key) & same & new_mask:
            continue
        whole = False
        for e in range(size):
            if e == lost:
                continue
            at, care = (new_key, new_mask) if e == kept else (key[e], mask[e])
            if (low ^ at) & same & care:
                continue
            if route[e] != blocks[b, 2]:
                return False
            if not care & ~same:
                whole = True
                break
        if not whole and not blocks[b, 3]:
            return False
    return True


@kernel
def merge_entries(key, mask, route, size, blocks):
    """Merge pairs of entries of one route in place while every block keeps its way; the new size.

    The wider entry stands where one of the two stood, the later place first.
    """
    merged = True
    while merged:
        merged = False
        late = size - 1
        while late > 0:
            early = late - 1
            while early >= 0:
                if route[early] == route[late]:
                    wide = mask[early] & mask[late] & ~(key[early] ^ key[late])
                    at = key[early] & wide
                    lost, kept = early, late
                    fits = routed_alike(key, mask, route, size, blocks, lost, kept, at, wide)
                    if not fits:
                        lost, kept = late, early
                        fits = routed_alike(key, mask, route, size, blocks, lost, kept, at, wide)
                    if fits:
                        merged = True
                        key[kept], mask[kept] = at, wide
                        for e in range(lost, size - 1):
                            key[e], mask[e], route[e] = key[e + 1], mask[e + 1], route[e + 1]
                        size -= 1
                        if lost == late:
                            break
                        late -= 1
                early -= 1
            late -= 1
    return size

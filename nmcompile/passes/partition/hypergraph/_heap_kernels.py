"""A heap of vertices by key, the largest first; ties by the smaller vertex."""

from nmcompile.arithmetic.jit import kernel


@kernel
def _before(a, b, key):
    return key[a] > key[b] or (key[a] == key[b] and a < b)


@kernel
def _rise(i, heap, place, key):
    v = heap[i]
    while i > 0:
        parent = (i - 1) >> 1
        if not _before(v, heap[parent], key):
            break
        heap[i] = heap[parent]
        place[heap[i]] = i
        i = parent
    heap[i] = v
    place[v] = i


@kernel
def _sink(i, size, heap, place, key):
    v = heap[i]
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and _before(heap[child + 1], heap[child], key):
            child += 1
        if not _before(heap[child], v, key):
            break
        heap[i] = heap[child]
        place[heap[i]] = i
        i = child
    heap[i] = v
    place[v] = i


@kernel
def push(v, value, size, heap, place, key):
    """Enter `v` with `value`, or change its key; the new size."""
    if place[v] < 0:
        key[v] = value
        heap[size] = v
        place[v] = size
        _rise(size, heap, place, key)
        return size + 1
    old = key[v]
    key[v] = value
    if value > old:
        _rise(place[v], heap, place, key)
    elif value < old:
        _sink(place[v], size, heap, place, key)
    return size


@kernel
def pop(size, heap, place, key):
    """Take the first vertex out; the new size. It is heap[0] before the call."""
    place[heap[0]] = -1
    size -= 1
    if size > 0:
        heap[0] = heap[size]
        _sink(0, size, heap, place, key)
    return size

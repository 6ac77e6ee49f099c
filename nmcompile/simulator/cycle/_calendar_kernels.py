"""What happens next: a ring of buckets of time, each a list in the order of time.

An event is where its key stands in a table, and the next of its bucket stands behind the key. It is
in the calendar once at most. The ring is one array of int64:

    ring[:DAYS]           first event of each bucket, -1 for none
    ring[DAYS:DAYS + ..]  a bit for each bucket that holds one, 64 to a word
    ring[DAY], ring[WAITING]  the bucket (not modulo DAYS) of the last event taken; how many wait

A bucket, of keys that are alike but for their low `shift` bits, may hold events of later rounds of
the ring, behind those of this one.
"""

import numpy as np

from nmcompile.arithmetic._bit_kernels import lowest_bit
from nmcompile.arithmetic.jit import bare_kernel

DAYS = 1024
WORDS = DAYS // 64
DAY, WAITING = DAYS + WORDS, DAYS + WORDS + 1
RING = DAYS + WORDS + 2
NONE = -1


@bare_kernel
def clear(ring):
    """An empty calendar at time 0."""
    ring[:DAYS] = NONE
    ring[DAYS:] = 0


@bare_kernel
def put(ring, table, event, key, shift):
    """Have `event` happen at `key`, not before the last one taken."""
    table[event] = key
    bucket = (key >> shift) & (DAYS - 1)
    at = ring[bucket]
    ring[WAITING] += 1
    if at < 0:
        ring[DAYS + (bucket >> 6)] |= np.int64(1) << (bucket & 63)
    if at < 0 or key < table[at]:
        table[event + 1] = at
        ring[bucket] = event
        return
    after = table[at + 1]
    while after >= 0 and table[after] <= key:
        at, after = after, table[after + 1]
    table[event + 1] = after
    table[at + 1] = event


@bare_kernel
def take(ring, table, shift):
    """Remove the next event, of which there must be one."""
    day, seen = ring[DAY], 0
    while True:
        bucket = day & (DAYS - 1)
        word = np.uint64(ring[DAYS + (bucket >> 6)]) >> np.uint64(bucket & 63)
        if word == np.uint64(0):
            ahead = 64 - (bucket & 63)
        else:
            ahead = lowest_bit(word)
            bucket += ahead
            if table[ring[bucket]] >> shift == day + ahead:
                break
            ahead += 1
        day += ahead
        seen += ahead
        if seen > DAYS + 64:
            day, seen = _first_day(ring, table, shift), 0
    event = ring[bucket]
    ring[DAY] = day + ahead
    after = table[event + 1]
    ring[bucket] = after
    if after < 0:
        ring[DAYS + (bucket >> 6)] &= ~(np.int64(1) << (bucket & 63))
    ring[WAITING] -= 1
    return event


@bare_kernel
def _first_day(ring, table, shift):
    """The bucket, not modulo DAYS, of the earliest event."""
    first = np.int64(2**62)
    for bucket in range(DAYS):
        if ring[bucket] >= 0:
            first = min(first, table[ring[bucket]])
    return first >> shift


@bare_kernel
def alone(ring, table, key):
    """Whether no event waits below `key`, which lies in the bucket last taken from."""
    event = ring[ring[DAY] & (DAYS - 1)]
    return event < 0 or table[event] >= key

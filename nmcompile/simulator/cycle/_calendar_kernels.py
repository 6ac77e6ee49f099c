"""What happens next: a ring of buckets of time, each a list in the order of time.

An event is a row of EVENT; it is in the calendar once at most. The ring is one array of int64:

    ring[:DAYS]           first event of each bucket, -1 for none
    ring[DAYS:DAYS + ..]  a bit for each bucket that holds one, 64 to a word
    ring[DAY], ring[WAITING], ring[BUCKET]  the bucket (not modulo DAYS) of the last event taken,
                          how many wait, and how many low bits of a key lie in one bucket

A bucket may hold events of later rounds of the ring, behind those of this one.
"""

import numpy as np

from nmcompile.arithmetic.jit import bare_kernel
from nmcompile.simulator.cycle._fields import FOLLOWING, KEY

DAYS = 1024
WORDS = DAYS // 64
DAY, WAITING, BUCKET = DAYS + WORDS, DAYS + WORDS + 1, DAYS + WORDS + 2
RING = DAYS + WORDS + 3
NONE = -1

# Number of the lowest bit of a word: Leiserson, Prokop and Randall 1998, "Using de Bruijn sequences
# to index a 1 in a computer word".
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
LOWEST = np.zeros(64, np.int64)
LOWEST[[((int(DE_BRUIJN) << bit) % 2**64) >> 58 for bit in range(64)]] = np.arange(64)


@bare_kernel
def lowest_bit(word):
    """Number of the lowest bit of `word`, a uint64 that is not 0."""
    alone = word & (~word + np.uint64(1))
    return LOWEST[np.int64((alone * DE_BRUIJN) >> np.uint64(58))]


@bare_kernel
def clear(ring, shift):
    """An empty calendar at time 0."""
    ring[:DAYS] = NONE
    ring[DAYS:] = 0
    ring[BUCKET] = shift


@bare_kernel
def put(ring, event, number, when):
    """Have event `number` happen at `when`, not before the last one taken."""
    event[number, KEY] = when
    bucket = (when >> ring[BUCKET]) & (DAYS - 1)
    at = ring[bucket]
    if at < 0:
        ring[DAYS + (bucket >> 6)] |= np.int64(1) << (bucket & 63)
    if at < 0 or when < event[at, KEY]:
        event[number, FOLLOWING] = at
        ring[bucket] = number
    else:
        after = event[at, FOLLOWING]
        while after >= 0 and event[after, KEY] <= when:
            at, after = after, event[after, FOLLOWING]
        event[number, FOLLOWING] = after
        event[at, FOLLOWING] = number
    ring[WAITING] += 1


@bare_kernel
def take(ring, event):
    """Remove the next event, of which there must be one; its number."""
    day, shift, seen = ring[DAY], ring[BUCKET], 0
    while True:
        bucket = day & (DAYS - 1)
        word = np.uint64(ring[DAYS + (bucket >> 6)]) >> np.uint64(bucket & 63)
        if word == np.uint64(0):
            ahead = 64 - (bucket & 63)
        else:
            ahead = lowest_bit(word)
            bucket += ahead
            if event[ring[bucket], KEY] >> shift == day + ahead:
                break
            ahead += 1
        day += ahead
        seen += ahead
        if seen > DAYS + 64:
            day, seen = _first_day(ring, event), 0
    number = ring[bucket]
    ring[DAY] = day + ahead
    after = event[number, FOLLOWING]
    ring[bucket] = after
    if after < 0:
        ring[DAYS + (bucket >> 6)] &= ~(np.int64(1) << (bucket & 63))
    ring[WAITING] -= 1
    return number


@bare_kernel
def _first_day(ring, event):
    """The bucket, not modulo DAYS, of the earliest event."""
    first = np.int64(2**62)
    for bucket in range(DAYS):
        if ring[bucket] >= 0:
            first = min(first, event[ring[bucket], KEY])
    return first >> ring[BUCKET]


@bare_kernel
def alone(ring, event, key):
    """Whether no event waits below `key`, which lies in the bucket last taken from."""
    number = ring[ring[DAY] & (DAYS - 1)]
    return number < 0 or event[number, KEY] >= key

"""Lists of spikes, frame by frame, out of arrays with a place for every neuron."""

import numpy as np

from nmcompile.arithmetic._bit_kernels import lowest_bit
from nmcompile.arithmetic.jit import bare_kernel

WORD = 64  # places whose marks are gathered in one word
GATHER = 0x0102040810204080  # times eight bytes of 0 or 1: their bits, side by side in the top byte


@bare_kernel
def turn(values, begin, out):
    """Put steps of `values` (samples, steps, n) from `begin` on into `out` (steps, samples, n)."""
    for sample in range(values.shape[0]):
        for step in range(out.shape[0]):
            row, to = values[sample, begin + step], out[step, sample]
            for i in range(np.uint64(len(row))):
                to[i] = row[i]


@bare_kernel
def count_by_sender(start, sender, ends, counts):
    """Add to counts[k] the spikes whose sender is below ends[k] and not below ends[k - 1].

    Senders rise in a frame: where those of k end is found by halving.
    """
    for frame in range(len(start) - 1):
        begin, last = start[frame], start[frame + 1]
        for k in range(len(ends)):
            low, high = begin, last
            while low < high:
                middle = (low + high) >> 1
                if sender[middle] < ends[k]:
                    low = middle + 1
                else:
                    high = middle
            counts[k] += low - begin
            begin = low


@bare_kernel
def listed(row, marks, words, at, source, payload):
    """List the spikes of `row` from `at` on; where they end. See `fill`."""
    to, eight = np.uint64(at), np.uint64(8)
    for i in range(np.uint64(len(row))):
        marks[i] = row[i] != 0
    for word in range(np.uint64(len(words) // 8)):
        bits = np.uint64(0)
        for byte in range(eight):
            each = words[word * eight + byte] * np.uint64(GATHER) >> np.uint64(56)
            bits |= each << byte * eight
        first = word * np.uint64(WORD)
        while bits:
            place = first + np.uint64(lowest_bit(bits))
            source[to], payload[to] = place, row[place]
            to += np.uint64(1)
            bits &= bits - np.uint64(1)
    return np.int64(to)


@bare_kernel
def fill(rows, marks, words, start, source, payload):
    """List the spikes of frames.

    rows     (frames, n) integers of any width
    marks    (n rounded up to WORD,) uint8 of zeros, to work in; `words` are the same as uint64
    start    (frames + 1,) becomes where the list of each frame begins; start[0] is given
    source, payload  int32, with room for a spike of every place
    """
    for frame in range(len(rows)):
        start[frame + 1] = listed(rows[frame], marks, words, start[frame], source, payload)


@bare_kernel
def add_lengths(start, samples, first, all_samples, ends):
    """Add the spikes of each frame of a lane to `ends` (frames + 1,) of all lanes, one behind it.

    samples, first  how many samples the lane has, and the number of its first one
    """
    for frame in range(len(start) - 1):
        whole = frame // samples * all_samples + first + frame % samples
        ends[whole + 1] += start[frame + 1] - start[frame]


@bare_kernel
def gather(start, source, payload, samples, first, all_samples, offset, at, sender, sent):
    """Put the spikes of each frame of a lane behind those that its frame has already.

    offset  number of the node's first line or neuron
    at      (frames,) where the next spike of each frame of all lanes goes; moved on
    """
    for frame in range(len(start) - 1):
        whole = frame // samples * all_samples + first + frame % samples
        place = np.uint64(at[whole])
        begin, n = np.uint64(start[frame]), np.uint64(start[frame + 1] - start[frame])
        for k in range(n):
            sender[place + k] = source[begin + k] + np.int32(offset)
            sent[place + k] = payload[begin + k]
        at[whole] += n

"""Lists of spikes, frame by frame, out of arrays with a place for every neuron."""

import numpy as np

from nmcompile.arithmetic.jit import kernel

BLOCK = 16  # places that are looked at together


@kernel
def any_of(row, first):
    """Whether one of a block's places of `row` is not zero."""
    bits = row[first]
    for i in range(first, first + np.uint64(BLOCK)):
        bits |= row[i]
    return bits != 0


@kernel
def listed(row, at, source, payload):
    """List the spikes of `row` from `at` on; where they end. One place more may be written."""
    to, block = np.uint64(at), np.uint64(BLOCK)
    n = np.uint64(len(row))
    for first in range(np.uint64(0), n, block):
        end = first + block
        if end > n or any_of(row, first):
            for i in range(first, min(end, n)):
                source[to] = i
                payload[to] = row[i]
                to += np.uint64(row[i] != 0)
    return np.int64(to)


@kernel
def fill(values, begin, by_sample, start, source, payload):
    """List the spikes of frames: step by step, within a step sample by sample.

    values   (steps, samples, n), or (samples, steps, n) if `by_sample`
    begin    first step of `values` that is listed
    start    (frames + 1,) becomes where the list of each frame begins; start[0] is given
    source, payload  int32, with room for a spike of every place and one more
    """
    samples = values.shape[0] if by_sample else values.shape[1]
    for frame in range(len(start) - 1):
        step, sample = begin + frame // samples, frame % samples
        row = values[sample, step] if by_sample else values[step, sample]
        start[frame + 1] = listed(row, start[frame], source, payload)


@kernel
def add_lengths(start, samples, first, all_samples, ends):
    """Add the spikes of each frame of a lane to `ends` (frames + 1,) of all lanes, one behind it.

    samples, first  how many samples the lane has, and the number of its first one
    """
    for frame in range(len(start) - 1):
        whole = frame // samples * all_samples + first + frame % samples
        ends[whole + 1] += start[frame + 1] - start[frame]


@kernel
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

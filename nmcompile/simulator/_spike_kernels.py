"""Lists of spikes, frame by frame, out of arrays with a place for every neuron."""

import numpy as np

from nmcompile.arithmetic.jit import kernel

BLOCK = 16  # places that are looked at together


@kernel
def any_of(row):
    """Whether a place of `row` is not zero."""
    bits = row[0]
    for i in range(1, BLOCK):
        bits |= row[i]
    return bits != 0


@kernel
def listed(row, at, source, payload):
    """List the spikes of `row` from `at` on; where they end. One place more may be written."""
    n = len(row)
    whole = n // BLOCK * BLOCK
    for first in range(0, whole, BLOCK):
        if any_of(row[first : first + BLOCK]):
            for i in range(first, first + BLOCK):
                source[at] = i
                payload[at] = row[i]
                at += row[i] != 0
    for i in range(whole, n):
        source[at] = i
        payload[at] = row[i]
        at += row[i] != 0
    return at


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
        place = at[whole]
        for k in range(start[frame], start[frame + 1]):
            sender[place] = source[k] + np.int32(offset)
            sent[place] = payload[k]
            place += 1
        at[whole] = place

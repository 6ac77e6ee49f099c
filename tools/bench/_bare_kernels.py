"""What a loop reaches that does nothing but the additions of a layer: the limits of engine.py."""

import numpy as np

from nmcompile.arithmetic.jit import kernel


@kernel
def add_row(out, at, weight, row, n):
    """Add n weights of a row; indices without a sign, as numba then does not look at it."""
    i, j = np.uint64(at), np.uint64(row)
    for k in range(np.uint64(n)):
        out[i + k] += weight[j, k]


@kernel
def dense(start, source, weight, out):
    """Add the row weight[i] to out[f] for each source i of frame f."""
    for frame in range(len(start) - 1):
        for k in range(start[frame], start[frame + 1]):
            add_row(out[frame], 0, weight, source[k], weight.shape[1])


@kernel
def sparse(start, source, rows, target, weight, out):
    """Add the synapses rows[i] to rows[i + 1] to out[f] for each source i of frame f."""
    for frame in range(len(start) - 1):
        row = out[frame]
        for k in range(start[frame], start[frame + 1]):
            begin, end = np.uint64(rows[source[k]]), np.uint64(rows[source[k] + 1])
            for synapse in range(begin, end):
                row[np.uint64(target[synapse])] += weight[synapse]


@kernel
def conv(start, channel, y, x, weight, stride, padding, out):
    """Add the taps of each source of frame f to out[f], (rows, columns, channels).

    channel, y, x  of each source
    weight         (c_in, kernel height, kernel width, c_out)
    """
    _, height, width, c_out = out.shape
    _, rows, columns, _ = weight.shape
    taps = weight.reshape(-1, c_out)
    for frame in range(len(start) - 1):
        for k in range(start[frame], start[frame + 1]):
            for ky in range(rows):
                above = y[k] + padding - ky
                for kx in range(columns):
                    left = x[k] + padding - kx
                    if above % stride == 0 and left % stride == 0:
                        row, column = above // stride, left // stride
                        if 0 <= row < height and 0 <= column < width:
                            add_row(out[frame].reshape(-1), (row * width + column) * c_out, taps,
                                    (channel[k] * rows + ky) * columns + kx, c_out)


@kernel
def update(v, q, spikes, factor, threshold):
    """Leaky integrate and fire with one factor and one threshold; q, spikes (frames, n)."""
    for frame in range(len(q)):
        update_row(v, q[frame], spikes[frame], factor, threshold)


@kernel
def update_row(v, q, spikes, factor, threshold):
    """One step of `update`."""
    for i in range(len(v)):
        volt = np.int32(np.int32(v[i] * factor) >> 12) + q[i]
        fired = volt > threshold
        v[i] = 0 if fired else volt
        spikes[i] = fired

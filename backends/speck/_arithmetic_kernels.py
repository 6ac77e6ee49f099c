"""Events through Speck's cores over flat arrays; `arithmetic.run_readable` is the definition.

A row of `table` holds a core's registers: 0 features, 1 channels, 2 kernel, 3-4 output height and
width, 5-6 stride, 7-8 padding, 9 threshold_high, 10 threshold_low, 11 return_to_zero, 12 decimation
(0: none), 13 leak_enable, 14-16 where its weights, states and leaks begin, 17-20 and 21-24 its
destinations (core, address shift, height, width; core -1: none).
"""

import numpy as np
from numba import prange

from nmcompile.arithmetic.jit import kernel, parallel_kernel


@kernel
def grown(rows, used):
    """`rows` with room for at least two more behind the first `used`."""
    if used + 2 <= len(rows):
        return rows
    larger = np.empty((2 * len(rows) + 2, rows.shape[1]), np.int64)
    larger[:used] = rows[:used]
    return larger


@kernel
def fires(states, at, value, fire, registers, saturated, core):
    """One addition, comparison and reset of the state at `at`."""
    v = np.int64(states[at]) + value
    if v > 32767:
        saturated[core] += 1
        v = np.int64(32767)
    spike = fire and v >= registers[9]
    if spike:
        v = np.int64(0) if registers[11] else v - registers[9]
    states[at] = max(v, registers[10])
    return spike


@kernel
def sent(ways, first, channel, y, x, work, end):
    """Put an event toward its destinations behind the first `end` rows of `work`; the new end.

    The destinations stand in reverse order where `first` is 1, for a stack.
    """
    for k in range(len(ways)):
        core, shift, height, width = ways[len(ways) - 1 - k] if first else ways[k]
        if core < 0 or y >> shift >= height or x >> shift >= width:
            continue
        work[end, 0] = core
        work[end, 1] = channel
        work[end, 2] = y >> shift
        work[end, 3] = x >> shift
        work[end, 4] = 0
        end += 1
    return end


@kernel
def passes(registers, fired, core):
    """Whether the decimator passes this spike on."""
    fired[core] += 1
    return registers[12] == 0 or fired[core] % registers[12] == 0


@kernel
def handle(inputs, entries, table, weights, leaks, states, additions, saturated, options):
    """Handle all inputs; the events (n, 5): cause, core, feature, y, x."""
    breadth, by_position, leak_fires = options
    events, n = np.empty((64, 5), np.int64), 0
    work = np.empty((64, 5), np.int64)
    fired = np.zeros(len(table), np.int64)
    stack = 0 if breadth else 1
    for cause in range(len(inputs)):
        if inputs[cause, 0] >= 0:
            end = sent(entries, stack, inputs[cause, 0], inputs[cause, 1], inputs[cause, 2],
                       work, 0)
            events, n, work = drained(work, 0, end, cause, table, weights, states, additions,
                                      saturated, fired, breadth, by_position, events, n)
            continue
        end = 0
        for core in range(len(table)):
            registers = table[core]
            if registers[13] == 0:
                continue
            plane = registers[3] * registers[4]
            for i in range(registers[0] * plane):
                leak = np.int64(leaks[registers[16] + i // plane])
                if not fires(states, registers[15] + i, leak, leak_fires, registers, saturated,
                             core) or not passes(registers, fired, core):
                    continue
                feature, y, x = i // plane, i // registers[4] % registers[3], i % registers[4]
                events = grown(events, n)
                events[n] = np.array([cause, core, feature, y, x])
                n += 1
                work = grown(work, end)
                end = sent(registers[17:].reshape(2, 4), stack, feature, y, x, work, end)
                if not breadth:
                    events, n, work = drained(
                        work, 0, end, cause, table, weights, states, additions, saturated, fired,
                        breadth, by_position, events, n)
                    end = 0
        events, n, work = drained(work, 0, end, cause, table, weights, states, additions,
                                  saturated, fired, breadth, by_position, events, n)
    return events[:n].copy()


@kernel
def drained(
    work, begin, end, cause, table, weights, states, additions, saturated, fired, breadth,
    by_position, events, n
):
    """Handle the events that wait in rows begin..end of `work` and all that come of them.

    A row holds core, channel, y, x and the next tap. As a queue the first row is worked on, as a
    stack the last one, which new rows then cover.
    """
    while begin < end:
        row = begin if breadth else end - 1
        core, channel, y, x, tap = work[row]
        registers = table[core]
        features, size, height, width = registers[0], registers[2], registers[3], registers[4]
        taps = features * size * size
        while tap < taps:
            if by_position:
                feature, ky, kx = tap % features, tap // features // size, tap // features % size
            else:
                feature, ky, kx = tap // (size * size), tap // size % size, tap % size
            tap += 1
            row_y, row_x = y + registers[7] - ky, x + registers[8] - kx
            out_y, out_x = row_y // registers[5], row_x // registers[6]
            if (row_y < 0 or row_x < 0 or out_y >= height or out_x >= width
                    or row_y % registers[5] != 0 or row_x % registers[6] != 0):
                continue
            additions[core] += 1
            weight = np.int64(weights[registers[14] + (
                (feature * registers[1] + channel) * size + ky) * size + kx])
            at = registers[15] + (feature * height + out_y) * width + out_x
            if not fires(states, at, weight, True, registers, saturated, core) or not passes(
                    registers, fired, core):
                continue
            events = grown(events, n)
            events[n, 0] = cause
            events[n, 1] = core
            events[n, 2] = feature
            events[n, 3] = out_y
            events[n, 4] = out_x
            n += 1
            work = grown(work, end)
            work[row, 4] = tap
            before = end
            end = sent(registers[17:].reshape(2, 4), not breadth, feature, out_y, out_x, work, end)
            if not breadth and end > before:
                break
        else:
            if breadth:
                begin += 1
            else:
                end -= 1
    return events, n, work


@parallel_kernel
def advance(v, q, spikes, threshold, v_min, subtracts):
    """Advance all samples by one step in place; `SpeckNeuron.step` is its readable definition."""
    for sample in prange(v.shape[0]):
        for i in range(v.shape[1]):
            value = np.int64(v[sample, i]) + q[sample, i]
            n = value // threshold if value > 0 else 0
            if subtracts:
                value -= n * threshold
            elif n > 0:
                value = 0
            v[sample, i] = max(value, v_min)
            spikes[sample, i] = n

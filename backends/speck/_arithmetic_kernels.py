"""Events through Speck's cores over flat arrays; `arithmetic.run_readable` is the definition.

A row of `table` holds a core's registers: 0 features, 1 channels, 2 kernel, 3-4 output height and
width, 5-6 bits of the stride, 7-8 padding, 9 threshold_high, 10 threshold_low, 11 return_to_zero,
12 decimation (0: none), 13 leak_enable, 14-16 where its weights, states and leaks begin, 17-20 and
21-24 its destinations (core, address shift, height, width; core -1: none).
"""

import numpy as np

from nmcompile.arithmetic.jit import kernel


@kernel
def grown(rows, used):
    """`rows` with room for at least two more behind the first `used`."""
    if used + 2 <= len(rows):
        return rows
    larger = np.empty((2 * len(rows) + 2, rows.shape[1]), np.int64)
    larger[:used] = rows[:used]
    return larger


@kernel
def added(v, value, fire, high, low, clears):
    """The state after one addition, whether it fired, whether it met the end of 16 bits."""
    v += value
    saturated = v > 32767
    if saturated:
        v = np.int64(32767)
    spike = fire and v >= high
    if spike:
        v = np.int64(0) if clears else v - high
    return max(v, low), spike, saturated


@kernel
def sent(table, core, reverse, channel, y, x, work, end):
    """Put an event toward the destinations of `core` behind the first `end` rows; the new end.

    In reverse they stand as on a stack. Row -1 of `table` stands for the input.
    """
    for k in range(2):
        at = 17 + 4 * (1 - k if reverse else k)
        shift = table[core, at + 1]
        if table[core, at] < 0 or y >> shift >= table[core, at + 2] or (
                x >> shift >= table[core, at + 3]):
            continue
        work[end, 0] = table[core, at]
        work[end, 1] = channel
        work[end, 2] = y >> shift
        work[end, 3] = x >> shift
        work[end, 4] = 0
        end += 1
    return end


@kernel
def passes(decimation, fired, core):
    """Whether the decimator passes this spike on."""
    fired[core] += 1
    return decimation == 0 or fired[core] % decimation == 0


@kernel
def recorded(events, n, cause, core, feature, y, x):
    """`events` with one more."""
    events = grown(events, n)
    events[n, 0] = cause
    events[n, 1] = core
    events[n, 2] = feature
    events[n, 3] = y
    events[n, 4] = x
    return events


@kernel
def reach(place, size, extent, shift):
    """First row (or column) of a kernel that takes `place` to a neuron, and how many do."""
    low, high = max(0, place - (extent << shift) + 1), min(size - 1, place)
    low += (place - low) & ((1 << shift) - 1)
    return low, max(0, (high - low >> shift) + 1)


@kernel
def tap_at(tap, features, rows, columns, by_position):
    """Feature, row and column of tap number `tap`."""
    if by_position:
        return tap % features, tap // features // columns, tap // features % columns
    return tap // (rows * columns), tap // columns % rows, tap % columns


@kernel
def tap_behind(feature, row, column, features, rows, columns, by_position):
    """The next tap."""
    if by_position:
        feature += 1
        if feature < features:
            return feature, row, column
        feature = 0
    column += 1
    if column == columns:
        column = 0
        row += 1
        if row == rows:
            row = 0
            feature += 1
    return feature, row, column


@kernel
def handle(inputs, table, weights, leaks, states, additions, saturated, options):
    """Handle all inputs; the events (n, 5): cause, core, feature, y, x."""
    breadth, by_position, leak_fires, skips_zeros = options
    events, n = np.empty((64, 5), np.int64), 0
    work = np.empty((64, 5), np.int64)
    fired = np.zeros(len(table), np.int64)
    n_cores = len(table) - 1
    for cause in range(len(inputs)):
        if inputs[cause, 0] >= 0:
            end = sent(table, n_cores, not breadth, inputs[cause, 0], inputs[cause, 1],
                       inputs[cause, 2], work, 0)
            events, n, work = drained(work, end, cause, table, weights, states, additions,
                                      saturated, fired, breadth, by_position,
                                      skips_zeros, events, n)
            continue
        end = 0
        for core in range(n_cores):
            registers = table[core]
            height, width = registers[3], registers[4]
            for i in range(registers[0] * height * width if registers[13] else 0):
                at = registers[15] + i
                feature = i // (height * width)
                v, spike, high = added(
                    np.int64(states[at]), np.int64(leaks[registers[16] + feature]), leak_fires,
                    registers[9], registers[10], registers[11])
                states[at] = v
                saturated[core] += high
                if not spike or not passes(registers[12], fired, core):
                    continue
                y, x = i // width % height, i % width
                events = recorded(events, n, cause, core, feature, y, x)
                n += 1
                work = grown(work, end)
                end = sent(table, core, not breadth, feature, y, x, work, end)
                if not breadth:
                    events, n, work = drained(
                        work, end, cause, table, weights, states, additions, saturated, fired,
                        breadth, by_position, skips_zeros, events, n)
                    end = 0
        events, n, work = drained(work, end, cause, table, weights, states, additions, saturated,
                                  fired, breadth, by_position, skips_zeros, events, n)
    return events[:n].copy()


@kernel
def drained(
    work, end, cause, table, weights, states, additions, saturated, fired, breadth, by_position,
    skips_zeros, events, n
):
    """Handle the events that wait in the first `end` rows of `work` and all that come of them.

    A row holds core, channel, y, x and how many taps are done. As a queue the first row is worked
    on, as a stack the last one, and what it sends comes on top of it until its taps are used up.
    """
    begin = 0
    while begin < end:
        row = begin if breadth else end - 1
        before = end
        events, n, work, end = spread(
            work, row, end, cause, table, weights, states, additions, saturated, fired, breadth,
            by_position, skips_zeros, events, n)
        if breadth:
            begin += 1
        elif end == before:
            end -= 1
    return events, n, work


@kernel
def spread(
    work, row, end, cause, table, weights, states, additions, saturated, fired, breadth,
    by_position, skips_zeros, events, n
):
    """Go through the taps of the event in `row`; as a stack, up to the first that sends one."""
    core, channel, y, x, tap = work[row, 0], work[row, 1], work[row, 2], work[row, 3], work[row, 4]
    features, channels, size = table[core, 0], table[core, 1], table[core, 2]
    height, width, shift_y, shift_x = table[core, 3], table[core, 4], table[core, 5], table[core, 6]
    pad_y, pad_x, high, low = table[core, 7], table[core, 8], table[core, 9], table[core, 10]
    clears, decimation = table[core, 11], table[core, 12]
    first_weight, first_state = table[core, 14], table[core, 15]
    y, x = y + pad_y, x + pad_x
    first_y, rows = reach(y, size, height, shift_y)
    first_x, columns = reach(x, size, width, shift_x)
    taps, start = features * rows * columns, end
    if tap < taps:
        feature, ky, kx = tap_at(tap, features, rows, columns, by_position)
    while tap < taps and (breadth or end == start):
        f, row_y, row_x = feature, first_y + (ky << shift_y), first_x + (kx << shift_x)
        at = first_weight + ((f * channels + channel) * size + row_y) * size + row_x
        out_y, out_x = y - row_y >> shift_y, x - row_x >> shift_x
        feature, ky, kx = tap_behind(feature, ky, kx, features, rows, columns, by_position)
        tap += 1
        neuron = first_state + (f * height + out_y) * width + out_x
        weight = np.int64(weights[at])
        if weight == 0 and skips_zeros:
            continue
        v, spike, over = added(np.int64(states[neuron]), weight, True, high, low, clears)
        states[neuron] = v
        additions[core] += 1
        saturated[core] += over
        if spike and passes(decimation, fired, core):
            events = recorded(events, n, cause, core, f, out_y, out_x)
            n += 1
            work = grown(work, end)
            end = sent(table, core, not breadth, f, out_y, out_x, work, end)
    work[row, 4] = tap
    return events, n, work, end


@kernel
def advance(v, q, spikes, leak, threshold, v_min, subtracts):
    """Advance all samples in place; `SpeckNeuron.step` is its readable definition."""
    for sample in range(v.shape[0]):
        for step in range(len(q)):
            for i in range(v.shape[1]):
                value = np.int64(v[sample, i]) + q[step, sample, i] + leak[i]
                n = value // threshold if value >= threshold else 0
                if subtracts:
                    value -= n * threshold
                elif n > 0:
                    value = 0
                v[sample, i] = max(value, v_min)
                spikes[step, sample, i] = n

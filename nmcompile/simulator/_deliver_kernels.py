"""Event-driven delivery: only sources that spike cost time, and only in the boxes they reach.

Spikes come as lists: those of frame f are places start[f] to start[f + 1] of `source` (rising) and
`payload`; a frame is one step of one sample. What they bring is added to out[f], from `column` on,
and wraps at 32 bits. `first` is the first source that the projection takes.
"""

import numpy as np

from nmcompile.arithmetic.jit import kernel


@kernel
def like(start, ends):
    """For each source, which of the different lists of axons is its own; a source for each list.

    start, ends  the axons of source i end in the slices ends[start[i]:start[i + 1]]
    """
    n = len(start) - 1
    size = 2
    while size < 2 * n:
        size *= 2
    table = np.full(size, -1, np.int64)
    number, owner, lists = np.empty(n, np.int32), np.empty(n, np.int64), 0
    for source in range(n):
        low, high = start[source], start[source + 1]
        place = np.int64(high - low)
        for k in range(low, high):
            place = (place * 1000003 ^ np.int64(ends[k])) & 0xFFFFFFFFFFFF
        place = (place ^ place >> 20) & (size - 1)
        while table[place] >= 0:
            other = owner[table[place]]
            if same(ends[low:high], ends[start[other] : start[other + 1]]):
                break
            place = place + 1 & (size - 1)
        if table[place] < 0:
            table[place] = lists
            owner[lists] = source
            lists += 1
        number[source] = table[place]
    return number, owner[:lists].copy()


@kernel
def same(a, b):
    """Whether two lists have the same members in the same order."""
    if len(a) != len(b):
        return False
    for i in range(len(a)):
        if a[i] != b[i]:
            return False
    return True


@kernel
def taken(source, begin, end, first, n):
    """The part of a frame's list begin:end whose sources are first to first + n."""
    if begin < end and source[begin] < first:
        begin += np.searchsorted(source[begin:end], first)
    if begin < end and source[end - 1] >= first + n:
        end = begin + np.searchsorted(source[begin:end], first + n)
    return begin, end


@kernel
def add(out, row, value):
    """Add `value` times a row of weights."""
    if value == 1:
        for i in range(len(out)):
            out[i] += row[i]
    else:
        for i in range(len(out)):
            out[i] += value * row[i]


@kernel
def add_four(out, a, b, c, d):
    """Add four rows of weights at once, each once."""
    for i in range(len(out)):
        out[i] += np.int32(a[i]) + np.int32(b[i]) + np.int32(c[i]) + np.int32(d[i])


@kernel
def alike(source, payload, pattern, first, k):
    """Whether the four spikes from `k` on have payload 1 and reach the same targets."""
    own = pattern[source[k] - first]
    for j in range(k, k + 4):
        if payload[j] != 1 or pattern[source[j] - first] != own:
            return False
    return True


@kernel
def dense(
    start, source, payload, first, pattern, runs, low, high, weight, part, column, out
):
    """Rows of spiking sources, cut to the runs of targets that each reaches.

    pattern  (n_sources,) whose runs are runs[p]:runs[p + 1] of low, high (targets)
    weight   (n_sources, n_targets)
    part     first of the targets that are taken, and the one behind the last
    """
    n_sources, n = weight.shape
    for frame in range(len(start) - 1):
        row = out[frame, column : column + n]
        k, end = taken(source, start[frame], start[frame + 1], first, n_sources)
        while k < end:
            a = source[k] - first
            four = k + 4 <= end and alike(source, payload, pattern, first, k)
            for run in range(runs[pattern[a]], runs[pattern[a] + 1]):
                i, j = max(low[run], part[0]), min(high[run], part[1])
                if i >= j:
                    continue
                if four:
                    b, c, d = source[k + 1] - first, source[k + 2] - first, source[k + 3] - first
                    add_four(row[i:j], weight[a, i:j], weight[b, i:j], weight[c, i:j],
                             weight[d, i:j])
                else:
                    add(row[i:j], weight[a, i:j], payload[k])
            k += 4 if four else 1


@kernel
def by_row(source, payload, begin, end, first, width, height, rows, listed):
    """Sort the spikes begin:end of a frame by the row of their source.

    rows    (height + 1,) becomes where each row's begin in `listed`
    listed  (4, n) becomes their channel, column, payload and source
    """
    rows[:] = 0
    for k in range(begin, end):
        rows[(source[k] - first) // width % height + 1] += 1
    for y in range(height):
        rows[y + 1] += rows[y]
    for k in range(begin, end):
        one = source[k] - first
        line = one // width
        channel = line // height
        y = line - channel * height
        at = rows[y]
        rows[y] += 1
        listed[0, at] = channel
        listed[1, at] = one - line * width
        listed[2, at] = payload[k]
        listed[3, at] = one
    for y in range(height, 0, -1):
        rows[y] = rows[y - 1]
    rows[0] = 0


@kernel
def along(x, phase, stride, padding, dilation, order):
    """Of the taps of a source in column x: the first and end in `order`, and their first column.

    Taps of one phase lie by rising column of their target, `dilation / gcd` columns apart.
    """
    shifted = x + padding
    own = shifted % stride
    first, end = phase[own], phase[own + 1]
    place = 0 if first == end else (shifted - order[first] * dilation) // stride
    return first, end, place


@kernel
def conv(
    start, source, payload, first, pattern, boxes, low, high, weight, shapes, steps, phase, order,
    part, column, out
):
    """Kernel taps of spiking sources, cut to the boxes that each reaches; the kernel is shared.

    Row by row of the targets, whose sums lie channel by channel for each column, so that the taps
    of a source in a row of the kernel are one run.

    pattern  (n_sources,) whose boxes are boxes[p]:boxes[p + 1] of low, high (channel, row, column)
    weight   (c_in, kernel height, kernel width, c_out / groups), columns of the kernel in `order`
    shapes   of the sources and of the targets
    steps    stride, padding and dilation, each along y and x
    phase    (stride + 1,) where in `order` the taps of each remainder of a source's column begin
    part     first of the rows of targets that are taken, and the one behind the last
    """
    (c_in, in_height, in_width), (c_out, height, width) = shapes
    stride, padding, dilation = steps
    per_group = weight.shape[3]
    in_group = c_in // (c_out // per_group)
    hop = 1 if len(order) < 2 else dilation[1] // np.gcd(stride[1], dilation[1])
    flat = weight.reshape(c_in, weight.shape[1], -1)
    rows = np.zeros(in_height + 1, np.int64)
    longest = 0
    for frame in range(len(start) - 1):
        longest = max(longest, start[frame + 1] - start[frame])
    listed = np.empty((4, longest), np.int32)
    sums = np.zeros(width * c_out, np.int32)
    for frame in range(len(start) - 1):
        begin, end = taken(source, start[frame], start[frame + 1], first,
                           c_in * in_height * in_width)
        if begin == end:
            continue
        by_row(source, payload, begin, end, first, in_width, in_height, rows, listed)
        for y in range(part[0], part[1]):
            touched = False
            for ky in range(weight.shape[1]):
                in_y = y * stride[0] - padding[0] + ky * dilation[0]
                if in_y < 0 or in_y >= in_height:
                    continue
                for k in range(rows[in_y], rows[in_y + 1]):
                    channel, value, own = listed[0, k], listed[2, k], pattern[listed[3, k]]
                    taps = along(listed[1, k], phase, stride[1], padding[1], dilation[1], order)
                    base = channel // in_group * per_group
                    for box in range(boxes[own], boxes[own + 1]):
                        if low[box, 1] <= y < high[box, 1]:
                            touched = True
                            add_taps(sums, flat[channel, ky], value, taps, hop, base, per_group,
                                     low[box], high[box], c_out)
            if touched:
                turn(sums, c_out, width, height, y, out[frame, column:])


@kernel
def add_taps(sums, row, value, taps, hop, base, per_group, low, high, c_out):
    """Add the taps of one source in one row of its kernel to the columns and channels of a box."""
    tap, end, x = taps
    if x < low[2]:
        skipped = (low[2] - x + hop - 1) // hop
        tap += skipped
        x += skipped * hop
    end = min(end, tap + (high[2] - x + hop - 1) // hop)
    if tap >= end:
        return
    begin, stop = max(low[0], base), min(high[0], base + per_group)
    if hop == 1 and begin == 0 and stop == c_out:
        n = (end - tap) * c_out
        add(sums[x * c_out : x * c_out + n], row[tap * c_out : tap * c_out + n], value)
        return
    if begin >= stop:
        return
    while tap < end:
        add(sums[x * c_out + begin : x * c_out + stop],
            row[tap * per_group + begin - base : tap * per_group + stop - base], value)
        tap += 1
        x += hop


@kernel
def turn(sums, c_out, width, height, y, out):
    """Add the sums of row y, channel by channel, to `out` (channels, rows, columns); clear them."""
    for channel in range(c_out):
        place = (channel * height + y) * width
        row = out[place : place + width]
        for x in range(width):
            row[x] += sums[x * c_out + channel]
    sums[:] = 0


@kernel
def depthwise(
    start, source, payload, first, pattern, boxes, low, high, weight, shapes, steps, phase, order,
    part, column, out
):
    """As `conv`, tap by tap to its target: for groups of few channels."""
    (c_in, in_height, in_width), (c_out, height, width) = shapes
    stride, padding, dilation = steps
    per_group = weight.shape[3]
    in_group = c_in // (c_out // per_group)
    hop = 1 if len(order) < 2 else dilation[1] // np.gcd(stride[1], dilation[1])
    for frame in range(len(start) - 1):
        begin, end = taken(source, start[frame], start[frame + 1], first,
                           c_in * in_height * in_width)
        for k in range(begin, end):
            one, value = source[k] - first, payload[k]
            line = one // in_width
            channel = line // in_height
            in_y, base = line - channel * in_height, channel // in_group * per_group
            taps, stop, x0 = along(one - line * in_width, phase, stride[1], padding[1],
                                   dilation[1], order)
            for ky in range(weight.shape[1]):
                above = in_y + padding[0] - ky * dilation[0]
                y = above // stride[0]
                if y * stride[0] != above or y < part[0] or y >= part[1]:
                    continue
                for box in range(boxes[pattern[one]], boxes[pattern[one] + 1]):
                    if y < low[box, 1] or y >= high[box, 1]:
                        continue
                    for tap in range(taps, stop):
                        x = x0 + (tap - taps) * hop
                        if x < low[box, 2] or x >= high[box, 2]:
                            continue
                        for c in range(max(low[box, 0], base), min(high[box, 0], base + per_group)):
                            out[frame, column + (c * height + y) * width + x] += (
                                value * weight[channel, ky, tap, c - base])


@kernel
def sparse(start, source, payload, first, rows, target, weight, column, out):
    """Synapses of spiking sources; those of source i are rows[i]:rows[i + 1]."""
    n_sources = len(rows) - 1
    for frame in range(len(start) - 1):
        row = out[frame, column:]
        begin, end = taken(source, start[frame], start[frame + 1], first, n_sources)
        for k in range(begin, end):
            value, one = payload[k], source[k] - first
            if value == 1:
                for synapse in range(rows[one], rows[one + 1]):
                    row[target[synapse]] += weight[synapse]
            else:
                for synapse in range(rows[one], rows[one + 1]):
                    row[target[synapse]] += value * weight[synapse]


@kernel
def accumulate(start, source, payload, first, rows, target, weight, low, high, out):
    """Rows of spiking sources, added one source after the other and kept in low..high."""
    n_sources = len(rows) - 1
    for frame in range(len(start) - 1):
        begin, end = taken(source, start[frame], start[frame + 1], first, n_sources)
        for k in range(begin, end):
            value, one = payload[k], source[k] - first
            for synapse in range(rows[one], rows[one + 1]):
                added = int(out[frame, target[synapse]]) + value * int(weight[synapse])
                out[frame, target[synapse]] = min(max(added, low), high)


@kernel
def add_shifted(sums, exponent, column, out):
    """Add the sums times 2**exponent, rounded toward minus infinity, to `out`, and clear them."""
    for frame in range(len(sums)):
        row, to = sums[frame], out[frame, column : column + sums.shape[1]]
        if exponent >= 0:
            for i in range(len(row)):
                to[i] += row[i] << exponent
        else:
            for i in range(len(row)):
                to[i] += row[i] >> -exponent
        row[:] = 0

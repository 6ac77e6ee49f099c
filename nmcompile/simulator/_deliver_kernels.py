"""Event-driven delivery: only sources that spike cost time, and only in the boxes they reach.

Spikes come as lists: those of frame f are places start[f] to start[f + 1] of `source` (rising) and
`payload`; a frame is one step of one sample. What they bring is added to out[f], from `column` on,
and wraps at 32 bits. `first` is the first source that the projection takes.
"""

import numpy as np

from nmcompile.arithmetic.jit import bare_kernel, kernel

EIGHT = 8  # rows that are added at once
FIT = 255  # rows of weights of 8 bits whose sum 16 bits hold


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
        slot = np.int64(high - low)
        for k in range(low, high):
            slot = (slot * 1000003 ^ np.int64(ends[k])) & 0xFFFFFFFFFFFF
        slot = (slot ^ slot >> 20) & (size - 1)
        while table[slot] >= 0:
            other = owner[table[slot]]
            if same(ends[low:high], ends[start[other] : start[other + 1]]):
                break
            slot = slot + 1 & (size - 1)
        if table[slot] < 0:
            table[slot] = lists
            owner[lists] = source
            lists += 1
        number[source] = table[slot]
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


@bare_kernel
def taken(source, begin, end, first, n):
    """The part of a frame's list begin:end whose sources are first to first + n."""
    if begin < end and source[begin] < first:
        begin += np.searchsorted(source[begin:end], first)
    if begin < end and source[end - 1] >= first + n:
        end = begin + np.searchsorted(source[begin:end], first + n)
    return begin, end


@bare_kernel
def place(i):
    """`i` as an index without a sign, which needs no look at whether it counts from the end."""
    return np.uint64(i)


@bare_kernel
def add(out, at, row, begin, n, value):
    """Add `value` times n weights of `row` from `begin` on to `out` from `at` on."""
    i, j = place(at), place(begin)
    if value == 1:
        for k in range(place(n)):
            out[i + k] += row[j + k]
    else:
        for k in range(place(n)):
            out[i + k] += value * row[j + k]


@bare_kernel
def add_eight(sums, weight, source, begin, first, low, high):
    """Add columns low to high of the rows of eight sources from `begin` on, each once."""
    k, one = place(begin), place(1)
    a, b = place(source[k] - first), place(source[k + one] - first)
    k += one + one
    c, d = place(source[k] - first), place(source[k + one] - first)
    k += one + one
    e, f = place(source[k] - first), place(source[k + one] - first)
    k += one + one
    g, h = place(source[k] - first), place(source[k + one] - first)
    for i in range(place(low), place(high)):
        sums[i] += (np.int32(weight[a, i]) + np.int32(weight[b, i])
                    + np.int32(weight[c, i]) + np.int32(weight[d, i])
                    + np.int32(weight[e, i]) + np.int32(weight[f, i])
                    + np.int32(weight[g, i]) + np.int32(weight[h, i]))


@bare_kernel
def add_rows(sums, weight, source, begin, end, first, low, high):
    """Add columns low to high of the rows of sources begin to end to `sums`."""
    while begin + EIGHT <= end:
        add_eight(sums, weight, source, begin, first, low, high)
        begin += EIGHT
    while begin < end:
        row = place(source[begin] - first)
        for i in range(place(low), place(high)):
            sums[i] += weight[row, i]
        begin += 1


@bare_kernel
def add_narrow(sums, weight, source, begin, end, first, low, high, row):
    """As `add_rows` for weights of 8 bits, whose sums fit 16 bits for so many rows, to `row`."""
    while begin < end:
        stop = min(end, begin + FIT)
        for i in range(place(low), place(high)):
            sums[i] = 0
        add_rows(sums, weight, source, begin, stop, first, low, high)
        for i in range(place(low), place(high)):
            row[i] += sums[i]
        begin = stop


@bare_kernel
def plain(payload, begin, end):
    """Whether all spikes carry 1."""
    other = np.int32(0)
    for k in range(place(begin), place(end)):
        other |= payload[k] ^ np.int32(1)
    return other == 0


@bare_kernel
def stretch(source, pattern, first, begin, end):
    """End of the spikes from `begin` on whose sources reach the same targets."""
    own = pattern[source[begin] - first]
    stop = begin + 1
    while stop < end and pattern[source[stop] - first] == own:
        stop += 1
    return stop


@bare_kernel
def dense(
    start, source, payload, first, pattern, runs, low, high, weight, sums, part, column, out
):
    """Rows of spiking sources, cut to the runs of targets that each reaches.

    pattern  (n_sources,) whose runs are runs[p]:runs[p + 1] of low, high (targets)
    weight   (n_sources, n_targets)
    sums     (n_targets,) int16 to work in
    part     first of the targets that are taken, and the one behind the last
    """
    n_sources, n = weight.shape
    narrow = weight.itemsize == 1
    for frame in range(len(start) - 1):
        row = out[frame, column : column + n]
        begin, end = taken(source, start[frame], start[frame + 1], first, n_sources)
        ones = plain(payload, begin, end)
        while begin < end:
            own = pattern[source[begin] - first]
            stop = end if len(runs) == 2 else stretch(source, pattern, first, begin, end)
            for run in range(runs[own], runs[own + 1]):
                i, j = max(low[run], part[0]), min(high[run], part[1])
                if i >= j:
                    continue
                if ones and narrow:
                    add_narrow(sums, weight, source, begin, stop, first, i, j, row)
                elif ones:
                    add_rows(row, weight, source, begin, stop, first, i, j)
                else:
                    for k in range(begin, stop):
                        add(row, i, weight[source[k] - first], i, j - i, payload[k])
            begin = stop


@kernel
def by_row(source, payload, first, shape, taps, padding, stride, pattern, rows, listed):
    """Sort the spikes of a frame by the row of their source.

    rows    (height + 1,) becomes where each row's begin in `listed`
    listed  (n, 6) becomes their channel, payload, set of boxes, and of their taps along the row
            the first, the end, and the column that the first leads to
    """
    _, height, width = shape
    phase, order, dilation = taps
    rows[:] = 0
    for k in range(len(source)):
        rows[(source[k] - first) // width % height + 1] += 1
    for y in range(height):
        rows[y + 1] += rows[y]
    for k in range(len(source)):
        one = source[k] - first
        line = one // width
        channel = line // height
        y = line - channel * height
        row = listed[rows[y]]
        rows[y] += 1
        row[0], row[1], row[2] = channel, payload[k], pattern[one]
        row[3], row[4], row[5] = along(one - line * width + padding, phase, stride, dilation, order)
    for y in range(height, 0, -1):
        rows[y] = rows[y - 1]
    rows[0] = 0


@kernel
def along(x, phase, stride, dilation, order):
    """First and end of the taps of column x, counted with the padding; where the first leads.

    They are places in `order`.
    """
    own = x % stride
    first, end = phase[own], phase[own + 1]
    return first, end, 0 if first == end else (x - order[first] * dilation) // stride


@kernel
def within(tap, end, x, hop, low, high):
    """Of taps whose targets begin in column x, `hop` apart: those that lead to low to high."""
    if x < low:
        skipped = (low - x + hop - 1) // hop
        tap += skipped
        x += skipped * hop
    if x + (end - tap - 1) * hop >= high:
        end = tap + (high - x + hop - 1) // hop
    return tap, end, x


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
    phase    (stride + 1,) where in `order` the taps of each remainder of a source's column begin;
             they lie by rising column of their target, dilation / gcd(stride, dilation) apart
    part     first of the rows of targets that are taken, and the one behind the last
    """
    (c_in, in_height, in_width), (c_out, height, width) = shapes
    stride, padding, dilation = steps
    per_group = weight.shape[3]
    in_group = c_in // (c_out // per_group)
    hop = dilation[1] // np.gcd(stride[1], dilation[1])
    flat = weight.reshape(-1)
    rows = np.zeros(in_height + 1, np.int64)
    listed = np.empty((np.diff(start).max(), 6), np.int32)
    sums = np.zeros(width * c_out, np.int32)
    for frame in range(len(start) - 1):
        begin, end = taken(source, start[frame], start[frame + 1], first,
                           c_in * in_height * in_width)
        if begin == end:
            continue
        by_row(source[begin:end], payload[begin:end], first, shapes[0],
               (phase, order, dilation[1]), padding[1], stride[1], pattern, rows, listed)
        for y in range(part[0], part[1]):
            touched = False
            for ky in range(weight.shape[1]):
                in_y = y * stride[0] - padding[0] + ky * dilation[0]
                if in_y < 0 or in_y >= in_height:
                    continue
                for k in range(rows[in_y], rows[in_y + 1]):
                    channel, value, own = listed[k, 0], listed[k, 1], listed[k, 2]
                    base = channel // in_group * per_group if per_group < c_out else 0
                    at = (channel * weight.shape[1] + ky) * len(order) * per_group
                    for box in range(boxes[own], boxes[own + 1]):
                        if y < low[box, 1] or y >= high[box, 1]:
                            continue
                        tap, end, x = within(
                            listed[k, 3], listed[k, 4], listed[k, 5], hop, low[box, 2],
                            high[box, 2])
                        c0, c1 = max(low[box, 0], base), min(high[box, 0], base + per_group)
                        touched = True
                        if hop == 1 and c1 - c0 == c_out and tap < end:
                            add(sums, x * c_out, flat, at + tap * c_out, (end - tap) * c_out, value)
                            tap = end
                        while tap < end and c0 < c1:
                            begin = at + tap * per_group + c0 - base
                            add(sums, x * c_out + c0, flat, begin, c1 - c0, value)
                            tap += 1
                            x += hop
            if touched:
                turn(sums, c_out, width, height, y, out[frame, column:])


@kernel
def turn(sums, c_out, width, height, y, out):
    """Add the sums of row y, channel by channel, to `out` (channels, rows, columns); clear them."""
    step = place(c_out)
    for channel in range(step):
        row = (channel * place(height) + place(y)) * place(width)
        for x in range(place(width)):
            out[row + x] += sums[x * step + channel]
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
    hop = dilation[1] // np.gcd(stride[1], dilation[1])
    for frame in range(len(start) - 1):
        begin, end = taken(source, start[frame], start[frame + 1], first,
                           c_in * in_height * in_width)
        for k in range(begin, end):
            one, value = source[k] - first, payload[k]
            line = one // in_width
            channel = line // in_height
            in_y, base = line - channel * in_height, channel // in_group * per_group
            taps, stop, x0 = along(one - line * in_width + padding[1], phase, stride[1],
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
            for synapse in range(place(rows[one]), place(rows[one + 1])):
                row[place(target[synapse])] += value * weight[synapse]


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

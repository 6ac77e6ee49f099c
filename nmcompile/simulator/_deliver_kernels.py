"""Event-driven delivery: only sources that spike cost time, and only in the boxes they reach."""

from numba import prange

from nmcompile.arithmetic.jit import parallel_kernel


@parallel_kernel
def dense(payload, start, ends, low, high, weight, shape, out):
    """Rows of spiking sources, cut to the box of each axon; weight (n_sources, n_targets)."""
    _, height, width = shape
    for sample in prange(payload.shape[0]):
        for source in range(payload.shape[1]):
            value = payload[sample, source]
            if value == 0:
                continue
            for axon in range(start[source], start[source + 1]):
                box = ends[axon]
                for channel in range(low[box, 0], high[box, 0]):
                    for row in range(low[box, 1], high[box, 1]):
                        base = (channel * height + row) * width
                        for target in range(base + low[box, 2], base + high[box, 2]):
                            out[sample, target] += value * weight[source, target]


@parallel_kernel
def conv(
    payload,
    start,
    ends,
    low,
    high,
    weight,
    in_shape,
    out_shape,
    stride,
    padding,
    dilation,
    groups,
    out,
):
    """Kernel taps of spiking sources, cut to the box of each axon; the kernel is shared."""
    _, in_height, in_width = in_shape
    c_out, height, width = out_shape
    per_group, in_group = c_out // groups, weight.shape[1]
    for sample in prange(payload.shape[0]):
        for source in range(payload.shape[1]):
            value = payload[sample, source]
            if value == 0:
                continue
            in_channel = source // (in_height * in_width)
            in_y, in_x = source // in_width % in_height, source % in_width
            group, tap_channel = in_channel // in_group, in_channel % in_group
            for axon in range(start[source], start[source + 1]):
                box = ends[axon]
                first = max(low[box, 0], group * per_group)
                last = min(high[box, 0], (group + 1) * per_group)
                for ky in range(weight.shape[2]):
                    y, remainder_y = divmod(in_y + padding[0] - ky * dilation[0], stride[0])
                    if remainder_y != 0 or y < low[box, 1] or y >= high[box, 1]:
                        continue
                    for kx in range(weight.shape[3]):
                        x, remainder_x = divmod(in_x + padding[1] - kx * dilation[1], stride[1])
                        if remainder_x != 0 or x < low[box, 2] or x >= high[box, 2]:
                            continue
                        for channel in range(first, last):
                            out[sample, (channel * height + y) * width + x] += (
                                value * weight[channel, tap_channel, ky, kx]
                            )


@parallel_kernel
def sparse(payload, start, first, synapses, targets, weight, order, out):
    """Synapses of spiking sources, axon by axon."""
    for sample in prange(payload.shape[0]):
        for source in range(payload.shape[1]):
            value = payload[sample, source]
            if value == 0:
                continue
            for axon in range(start[source], start[source + 1]):
                for k in range(first[axon], first[axon] + synapses[axon]):
                    synapse = order[k]
                    out[sample, targets[synapse]] += value * weight[synapse]


@parallel_kernel
def accumulate(payload, start, targets, weight, low, high, out):
    """Rows of spiking sources, added one source after the other and kept in low..high."""
    for sample in prange(payload.shape[0]):
        for source in range(payload.shape[1]):
            value = payload[sample, source]
            if value == 0:
                continue
            for k in range(start[source], start[source + 1]):
                added = int(out[sample, targets[k]]) + value * int(weight[k])
                out[sample, targets[k]] = min(max(added, low), high)

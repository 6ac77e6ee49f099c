"""When the events of a Speck are handled: a core does one operation after the other."""

import numpy as np
from numba import prange

from nmcompile.arithmetic.jit import kernel, parallel_kernel


@kernel
def first_from(sender, begin, end, low):
    """The first of the rising `sender[begin:end]` that is `low` or more."""
    while begin < end:
        middle = (begin + end) // 2
        if sender[middle] < low:
            begin = middle + 1
        else:
            end = middle
    return begin


@kernel
def handle(first, last, low, work, operation, payload, sender, time, free, begin, done):
    """Run the input events `first:last` of a core that is free at `free`; when it is free again.

    work   (lines,) operations of each source's event; `low` is the first source
    begin  (last - first,) when each begins, filled
    done   (last - first,) operations up to and with each, filled
    """
    total = np.int64(0)
    for spike in range(first, last):
        operations = work[sender[spike] - low] * np.int64(payload[spike])
        begin[spike - first] = max(time[spike], free)
        free = begin[spike - first] + operations * operation
        total += operations
        done[spike - first] = total
    return free


@kernel
def emit(first, last, payload, begin, done, operation, ready, core_s, time):
    """Set when the output events `first:last` of a core reach the next.

    They are spread evenly over its operations of the step, the last of them on the last. Without
    operations a leak made them fire, and they leave when the core is `ready`.
    """
    n, sent, event = np.int64(0), np.int64(0), 0
    for spike in range(first, last):
        n += payload[spike]
    total = done[-1] if len(done) else 0
    for spike in range(first, last):
        sent += payload[spike]
        if total == 0:
            time[spike] = ready + core_s
            continue
        which = (sent * total + n - 1) // n  # from 1 on: the operation that it leaves with
        while done[event] < which:
            event += 1
        before = done[event - 1] if event else 0
        time[spike] = begin[event] + (which - before - 1) * operation + core_s


@parallel_kernel
def serve(shape, pad_s, layers, work_at, work, seconds, spikes, time, clock, step_s):
    """Time the events of a run of steps.

    shape    steps that only lie behind, steps, samples, lines of the inputs
    pad_s    seconds between the input events of two steps (0: they come at once), and of an event
             through the chip's pads
    layers   (n, 5) first sender and the one behind the last of a layer's source and of the layer,
             and the delay between them in steps
    work     operations that an event of each of its source's lines takes a layer, its first at
             `work_at`
    seconds  of an operation on each layer's core, and at last from one core to the next
    spikes   start, sender and payload as of `Frames`
    time     (spikes,) when each event is at the cores behind it, filled
    clock    (samples, n + 2) when each core is free, the end of all, and the step, changed in place
    step_s   (steps * samples,) seconds by which each frame puts off the end of its sample
    """
    behind, steps, samples, lines = shape
    start, sender, payload = spikes
    n = len(layers)
    for sample in prange(samples):
        state = clock[sample]
        for step in range(steps):
            frame, before = (behind + step) * samples + sample, state[n]
            begin, end = start[frame], start[frame + 1]
            last = first_from(sender, begin, end, lines)
            events, sent = payload[begin:last].sum(), 0
            for spike in range(begin, last):
                time[spike] = (state[n + 1] + sent / events) * pad_s[0] + pad_s[1]
                sent += payload[spike]
                state[n] = max(state[n], time[spike])
            for layer in range(n):
                past = frame - layers[layer, 4] * samples
                first, last = begin, begin
                if past >= 0:
                    first = first_from(sender, start[past], start[past + 1], layers[layer, 0])
                    last = first_from(sender, first, start[past + 1], layers[layer, 1])
                begins, done = np.empty(last - first), np.empty(last - first, np.int64)
                state[layer] = handle(
                    first, last, layers[layer, 0], work[work_at[layer] :], seconds[layer],
                    payload, sender, time, state[layer], begins, done)
                first = first_from(sender, begin, end, layers[layer, 2])
                last = first_from(sender, first, end, layers[layer, 3])
                emit(first, last, payload, begins, done, seconds[layer], state[layer], seconds[n],
                     time)
                state[n] = max(state[n], state[layer])
                for spike in range(first, last):
                    state[n] = max(state[n], time[spike])
            state[n + 1] += 1
            step_s[step * samples + sample] = state[n] - before

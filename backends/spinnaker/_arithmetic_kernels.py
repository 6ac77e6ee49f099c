"""SpiNNaker's step and its ring buffers over flat arrays; see `SpinnakerNeuron.step`, `Ring`."""

import numpy as np

from nmcompile.arithmetic.jit import kernel


@kernel
def word(x):
    return np.int64(np.int32(x))


@kernel
def times(a, b):
    return word((np.int64(a) * np.int64(b)) >> 15)


@kernel
def arrived(kept, q, gain, shift, delta):
    entry = word(np.int64(min(np.int64(q), np.int64(0xFFFF))) << shift)
    return word(np.int64(kept) + (entry if delta else word((entry * gain) >> 32)))


@kernel
def advance(
    exc, inh, v, hold, q, spikes, accums, fractions, shift_exc, shift_inh, conductance, delta
):
    """Advance all samples in place; rows of registers as in arithmetic.py's lists."""
    n_samples, n = v.shape
    for sample in range(n_samples):
        for step in range(len(q)):
            pushed, pulled = q[step, sample, :n], q[step, sample, n:]
            for i in range(n):
                now_exc = arrived(exc[sample, i], pushed[i], fractions[1, i], shift_exc, delta)
                now_inh = arrived(inh[sample, i], pulled[i], fractions[3, i], shift_inh, delta)
                volt = np.int64(v[sample, i])
                if hold[sample, i] > 0:
                    hold[sample, i] -= 1
                else:
                    pushing, pulling = now_exc, now_inh
                    if conductance:
                        pushing = times(now_exc >> 10, word(accums[7, i] - volt))
                        pulling = times(-(now_inh >> 10), word(accums[8, i] - volt))
                    elif delta:
                        pushing = times(now_exc, accums[9, i])
                        pulling = times(now_inh, accums[9, i])
                    current = word(pushing - pulling + accums[5, i])
                    target = word(times(current, accums[3, i]) + accums[0, i])
                    volt = word(target - times(accums[4, i], word(target - volt)))
                fired = volt >= accums[2, i]
                if fired:
                    volt = accums[1, i]
                    hold[sample, i] = accums[6, i]
                v[sample, i] = volt
                exc[sample, i] = 0 if delta else word((now_exc * fractions[0, i]) >> 32)
                inh[sample, i] = 0 if delta else word((now_inh * fractions[2, i]) >> 32)
                spikes[step, sample, i] = 1 if fired else 0


@kernel
def deliver_rows(ring, step, spiking, start, kind, target, delay, weight):
    """Add the rows of `spiking` sources; see `ring.deliver_plainly`."""
    saturated = 0
    for source in spiking:
        for row in range(start[source], start[source + 1]):
            slot = (step + np.int64(delay[row])) % len(ring)
            total = np.int64(ring[slot, kind[row], target[row]]) + np.int64(weight[row])
            if total > 0xFFFF:
                total = 0xFFFF
                saturated += 1
            ring[slot, kind[row], target[row]] = total
    return saturated

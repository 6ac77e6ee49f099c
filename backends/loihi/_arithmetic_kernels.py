"""The step of Loihi's neuron over flat arrays; `LoihiNeuron.step` is its readable definition."""

import numpy as np

from nmcompile.arithmetic.jit import kernel

CHUNK = 1024  # neurons whose states stay in the cache of a core from step to step


@kernel
def scaled(x, factor):
    product = abs(x) * factor >> 12
    return product if x >= 0 else -product


@kernel
def kept(x, factor):
    """`scaled` of a number of 24 bits, with no more than 32 at a time."""
    size = np.int32(abs(x))
    low = np.int32(np.int32((size & 4095) * factor) >> 12)
    product = np.int32(np.int32((size >> 12) * factor) + low)
    return np.int32(product if x >= 0 else -product)


@kernel
def cut(x, mask, half):
    """The bits of `mask` of x, counted from -half; with -1 and 0 it is x."""
    return np.int32(np.int32(np.int32(x + half) & mask) - half)


@kernel
def advance_row(u, v, hold, q, spikes, du, dv, threshold, bias, options, edges):
    """Advance some neurons of a sample in place; every number has 32 bits."""
    bias_exponent, refractory, zero, late, prompt, equal, silent, v_low, v_high = options
    above, q_mask, q_half, mask, half = edges
    for i in range(len(u)):
        level = np.int32(threshold[i] << 6)
        below = np.int32(level - equal)
        arrived = cut(np.int32(q[i] << 6), q_mask, q_half)
        new_u = np.int32(kept(u[i], np.int32(4095 - du[i])) + arrived)
        new_u = np.int32(cut(np.int32(new_u - above), 0xFFFFFF, 1 << 23) + above)
        driven = cut(np.int32(np.int32(bias[i] << bias_exponent) + new_u), mask, half)
        before = v[i]
        new_v = np.int32(kept(before, np.int32(4096 - dv[i])) + driven)
        new_v = np.int32(new_v - (level if late and before > below else 0))
        new_v = min(max(new_v, v_low), v_high)
        new_v = np.int32(new_v if hold[i] <= 0 else 0)
        fired = new_v > below and not silent
        new_v = np.int32(0 if fired and zero else new_v)
        counter = np.int32(refractory if fired else hold[i])
        hold[i] = np.int32(max(counter, 1) - 1)
        u[i] = new_u
        v[i] = np.int32(new_v - (level if fired and prompt else 0))
        spikes[i] = fired


@kernel
def advance(
    u, v, hold, q, spikes, du, dv, threshold, bias, bias_exponent, refractory, mode, inclusive,
    silent, complement, v_low, v_high
):
    """Advance all samples in place; `mode`: none, zero, late or prompt subtract.

    u, v, hold  (samples * n,)
    q, spikes   (steps, samples * n)
    du, dv, threshold, bias  of n neurons, or of several times the same n
    complement  the edges are nengo-loihi's, which overflows in two's complement
    """
    one = np.int32
    options = (one(bias_exponent), one(refractory), one(mode == 1), one(mode == 2 and not silent),
               one(mode == 3), one(inclusive), one(silent), one(v_low), one(v_high))
    edges = (one(not complement), one(0x3FFFFF if complement else -1),
             one(1 << 21 if complement else 0), one(0xFFFFFF if complement else -1),
             one(1 << 23 if complement else 0))
    for base in range(0, len(u), len(du)):
        for first in range(0, min(len(du), len(u) - base), CHUNK):
            last = min(first + CHUNK, len(du), len(u) - base)
            i, j = base + first, base + last
            for step in range(len(q)):
                advance_row(u[i:j], v[i:j], hold[i:j], q[step, i:j], spikes[step, i:j],
                            du[first:last], dv[first:last], threshold[first:last],
                            bias[first:last], options, edges)


@kernel
def pass_on(v, q, spikes):
    """Advance all samples of relays in place; `LoihiRelay.step` is its definition."""
    half = 1 << 23
    for sample in range(v.shape[0]):
        for step in range(len(q)):
            for i in range(v.shape[1]):
                value = half - (half - int(q[step, sample, i])) % (1 << 24)
                v[sample, i] = value
                spikes[step, sample, i] = value


@kernel
def tell_changes(
    sigma, v, residue, q, spikes, threshold, offset, rectified, accumulates, shift
):
    """Advance sigma-delta neurons in place; see `LoihiSigmaDelta.step`."""
    for sample in range(v.shape[0]):
        for step in range(len(q)):
            for i in range(v.shape[1]):
                total = int(q[step, sample, i]) << shift
                if accumulates:
                    total += sigma[sample, i]
                value = total + offset[i]
                if rectified and value < 0:
                    value = 0
                delta = value - v[sample, i] + residue[sample, i]
                sends = abs(delta) >= threshold[i]
                sigma[sample, i] = total
                v[sample, i] = value
                residue[sample, i] = 0 if sends else delta
                spikes[step, sample, i] = delta >> 6 if sends else 0


@kernel
def adapt(
    u, v, theta, r, q, spikes, du, dv, dtheta, dr, threshold, threshold_step, bias, bias_exponent
):
    """Advance neurons with adaptive thresholds in place; see `LoihiAdaptive.step`."""
    half = 1 << 23
    for sample in range(v.shape[0]):
        for step in range(len(q)):
            for i in range(v.shape[1]):
                base = threshold[i] << 6
                new_u = scaled(int(u[sample, i]), 4095 - du[i]) + (int(q[step, sample, i]) << 6)
                new_u = half - (half - new_u) % (1 << 24)
                driven = new_u + (int(bias[i]) << bias_exponent)
                new_v = scaled(int(v[sample, i]), 4096 - dv[i]) + driven
                new_v = min(max(new_v, 1 - half), half - 1)
                level = scaled(int(theta[sample, i]) - base, 4096 - dtheta[i]) + base
                refusal = scaled(int(r[sample, i]), 4096 - dr[i])
                fired = new_v - refusal >= level
                u[sample, i] = new_u
                v[sample, i] = new_v
                theta[sample, i] = level + (threshold_step[i] if fired else 0)
                r[sample, i] = refusal + (2 * level if fired else 0)
                spikes[step, sample, i] = 1 if fired else 0


@kernel
def turned(x, factor):
    product = abs(x) * abs(int(factor)) >> 12
    return product if (x >= 0) == (factor >= 0) else -product


@kernel
def turn(re, v, q, spikes, sin_decay, cos_decay, threshold, phase):
    """Advance resonators in place; see `LoihiResonator.step`."""
    limit = (1 << 23) - 1
    n = v.shape[1]
    for sample in range(v.shape[0]):
        for step in range(len(q)):
            for i in range(n):
                old_re, old_v = int(re[sample, i]), int(v[sample, i])
                new_re = turned(old_re, cos_decay[i]) - turned(old_v, sin_decay[i])
                new_v = turned(old_re, sin_decay[i]) + turned(old_v, cos_decay[i])
                new_re = min(max(new_re + (int(q[step, sample, i]) << 6), -limit), limit)
                new_v = min(max(new_v + (int(q[step, sample, n + i]) << 6), -limit), limit)
                if phase:
                    fired = new_re >= threshold[i] and new_v >= 0 and old_v < 0
                else:
                    fired = new_v >= threshold[i]
                    if fired:
                        new_re = 0
                        new_v = threshold[i] - 1
                re[sample, i] = new_re
                v[sample, i] = new_v
                spikes[step, sample, i] = 1 if fired else 0

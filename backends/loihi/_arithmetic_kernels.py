"""The step of Loihi's neuron over flat arrays; `LoihiNeuron.step` is its readable definition."""

from numba import prange

from nmcompile.arithmetic.jit import kernel, parallel_kernel


@kernel
def scaled(x, factor):
    product = abs(x) * factor >> 12
    return product if x >= 0 else -product


@kernel
def overflowed(x, half):
    return (x + half) % (2 * half) - half


@parallel_kernel
def advance(
    u, v, hold, q, spikes, du, dv, threshold, bias, bias_exponent, refractory, mode, inclusive,
    silent, complement, v_low, v_high
):
    """Advance all samples by one step in place; `mode`: none, zero, late or prompt subtract.

    `complement`: the edges are nengo-loihi's, which overflows in two's complement.
    """
    n_samples, n = v.shape
    half = 1 << 23
    for sample in prange(n_samples):
        for i in range(n):
            level = threshold[i] << 6
            below = level - 1 if inclusive else level
            arrived = int(q[sample, i]) << 6
            new_u = scaled(int(u[sample, i]), 4095 - du[i])
            driven = int(bias[i]) << bias_exponent
            if complement:
                new_u = overflowed(new_u + overflowed(arrived, 1 << 21), half)
                driven = overflowed(driven + new_u, half)
            else:
                new_u = half - (half - new_u - arrived) % (1 << 24)
                driven += new_u
            new_v = scaled(int(v[sample, i]), 4096 - dv[i]) + driven
            if mode == 2 and not silent and v[sample, i] > below:
                new_v -= level
            new_v = min(max(new_v, v_low), v_high)
            if hold[sample, i] > 0:
                new_v = 0
            fired = new_v > below and not silent
            if fired and mode == 1:
                new_v = 0
            elif fired and mode == 3:
                new_v -= level
            counter = refractory if fired else hold[sample, i]
            hold[sample, i] = max(counter - 1, 0)
            u[sample, i] = new_u
            v[sample, i] = new_v
            spikes[sample, i] = 1 if fired else 0


@parallel_kernel
def pass_on(v, q, spikes):
    """Advance all samples of relays by one step in place; `LoihiRelay.step` is its definition."""
    half = 1 << 23
    for sample in prange(v.shape[0]):
        for i in range(v.shape[1]):
            value = half - (half - int(q[sample, i])) % (1 << 24)
            v[sample, i] = value
            spikes[sample, i] = value


@parallel_kernel
def tell_changes(
    sigma, v, residue, q, spikes, threshold, offset, rectified, accumulates, shift
):
    """Advance sigma-delta neurons by one step in place; see `LoihiSigmaDelta.step`."""
    for sample in prange(v.shape[0]):
        for i in range(v.shape[1]):
            total = int(q[sample, i]) << shift
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
            spikes[sample, i] = delta >> 6 if sends else 0


@parallel_kernel
def adapt(
    u, v, theta, r, q, spikes, du, dv, dtheta, dr, threshold, threshold_step, bias, bias_exponent
):
    """Advance neurons with adaptive thresholds by one step in place; see `LoihiAdaptive.step`."""
    half = 1 << 23
    for sample in prange(v.shape[0]):
        for i in range(v.shape[1]):
            base = threshold[i] << 6
            new_u = scaled(int(u[sample, i]), 4095 - du[i]) + (int(q[sample, i]) << 6)
            new_u = half - (half - new_u) % (1 << 24)
            new_v = (
                scaled(int(v[sample, i]), 4096 - dv[i]) + new_u + (int(bias[i]) << bias_exponent)
            )
            new_v = min(max(new_v, 1 - half), half - 1)
            level = scaled(int(theta[sample, i]) - base, 4096 - dtheta[i]) + base
            refusal = scaled(int(r[sample, i]), 4096 - dr[i])
            fired = new_v - refusal >= level
            u[sample, i] = new_u
            v[sample, i] = new_v
            theta[sample, i] = level + (threshold_step[i] if fired else 0)
            r[sample, i] = refusal + (2 * level if fired else 0)
            spikes[sample, i] = 1 if fired else 0


@kernel
def turned(x, factor):
    product = abs(x) * abs(int(factor)) >> 12
    return product if (x >= 0) == (factor >= 0) else -product


@parallel_kernel
def turn(re, v, q, spikes, sin_decay, cos_decay, threshold, phase):
    """Advance resonators by one step in place; see `LoihiResonator.step`."""
    limit = (1 << 23) - 1
    n = v.shape[1]
    for sample in prange(v.shape[0]):
        for i in range(n):
            old_re, old_v = int(re[sample, i]), int(v[sample, i])
            new_re = turned(old_re, cos_decay[i]) - turned(old_v, sin_decay[i])
            new_v = turned(old_re, sin_decay[i]) + turned(old_v, cos_decay[i])
            new_re = min(max(new_re + (int(q[sample, i]) << 6), -limit), limit)
            new_v = min(max(new_v + (int(q[sample, n + i]) << 6), -limit), limit)
            if phase:
                fired = new_re >= threshold[i] and new_v >= 0 and old_v < 0
            else:
                fired = new_v >= threshold[i]
                if fired:
                    new_re = 0
                    new_v = threshold[i] - 1
            re[sample, i] = new_re
            v[sample, i] = new_v
            spikes[sample, i] = 1 if fired else 0

"""Pico's step over flat arrays; `PicoNeuron.step` is its readable definition."""

from nmcompile.arithmetic.jit import kernel


@kernel
def advance(r, v, q, spikes, bias, decay, threshold, refractory):
    """Advance all samples in place."""
    half = 1 << 19
    for sample in range(v.shape[0]):
        for step in range(len(q)):
            for i in range(v.shape[1]):
                spikes[step, sample, i] = 0
                if r[sample, i] > 0:
                    r[sample, i] -= 1
                    v[sample, i] = 0
                    continue
                kept = (int(v[sample, i]) * int(decay[i])) >> 12
                new = min(max(kept + bias[i] + int(q[step, sample, i]), -half), half - 1)
                if new >= threshold[i]:
                    spikes[step, sample, i] = 1
                    r[sample, i] = refractory[i]
                    new = 0
                v[sample, i] = new

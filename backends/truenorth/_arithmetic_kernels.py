"""TrueNorth's step over flat arrays; `TrueNorthNeuron.step` is its readable definition."""

from nmcompile.arithmetic.jit import kernel


@kernel
def advance(
    v, q, spikes, leak, threshold, floor, reset_value, mode, reversal, settles, saturates
):
    """Advance all samples in place; `mode`: no reset, to the reset value, linear."""
    n_samples, n = v.shape
    half = 1 << 19
    for sample in range(n_samples):
        for step in range(len(q)):
            for i in range(n):
                new = int(v[sample, i]) + int(q[step, sample, i])
                if not reversal:
                    new += leak[i]
                elif new > 0:
                    new += leak[i]
                    if settles and new < 0:
                        new = 0
                elif new < 0:
                    new -= leak[i]
                    if settles and new > 0:
                        new = 0
                new = min(max(new, -half), half - 1)
                fired = new >= threshold[i]
                if fired and mode == 1:
                    new = reset_value[i]
                elif fired and mode == 2:
                    new -= threshold[i]
                elif not fired and new < -floor[i]:
                    if saturates:
                        new = -floor[i]
                    elif mode == 1:
                        new = -reset_value[i]
                    elif mode == 2:
                        new += floor[i]
                v[sample, i] = new
                spikes[step, sample, i] = 1 if fired else 0

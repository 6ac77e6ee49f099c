"""Akida's activation over flat arrays; `AkidaNeuron.step` is its readable definition."""

from numba import prange

from nmcompile.arithmetic.jit import parallel_kernel


@parallel_kernel
def activate(v, q, sent, threshold, act_step, pool, limit):
    """Advance all samples by one step in place; q is (samples, pool * n), a `limit` of -1 none."""
    n_samples, n = v.shape
    for sample in prange(n_samples):
        for i in range(n):
            largest = int(q[sample, i])
            for place in range(1, pool):
                largest = max(largest, int(q[sample, place * n + i]))
            v[sample, i] = largest
            if limit < 0:
                sent[sample, i] = largest
                continue
            above = 16 * (largest - int(threshold[i]))
            step = int(act_step[i])
            value = (above + step - 1) // step if above > 0 else 0
            sent[sample, i] = min(value, limit)

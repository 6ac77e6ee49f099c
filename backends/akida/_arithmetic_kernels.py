"""Akida's activation over flat arrays; `AkidaNeuron.step` is its readable definition."""

from nmcompile.arithmetic.jit import kernel


@kernel
def activate(v, q, sent, threshold, level, pool, adds, limit):
    """Advance all samples in place; q is (steps, samples, pool * n), a `limit` of -1 sends sums."""
    n_samples, n = v.shape
    half = 1 << 19
    for sample in range(n_samples):
        for step in range(len(q)):
            for i in range(n):
                total = int(q[step, sample, i])
                if adds:
                    total = min(max(total, -half), half - 1)
                for place in range(1, pool):
                    other = int(q[step, sample, place * n + i])
                    total = min(max(total + other, -half), half - 1) if adds else max(total, other)
                v[sample, i] = total
                if limit < 0:
                    sent[step, sample, i] = total
                    continue
                above = 16 * (total - int(threshold[i]))
                width = int(level[i])
                value = (above + width - 1) // width if above > 0 else 0
                sent[step, sample, i] = min(value, limit)

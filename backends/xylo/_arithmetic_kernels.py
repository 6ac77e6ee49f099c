"""The step of Xylo's neuron over flat arrays; `XyloNeuron.step` is its readable definition."""

from nmcompile.arithmetic.jit import kernel


@kernel
def clip(x):
    return min(max(x, -32768), 32767)


@kernel
def lost(x, dash):
    shifted = x >> dash
    if shifted == 0:
        return 1 if x > 0 else (-1 if x < 0 else 0)
    return shifted


@kernel
def advance(u, u2, v, arriving, spikes, dash_syn, dash_mem, threshold, bias, alias, most):
    """Advance all samples in place.

    arriving  (steps, samples, currents * n)
    dash_syn  (currents, n)
    """
    n_samples, n = v.shape
    for sample in range(n_samples):
        for step in range(len(arriving)):
            spikes[step, sample] = 0
            for i in range(n):
                first = clip(int(u[sample, i]) + int(arriving[step, sample, i]))
                first -= lost(first, dash_syn[0, i])
                u[sample, i] = first
                second = 0
                if dash_syn.shape[0] == 2:
                    second = clip(int(u2[sample, i]) + int(arriving[step, sample, n + i]))
                    second -= lost(second, dash_syn[1, i])
                    u2[sample, i] = second
                membrane = int(v[sample, i])
                change = -lost(membrane, dash_mem[i])
                if change == 32768:
                    change = -32768
                change = clip(clip(change + first + second) + bias[i])
                membrane = clip(membrane + change)
                count = int(spikes[step, sample, i])
                if membrane >= threshold[i]:
                    own = min(membrane // threshold[i], most - count)
                    membrane -= own * threshold[i]
                    count += own
                v[sample, i] = membrane
                spikes[step, sample, i] = count
                if alias[i] >= 0:
                    copied = spikes[step, sample, alias[i]] + count
                    spikes[step, sample, alias[i]] = min(copied, most)

"""The step of SpiNNaker 2's neuron over flat arrays; see `Spinnaker2Neuron.step`."""

import numpy as np

from nmcompile.arithmetic.jit import kernel


@kernel
def advance(v, q, spikes, decay, threshold, offset, v_reset, subtracts):
    """Advance all samples in place."""
    for sample in range(v.shape[0]):
        for step in range(len(q)):
            for i in range(v.shape[1]):
                kept = np.float32(decay[i] * v[sample, i])
                volt = np.float32(np.float32(kept + offset[i]) + np.float32(q[step, sample, i]))
                fired = volt > threshold[i]
                if fired:
                    volt = np.float32(volt - threshold[i]) if subtracts else v_reset[i]
                v[sample, i] = volt
                spikes[step, sample, i] = 1 if fired else 0

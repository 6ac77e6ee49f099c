"""The step of SpiNNaker 2's neuron over flat arrays; see `Spinnaker2Neuron.step`."""

import numpy as np
from numba import prange

from nmcompile.arithmetic.jit import parallel_kernel


@parallel_kernel
def advance(v, q, spikes, decay, threshold, offset, v_reset, subtracts):
    """Advance all samples by one step in place."""
    for sample in prange(v.shape[0]):
        for i in range(v.shape[1]):
            kept = np.float32(decay[i] * v[sample, i])
            volt = np.float32(np.float32(kept + offset[i]) + np.float32(q[sample, i]))
            fired = volt > threshold[i]
            if fired:
                volt = np.float32(volt - threshold[i]) if subtracts else v_reset[i]
            v[sample, i] = volt
            spikes[sample, i] = 1 if fired else 0

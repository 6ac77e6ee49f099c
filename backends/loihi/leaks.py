"""The slowest leaks that Loihi's decay registers hold."""

from __future__ import annotations

import numpy as np
from nmcompile_backends.loihi.arithmetic import DECAY_BITS, NO_DECAY

from nmcompile.ir import Population
from nmcompile.ir.neurons import CubaLI, CubaLIF

UNITY = 2**DECAY_BITS
# v keeps (4096 - dv), u keeps (4096 - (du + 1)) of itself (lava-nc proc/lif/models.py,
# `subthr_dynamics`).
# theta and r keep as v does (proc/atrlif/models.py).
LEAST = {"decay": UNITY, "current_decay": UNITY - 1, "adaptation_decay": UNITY,
         "refractory_decay": UNITY}


def largest_factor(field: str, population: Population, microcode: bool) -> int:
    """The largest factor of a leak, in 4096ths, that `population` may have.

    A synaptic current that never decays is microcode of Loihi 2: Loihi 1 adds 1 to the register
    of all neurons of a core (`ds_offset` in lava-nc proc/lif/models.py). Such a current would add
    up a bias ahead of it for ever, which the bias behind it (`encode`) cannot do.
    """
    never = microcode and isinstance(population.neuron, CubaLI | CubaLIF)
    if field == "current_decay" and never and not np.any(population.bias):
        return LEAST[field] - NO_DECAY
    return LEAST[field]

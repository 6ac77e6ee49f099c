"""Real weights into the 16-bit magnitudes of SpiNNaker's synaptic words, as sPyNNaker scales them.

Sources are of sPyNNaker 7.4.1: population_vertex.py (`_Stats`, `get_ring_buffer_shifts`,
`get_weight_scales`), utilities/running_stats.py, synapse_dynamics_static.py, synapse_io.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, log, log2, sqrt

import numpy as np
from nmcompile_backends.spinnaker.arithmetic import RING_LIMIT
from scipy import special

from nmcompile.errors import RegisterError
from nmcompile.ir.neurons.base import Array

CONDUCTANCE_SCALE = 1024.0  # input_type_conductance.py `get_global_weight_scale`
RING_BUFFER_SIGMA = 5.0  # spynnaker.cfg `ring_buffer_sigma`
SPIKES_PER_SECOND = 30.0  # spynnaker.cfg `spikes_per_second`
SUMMATION_LIMIT = 3.0  # population_vertex.py `POSSION_SIGMA_SUMMATION_LIMIT`
EXP_LIMIT = 701.0  # same: beyond it exp overflows, and the variance of the weights is left out


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """What the scale of one synapse type depends on, for one projection.

    weight_mean, weight_variance, weight_max  of the magnitudes, in nA or uS
    delay_variance   0 where all delays are equal
    fan_in           most synapses of the projection that one neuron has
    """

    weight_mean: float
    weight_variance: float
    weight_max: float
    delay_variance: float
    fan_in: int


def incoming(weights: Array, targets: Array, delays_ms: Array) -> Incoming:
    """The statistics of synapses listed one by one (from_list_connector.py)."""
    size = np.abs(weights)
    return Incoming(
        weight_mean=float(np.mean(size)),
        weight_variance=float(np.var(size)),
        weight_max=float(np.max(size)),
        delay_variance=float(np.var(delays_ms)),
        fan_in=int(np.bincount(targets).max()),
    )


def ring_buffer_shift(
    projections: Sequence[Incoming],
    *,
    dt_ms: float = 1.0,
    conductance: bool = False,
    spikes_per_second: float = SPIKES_PER_SECOND,
    sigma: float = RING_BUFFER_SIGMA,
) -> int:
    """Bits by which ring buffer entries of one synapse type are shifted left into an accum.

    The smallest power of two above what a ring buffer entry is expected to hold, at least 1: the
    largest possible sum where all delays are equal, else `sigma` deviations above the mean of a
    Poisson sum.
    """
    scale = CONDUCTANCE_SCALE if conductance else 1.0
    steps_per_second = 1000.0 / dt_ms
    largest = max((p.weight_max * scale for p in projections), default=0.0)
    per_step = max(1.0, spikes_per_second / steps_per_second)
    # sPyNNaker leaves the scale of conductances out of this sum.
    total = sum(per_step * (p.weight_max * p.fan_in) for p in projections)
    if _pooled([(0.0, p.delay_variance, p.fan_in) for p in projections])[1] == 0.0:
        bound = max(total, largest)
    else:
        weights = _pooled([(p.weight_mean * scale, p.weight_variance * scale**2, p.fan_in)
                           for p in projections])
        spikes = sum(p.fan_in for p in projections) * spikes_per_second / steps_per_second
        bound = max(min(_poisson_bound(*weights, spikes, sigma), total), largest)
    power = 0 if bound <= 0 else ceil(max(0.0, log2(bound)))
    return power + 1 if 2**power <= bound else power


def weight_scale(shift: int, *, conductance: bool = False) -> float:
    """Magnitude units per nA (per uS for a conductance) of a synapse type with `shift`."""
    return 2.0 ** (15 - shift) * (CONDUCTANCE_SCALE if conductance else 1.0)


def quantise(name: str, weights: Array, shift: int, *, conductance: bool = False) -> Array:
    """(uint16) magnitudes of `weights`, rounded half to even; the sign is in the synapse type.

    Raises NmcError beyond 0xFFFF, of which sPyNNaker would keep the lowest 16 bits.
    """
    size = np.rint(np.abs(np.asarray(weights, np.float64)
                          * weight_scale(shift, conductance=conductance)))
    if size.size and size.max() > RING_LIMIT:
        raise RegisterError(name, f"a weight becomes {size.max():.0f} at shift {shift}, "
                            f"a synaptic word holds {RING_LIMIT}", "Use a larger shift.")
    return size.astype(np.uint16)


def _pooled(groups: list[tuple[float, float, int]]) -> tuple[float, float]:
    """Mean and variance of groups of (mean, variance, n) (`RunningStats.add_items`)."""
    n, mean, squares = 0, 0.0, 0.0
    for group_mean, variance, count in groups:
        if count > 0:
            delta = group_mean - mean
            mean = (n * mean + count * group_mean) / (n + count)
            squares = (squares + variance * (count - 1.0)
                       + delta * delta * n * count / (n + count))
            n += count
    return mean, squares / (n - 1.0) if n > 1 else 0.0


def _poisson_bound(mean: float, variance: float, spikes: float, sigma: float) -> float:
    """`sigma` deviations above the mean of a sum of weights whose number is Poisson."""
    deviation = sqrt(variance)
    spread = 0.0
    if deviation > 0:
        top = round(spikes + SUMMATION_LIMIT * sqrt(spikes))
        ratio = log(spikes) * top - special.gammaln(1 + top)
        if -EXP_LIMIT < ratio < EXP_LIMIT and ratio != 0.0:
            inside = exp(spikes) * special.gammaincc(1 + top, spikes) - exp(ratio)
            spread = exp(-spikes + log(spikes) + 2.0 * log(deviation) + log(inside))
    return spikes * mean + sigma * sqrt(spikes * mean**2 + spread)

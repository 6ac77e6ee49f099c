"""Real layers into Loihi's integers: which scale, which exponents, which registers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.loihi import adaptive, resonator
from nmcompile_backends.loihi.adaptive import LoihiAdaptive
from nmcompile_backends.loihi.arithmetic import (
    BIAS_EXPONENT_LIMIT,
    BIAS_MANTISSA_LIMIT,
    STATE_BITS,
    STATE_SHIFT,
    THRESHOLD_LIMIT,
    LoihiNeuron,
)
from nmcompile_backends.loihi.encode_graded import (
    fixed_scale,
    graded_limit,
    graded_neuron,
    is_graded,
)
from nmcompile_backends.loihi.leaks import largest_factor
from nmcompile_backends.loihi.resonator import LoihiResonator
from nmcompile_backends.loihi.soft_reset import EXPONENT_LIMIT, MANTISSA_LIMIT, LoihiSoftReset

from nmcompile.backend import EncodedLayer, Layer
from nmcompile.errors import ChipNeuronError
from nmcompile.ir import Population, Projection, SynapseFormat, WeightWidth
from nmcompile.ir.neurons import ATRLIF, LI, LIF, CubaLI, CubaLIF, Reset, ResetAt, ResonateFire
from nmcompile.ir.neurons.base import Array, ChipNeuron, Neuron
from nmcompile.misfits import reached
from nmcompile.target import Target

EXPONENTS = (-8, 7)  # weight exponent register (brian2-loihi 0.5.2 `synapses`)
STATE_LIMIT = 2 ** (STATE_BITS - 1 - STATE_SHIFT) - 1  # largest u and v in units of a weight
# Share of the state range for peaks seen on calibration data: beyond it u wraps, v saturates.
HEADROOM = {"u": 0.5, "v": 1.0, "re": 1.0}
LOIHI_BIAS_EXPONENT = 6  # the exponent that lava-dl's .net files imply (netx/hdf5.py)
PAYLOAD_BITS = 16  # that relays and sigma-delta neurons need
BIAS_LIMIT = BIAS_MANTISSA_LIMIT * 2 ** (BIAS_EXPONENT_LIMIT - STATE_SHIFT)  # in weight units
FINE_THRESHOLD = 2**5  # weight units; below it exponents that make a threshold finer are taken
FINE_BIAS = 2**7  # thresholds below this need a bias finer than one unit of weight


def natural_scale(layer: Layer, target: Target) -> float:
    """Weight units per real unit at which the weights of the finest projection fill their bits.

    Less where the exponents of the coarsest would not do, more where a threshold would be coarse.
    """
    _, high, _ = layer.width.within(*weight_levels("mixed", layer.width.bits))
    fills = [
        high / (peak * unit)
        for p, unit in zip(layer.projections, layer.units, strict=True)
        if (peak := float(np.abs(p.map.weights()).max(initial=0.0))) > 0
    ]
    if not fills:
        return _register_limit(layer, target)
    room = min(fills) * 2.0 ** EXPONENTS[1]
    return min(_finer(layer, min(max(fills), room), room), _register_limit(layer, target))


def _finer(layer: Layer, scale: float, room: float) -> float:
    """`scale` times a power of two, up to `room`, at which the smallest threshold is fine."""
    threshold = np.asarray(getattr(layer.population.neuron, "threshold", np.inf), np.float64)
    level = float(threshold[threshold > 0].min(initial=np.inf)) * scale
    wanted = np.ceil(np.log2(FINE_THRESHOLD / level)) if level < FINE_THRESHOLD else 0.0
    return scale * 2.0 ** min(wanted, np.floor(np.log2(room / scale)))


def encode(layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
    """`layer` in Loihi's integers at `scale` weight units per real unit, or the largest that fits.

    Weights round to nearest; those up to `clip` times beyond a full mantissa saturate before a
    coarser exponent is taken. Two's complement of mixed signs loses the lowest of its bits
    (lava-nc utils/weightutils.py), so those mantissas are even.
    """
    population, limit = layer.population, _register_limit(layer, target)
    scale = limit if fixed_scale(population.neuron) else min(scale, limit)
    neuron: ChipNeuron
    if is_graded(population.neuron):
        neuron, unit, message_unit = graded_neuron(layer, scale)
    else:
        neuron = _neuron(layer, scale, target)
        unit, message_unit = 1 / (scale * 2**STATE_SHIFT), 1.0
    neuron.verify(population.name, population.shape)
    projections = tuple(
        _projection(p, scale * unit, clip, layer.width)
        for p, unit in zip(layer.projections, layer.units, strict=True)
    )
    zero = np.zeros((), np.int32)
    return EncodedLayer(
        population=replace(population, neuron=neuron, bias=zero),
        projections=projections,
        unit=unit,
        current_unit=1.0 / scale,
        message_unit=message_unit,
    )


def _register_limit(layer: Layer, target: Target) -> float:
    """Largest scale at which threshold, bias and the states seen stay inside their registers."""
    neuron = layer.population.neuron
    if is_graded(neuron):
        return graded_limit(layer)
    ceilings = [(STATE_LIMIT * share, layer.peaks[name])
                for name, share in HEADROOM.items() if name in layer.peaks]
    for name in ("u", "v"):
        start = np.abs(getattr(neuron, f"{name}_init", np.zeros(()))).max()
        ceilings.append((STATE_LIMIT, float(start)))
    if isinstance(neuron, LIF | CubaLIF):
        level = float(reached(neuron.threshold, layer).max(initial=0.0))
        ceilings.append((THRESHOLD_LIMIT, level))
        if neuron.reset is Reset.SUBTRACT and not has_microcode(target):
            ceilings.append((MANTISSA_LIMIT << EXPONENT_LIMIT, level))
    if isinstance(neuron, ATRLIF):
        ceilings += [(adaptive.THRESHOLD_LIMIT, float(values.max()))
                     for values in (neuron.threshold, neuron.threshold_step)]
    ceilings.append((BIAS_LIMIT, float(np.abs(membrane_bias(layer.population)).max())))
    return min((limit / peak for limit, peak in ceilings if peak > 0), default=1e6)


def has_microcode(target: Target) -> bool:
    """Whether neurons are programs, as on Loihi 2; it has payloads too, of 16 bits."""
    return target.formats.payload_bits.value >= PAYLOAD_BITS


def _neuron(layer: Layer, scale: float, target: Target) -> ChipNeuron:
    neuron = layer.population.neuron
    if isinstance(neuron, ResonateFire):
        return _resonator(layer, scale)
    if isinstance(neuron, ATRLIF):
        return _adaptive(layer, scale)
    whole = _integrator(layer, scale, target)
    if has_microcode(target) or whole.silent or whole.reset is Reset.ZERO:
        return whole
    return _of_two_compartments(layer, whole, scale)


def _of_two_compartments(layer: Layer, whole: LoihiNeuron, scale: float) -> ChipNeuron:
    """`whole` without microcode: the soma of two compartments fires, and resets by a synapse.

    A synapse takes its weight behind the leak of the next step. Of a reset at the spike the leak
    leaves its part.
    """
    neuron = layer.population.neuron
    assert isinstance(neuron, LIF | CubaLIF)
    if neuron.reset is Reset.NONE:
        return replace(whole, compartments=2)
    kept = 1.0 if whole.subtract_late else (4096 - whole.dv) / 4096
    taken = np.asarray(neuron.threshold, np.float64) * scale * kept
    near = neuron.threshold <= reached(neuron.threshold, layer).max(initial=0.0)
    largest = min(float((taken * near).max()), MANTISSA_LIMIT << EXPONENT_LIMIT)
    exponent = max(0, int(np.ceil(np.log2(max(largest, 1.0) / MANTISSA_LIMIT) - 1e-9)))
    mantissa = np.minimum(np.rint(taken / 2**exponent), MANTISSA_LIMIT)
    below = np.asarray(neuron.fires_at_threshold, np.int32)  # it fires above its threshold only
    return LoihiSoftReset(
        dv=whole.dv, threshold=np.maximum(whole.threshold - below, 0).astype(np.int32),
        bias_mantissa=whole.bias_mantissa, bias_exponent=whole.bias_exponent,
        reset_mantissa=mantissa.astype(np.int32), reset_exponent=exponent, v_init=whole.v_init)


def _integrator(layer: Layer, scale: float, target: Target) -> LoihiNeuron:
    neuron = layer.population.neuron
    level = float(np.min(getattr(neuron, "threshold", np.inf))) * scale
    mantissa, exponent = _bias(membrane_bias(layer.population) * scale, level)
    current = getattr(neuron, "current_decay", np.zeros(()))
    u_init = _current_init(neuron, scale, mantissa << exponent)
    slowest = 4095 - largest_factor("current_decay", layer.population, has_microcode(target))
    if isinstance(neuron, LI | CubaLI):
        return LoihiNeuron(
            du=_decay(current, 4095, slowest),
            dv=_decay(neuron.decay, 4096),
            threshold=np.full((), THRESHOLD_LIMIT, np.int32),
            bias_mantissa=mantissa,
            bias_exponent=exponent,
            reset=Reset.NONE,
            silent=True,
            u_init=u_init,
            v_init=_started(neuron, "v", scale),
        )
    if not isinstance(neuron, LIF | CubaLIF):
        raise ChipNeuronError(layer.population.name, f"Loihi has no '{neuron.kind}' neuron")
    threshold = np.clip(np.rint(neuron.threshold * scale), neuron.threshold > 0,
                        THRESHOLD_LIMIT).astype(np.int32)
    inclusive = neuron.fires_at_threshold and neuron.reset is Reset.SUBTRACT
    lost_input = neuron.reset is Reset.ZERO and neuron.reset_at is ResetAt.INPUT
    return LoihiNeuron(
        du=_decay(current, 4095, slowest),
        dv=_decay(neuron.decay, 4096),
        threshold=np.maximum(
            threshold - int(neuron.fires_at_threshold and not inclusive), 0),
        bias_mantissa=mantissa,
        bias_exponent=exponent,
        refractory=2 if lost_input else 1,
        reset=neuron.reset,
        subtract_late=neuron.reset_at is ResetAt.INPUT,
        inclusive=inclusive,
        u_init=u_init,
        v_init=_started(neuron, "v", scale),
    )


def _adaptive(layer: Layer, scale: float) -> LoihiAdaptive:
    neuron = layer.population.neuron
    assert isinstance(neuron, ATRLIF)
    bias = membrane_bias(layer.population) * scale
    mantissa, exponent = _bias(bias, float(neuron.threshold.min()) * scale)
    step = np.asarray(neuron.threshold_step, np.float64) * scale * 2**STATE_SHIFT
    return LoihiAdaptive(
        du=_decay(neuron.current_decay, 4095), dv=_decay(neuron.decay, 4096),
        dtheta=_decay(neuron.adaptation_decay, 4096), dr=_decay(neuron.refractory_decay, 4096),
        threshold=np.rint(neuron.threshold * scale).astype(np.int32),
        threshold_step=np.rint(step).astype(np.int32),
        bias_mantissa=mantissa, bias_exponent=exponent,
        u_init=_current_init(neuron, scale, mantissa << exponent),
        v_init=_started(neuron, "v", scale))


def _resonator(layer: Layer, scale: float) -> LoihiResonator:
    neuron = layer.population.neuron
    assert isinstance(neuron, ResonateFire)
    threshold = np.rint(neuron.threshold.astype(np.float64) * scale * 2**STATE_SHIFT)
    return LoihiResonator(
        sin_decay=_turn(neuron.sin_decay), cos_decay=_turn(neuron.cos_decay), phase=neuron.phase,
        threshold=np.clip(threshold, 1, resonator.STATE_LIMIT).astype(np.int32))


def _turn(factor: Array) -> Array:
    return np.rint(np.asarray(factor, np.float64) * resonator.UNITY).astype(np.int32)


def _current_init(neuron: Neuron, scale: float, bias: Array) -> Array:
    """U before the first step, in its own unit, for a chip's `bias` in that unit."""
    current = getattr(neuron, "current_decay", np.zeros(()))
    behind = np.rint(getattr(neuron, "v_bias", np.zeros(())) * scale * 2.0**STATE_SHIFT)
    return _started(neuron, "u", scale) + _settled(bias - behind, current)


def _started(neuron: Neuron, variable: str, scale: float) -> Array:
    """A state before the first step, in its own unit; 0 for a neuron without it."""
    value = getattr(neuron, f"{variable}_init", np.zeros(()))
    return np.rint(np.asarray(value, np.float64) * scale * 2.0**STATE_SHIFT).astype(np.int32)


def membrane_bias(population: Population) -> Array:
    """The bias behind the synaptic current that a bias ahead of it settles at, and its own.

    A constant b into u = a * u + b settles at b / (1 - a). Loihi adds its bias to v instead; with
    u beginning at the negative of that, the two sums are equal in every step.
    """
    neuron = population.neuron
    if not isinstance(neuron, CubaLIF | CubaLI | ATRLIF):
        return population.bias
    kept = (4095 - _decay(neuron.current_decay, 4095)) / 4096
    behind = population.bias / (1 - kept)
    return behind if isinstance(neuron, ATRLIF) else behind + neuron.v_bias


def _settled(bias: Array, current_decay: Array) -> Array:
    """U before the first step for a chip's `bias`, in the unit of u; 0 where u keeps nothing."""
    return np.where(current_decay > 0, -bias, 0).astype(np.int32)


def _decay(factor: Array, unity: int, lowest: int = 0) -> Array:
    """The 12-bit decay register whose factor (unity - register) / 4096 is nearest to `factor`."""
    register = unity - np.rint(np.asarray(factor, np.float64) * 4096)
    return np.clip(register, lowest, 4095).astype(np.int32)


def _bias(bias: Array, threshold: float) -> tuple[Array, int]:
    """Mantissa and exponent of `bias`; both arguments in units of a weight.

    The exponent is the one that lava-dl's files imply unless the bias does not fit under it, or
    the threshold is so low that half a unit of weight in each step would count.
    """
    value = np.asarray(bias, np.float64) * 2**STATE_SHIFT
    largest = float(np.abs(value).max())
    lowest = LOIHI_BIAS_EXPONENT if threshold >= FINE_BIAS else 0
    exponent = max(lowest, int(np.ceil(np.log2(max(largest, 1.0) / BIAS_MANTISSA_LIMIT))))
    exponent = min(exponent, BIAS_EXPONENT_LIMIT)
    mantissa = np.rint(value / 2**exponent)
    clipped = np.clip(mantissa, -BIAS_MANTISSA_LIMIT, BIAS_MANTISSA_LIMIT)
    return clipped.astype(np.int32), exponent


def _sign(weights: Array) -> str:
    if np.all(weights >= 0):
        return "excitatory"
    return "inhibitory" if np.all(weights <= 0) else "mixed"


def weight_levels(sign: str, bits: int) -> tuple[int, int, int]:
    """Lowest and highest mantissa, and the step between two (lava-nc utils/weightutils.py)."""
    if sign == "mixed":
        return -(2**bits), 2**bits - 2, 2
    return (0, 2**bits - 1, 1) if sign == "excitatory" else (1 - 2**bits, 0, 1)


def _projection(
    projection: Projection, scale: float, clip: float, width: WeightWidth
) -> Projection:
    real = projection.map.weights().astype(np.float64) * scale
    sign = _sign(real)
    low, high, step = width.within(*weight_levels(sign, width.bits))
    largest = float(np.abs(real).max(initial=0.0))
    fill = largest / (high or -low) / clip
    exponent = int(np.ceil(np.log2(fill) - 1e-9)) if largest > 0 else 0
    exponent = min(max(exponent, EXPONENTS[0]), EXPONENTS[1])
    mantissa = np.clip(np.rint(real / 2.0**exponent / step) * step, low, high)
    return replace(
        projection,
        map=projection.map.with_weights(mantissa.astype(np.int16)),
        format=SynapseFormat(bits=width.bits, exponent=exponent, sign=sign),
    )

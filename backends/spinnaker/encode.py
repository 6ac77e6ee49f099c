"""Real layers into SpiNNaker's integers: ring buffers that nothing overfills, the finest accums.

One unit of a weight is one of a ring buffer's entry, which is shifted left into an accum. The
largest shift is taken with which currents and potentials stay in their words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, inf, log2

import numpy as np
from nmcompile_backends.spinnaker.accum import LIMITS
from nmcompile_backends.spinnaker.arithmetic import RING_LIMIT, SpinnakerNeuron
from nmcompile_backends.spinnaker.dynamics import Dynamics, dynamics

from nmcompile.backend import EncodedLayer, Layer
from nmcompile.ir import Population, Projection, SynapseFormat
from nmcompile.ir.formats import SPLIT
from nmcompile.ir.neurons import LIF, CubaLI, CubaLIF, Reset, ResetAt
from nmcompile.ir.neurons.base import Array
from nmcompile.misfits import largest_weight, reached
from nmcompile.target import Target

WEIGHT_BITS = 16
LARGEST_SHIFT = 15  # a full entry shifted by it still is an accum above 0
HEADROOM = 2.0  # for currents and membranes beyond those seen on calibration data
HIGHEST = LIMITS[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Room:
    """What bounds the scale of a layer, in real units.

    entry   largest sum of weights of one sign that may arrive in a step, all sources firing
    values  largest values of accums when a unit of weight is one of an accum
    """

    entry: float
    values: float


def weight_levels(bits: int) -> tuple[int, int, int]:
    """Lowest and highest weight of `bits`, and the step between two; 16 bits are a magnitude's."""
    high = RING_LIMIT if bits == WEIGHT_BITS else 2 ** (bits - 1) - 1
    return -high, high, 1


def natural_scale(layer: Layer, target: Target) -> float:
    """Weight units per real unit at which ring buffers or the largest weight are just full."""
    return _natural(layer, room_of(layer, dynamics(layer.population)))


def encode(layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
    """`layer` in integers at `scale`, or the largest at which every register holds.

    Up to `clip` times beyond the natural scale, the largest weights saturate, and ring buffers do
    where nearly all sources fire at once.
    """
    population, found = layer.population, dynamics(layer.population)
    room = room_of(layer, found)
    scale = min(scale, _natural(layer, room) * clip, HIGHEST / room.values)
    shift = int(np.clip(floor(log2(HIGHEST / (room.values * scale))), 0, LARGEST_SHIFT))
    neuron = _neuron(population, found, scale, shift)
    neuron.verify(population.name, population.shape)
    share = float(np.mean(found.share))
    return EncodedLayer(
        population=replace(population, neuron=neuron, bias=np.zeros((), np.int32)),
        projections=tuple(_projection(p, scale * unit, layer)
                          for p, unit in zip(layer.projections, layer.units, strict=True)),
        unit=1 / (scale * 2.0**shift * share), current_unit=1 / scale)


def settled_bias(population: Population, kept: Array) -> Array:
    """The constant current that a bias ahead of a synaptic current settles at, and its own."""
    ahead = np.asarray(population.bias, np.float64)
    if isinstance(population.neuron, CubaLIF | CubaLI):
        return ahead / (1 - kept) + population.neuron.v_bias
    return ahead


def room_of(layer: Layer, found: Dynamics) -> Room:
    """What `layer` needs of entries and accums."""
    population = layer.population
    entry = _fullest_entry(layer)
    bias = settled_bias(population, found.kept)
    current = HEADROOM * layer.peaks.get("u", 0.0) + np.abs(bias)
    level = reached(getattr(population.neuron, "threshold", np.zeros(())), layer)
    values = [
        entry * found.gain / (1 - found.kept),
        current * found.gain,
        current * found.share / (1 - found.keeps),
        found.share * HEADROOM * layer.peaks.get("v", 0.0),
        found.share * level.max(initial=0.0),
        found.share * np.abs(population.neuron.v_init),  # type: ignore[attr-defined]
    ]
    return Room(entry=entry, values=max(*(float(np.max(v)) for v in values), 1 / HIGHEST))


def _natural(layer: Layer, room: Room) -> float:
    _, high, _ = layer.width.within(*weight_levels(layer.width.bits))
    largest = largest_weight(layer)
    return min(high / largest if largest > 0 else inf,
               RING_LIMIT / room.entry if room.entry > 0 else inf, HIGHEST / room.values)


def _fullest_entry(layer: Layer) -> float:
    """The largest sum of one neuron's weights of one sign."""
    sums = np.zeros((2, layer.population.size))
    for projection, unit in zip(layer.projections, layer.units, strict=True):
        weights = projection.map.weights().astype(np.float64) * unit
        ones = np.ones((1, int(np.prod(projection.map.in_shape))))
        for kind, sign in enumerate((1, -1)):
            one = projection.map.with_weights(np.maximum(sign * weights, 0))
            sums[kind] += one.apply(ones)[0]
    return float(sums.max(initial=0.0))


def _neuron(population: Population, found: Dynamics, scale: float, shift: int) -> SpinnakerNeuron:
    model, unit = population.neuron, scale * 2.0**shift
    bias = settled_bias(population, found.kept)
    threshold, refractory = np.full((), HIGHEST, np.int64), 0
    if isinstance(model, LIF | CubaLIF):
        strict = 0 if model.fires_at_threshold else 1
        threshold = _word(model.threshold * found.share * unit) + strict
        lost = model.reset is Reset.ZERO and model.reset_at in (ResetAt.INPUT, ResetAt.UNDELAYED)
        refractory = int(lost)
    return replace(
        found.neuron, shift_exc=shift, shift_inh=shift, early=population.start,
        threshold=np.minimum(threshold, HIGHEST).astype(np.int32),
        refractory=np.full((), refractory, np.int32),
        i_offset=_word(bias * found.gain * unit).astype(np.int32),
        v_init=_word(model.v_init * found.share * unit).astype(np.int32),  # type: ignore[attr-defined]
        exc_init=_current_init(population, found, unit))


def _current_init(population: Population, found: Dynamics, unit: float) -> Array:
    """The excitatory current before the core's first step.

    The constant current acts in full from the first step on; the model's grows to it, so what is
    missing begins below 0. It decays in the steps ahead of the network's first as well.
    """
    model = population.neuron
    if not isinstance(model, CubaLIF | CubaLI) or found.neuron.delta:
        return np.zeros((), np.int32)
    kept = found.kept
    before = np.asarray(model.u_init, np.float64) - np.asarray(population.bias) / (1 - kept)
    started = np.divide(kept * before, kept**population.start,
                        out=np.zeros(np.broadcast(kept, before).shape), where=kept > 0)
    return _word(started * found.gain * unit).astype(np.int32)


def _projection(projection: Projection, scale: float, layer: Layer) -> Projection:
    low, high, _ = layer.width.within(*weight_levels(layer.width.bits))
    real = projection.map.weights().astype(np.float64) * scale
    whole = np.clip(np.rint(real), low, high).astype(np.int32)
    return replace(projection, map=projection.map.with_weights(whole),
                   format=SynapseFormat(bits=layer.width.bits, sign=SPLIT))


def _word(values: Array) -> Array:
    return np.clip(np.rint(values), *LIMITS).astype(np.int64)

"""Values that no format of a chip holds even nearly: leaks, and what shares the weights' scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nmcompile.backend import Layer, Misfit
from nmcompile.ir import Population
from nmcompile.ir.neurons import LIF, ResetAt
from nmcompile.ir.neurons.base import Array
from nmcompile.target import Target

CHANGE = 0.005  # of a state over the run; a leak whose loss changes less is rounded like others
STATES = {"decay": "membrane", "current_decay": "synaptic current",
          "adaptation_decay": "rise of the threshold", "refractory_decay": "refractoriness"}
UNREACHED = 4.0  # times the peak membrane: levels beyond it only need to stay out of reach


@dataclass(frozen=True, kw_only=True)
class Room:
    """Between which scales, in units of a weight per real unit, a layer's weights can be stored.

    coarsest          at it the largest weight is one step
    finest            at it the largest weight fills its bits
    threshold, bias   largest value of the register, in units of a weight
    """

    coarsest: float
    finest: Callable[[Layer], float]
    threshold: float
    bias: float


def reached(levels: Array, layer: Layer) -> Array:
    """Those of `levels` that the membranes seen come near."""
    values = np.asarray(levels, np.float64).reshape(-1)
    return values[_near(values, layer)]


def largest_weight(layer: Layer) -> float:
    """The largest magnitude of what one unit of a source's payload adds, in real units."""
    return max((float(np.abs(p.map.weights()).max(initial=0.0)) * unit
                for p, unit in zip(layer.projections, layer.units, strict=True)), default=0.0)


def slow_leak(
    population: Population, field: str, lost: Array, nearest: float, held: str, steps: int
) -> Misfit | None:
    """A leak that the nearest one would change by more than CHANGE over `steps`, or None.

    field    a key of STATES
    lost     which neurons' leak the chip takes for `nearest`, where it is another
    held     in words what the chip holds
    """
    decay = np.asarray(getattr(population.neuron, field), np.float64)
    lost = lost & (np.abs(decay**steps - nearest**steps) > CHANGE)
    if not np.any(lost):
        return None
    neuron: Any = population.neuron
    legal = np.where(lost, nearest, decay).astype(np.float32)
    return Misfit(
        where=population.name,
        what=f"the {STATES[field]} keeps {_span(decay[lost])} of itself each step, {held}",
        nearest=f"{nearest:g}", effect=_slower(decay[lost], nearest),
        legal=replace(population, neuron=replace(neuron, **{field: legal})))


def without_factor(
    layer: Layer, target: Target, steps: int, room: Callable[[float], Room]
) -> Iterator[Misfit]:
    """Misfits on chips whose membranes leak by a constant only: any decay, and what leaves `room`.

    room  of the largest weight, above 0
    """
    neuron = layer.population.neuron
    assert isinstance(neuron, LIF)
    misfit = slow_leak(layer.population, "decay", np.asarray(neuron.decay < 1), 1.0,
                       f"{target.name} leaks by a constant and not by a factor", steps)
    if misfit is not None:
        assert misfit.legal is not None
        plain = misfit.legal.neuron
        assert isinstance(plain, LIF)
        legal = replace(misfit.legal, neuron=replace(plain, reset_at=ResetAt.SPIKE))
        yield replace(misfit, legal=legal)
        layer = replace(layer, population=legal)
    largest = largest_weight(layer)
    if largest > 0:
        yield from out_of_scale(layer, target, room(largest), layer.population.bias)


def out_of_scale(layer: Layer, target: Target, room: Room, bias: Array) -> Iterator[Misfit]:
    """Thresholds and biases that leave the weights no scale, one by one.

    A threshold that nothing comes near may lie anywhere above. One that becomes 0 beside full
    weights is lost as well.

    bias  what is added to the membranes in each step, in real units
    """
    if largest_weight(layer) == 0 or not np.all(np.isfinite(layer.units)):
        return  # of graded messages the units are not known yet
    threshold = getattr(layer.population.neuron, "threshold", None)
    if threshold is not None:
        most = room.threshold / room.coarsest
        misfit = _misfit(layer, target, "threshold", threshold,
                         (threshold > most) & _near(threshold, layer), most)
        if misfit is not None:
            yield misfit
            layer = _with(layer, misfit)
    most = room.bias / room.coarsest
    misfit = _misfit(layer, target, "bias", bias, np.abs(bias) > most, most)
    if misfit is not None:
        yield misfit
        layer = _with(layer, misfit)
    if threshold is not None:
        scale = room.finest(layer)
        lost = (threshold > 0) & (np.rint(threshold * scale) < 1)
        misfit = _misfit(layer, target, "threshold", threshold, lost, 1 / scale)
        if misfit is not None:
            yield misfit


def _near(levels: Array, layer: Layer) -> Array:
    return np.abs(levels) <= UNREACHED * layer.peaks.get("v", 0.0)


def _with(layer: Layer, misfit: Misfit) -> Layer:
    assert misfit.legal is not None
    return replace(layer, population=misfit.legal)


def _misfit(
    layer: Layer, target: Target, field: str, values: Array, lost: Array, nearest: float
) -> Misfit | None:
    if not np.any(lost):
        return None
    values = np.asarray(values, np.float64)
    ratio = np.where(lost, nearest / np.where(lost, np.abs(values), 1.0), 1.0)
    least = float(np.abs(values[lost]).min())
    held = (f"{nearest:.4g} or more at the scale of its weights and states" if nearest > least else
            f"{nearest:.4g} or less beside weights of up to {largest_weight(layer):.4g}")
    effect = (f"its neurons would fire at {nearest / least:.3g} times their level"
              if field == "threshold" else f"its neurons would get {nearest / least:.3g} of it")
    return Misfit(
        where=layer.population.name,
        what=f"a {field} of {_span(values[lost])}, {target.name} holds {held}",
        nearest=f"{nearest:.4g}", effect=effect, legal=_legal(layer.population, field, ratio))


def _legal(population: Population, field: str, ratio: Array) -> Population:
    """`population` with a field times `ratio`; a bias is that ahead of a current and behind."""
    neuron: Any = population.neuron
    if field == "threshold":
        values = (neuron.threshold * ratio).astype(np.float32)
        return replace(population, neuron=replace(neuron, threshold=values))
    if np.any(getattr(neuron, "v_bias", 0)):
        neuron = replace(neuron, v_bias=(neuron.v_bias * ratio).astype(np.float32))
    return replace(population, neuron=neuron,
                   bias=(population.bias * ratio).astype(np.float32))


def _span(values: Array) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _slower(decay: Array, nearest: float) -> str:
    kept = f"{1 / (1 - nearest):,.0f}" if nearest < 1 else ""
    if np.all(decay >= 1):
        return f"with a time constant of {kept} steps in place of none"
    steps = f"a time constant of {1 / (1 - float(decay.max())):,.0f} steps"
    return f"{f'with one of {kept}' if kept else 'without any leak'} in place of {steps}"

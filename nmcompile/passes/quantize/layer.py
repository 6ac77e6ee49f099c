"""The integers of one layer: which scale, which rounding, which threshold and bias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from nmcompile.backend import Backend, EncodedLayer, Layer
from nmcompile.errors import NmcError
from nmcompile.ir.maps import Conv
from nmcompile.ir.neurons.base import Array
from nmcompile.ir.neurons.units import has_free_unit, in_units
from nmcompile.passes.quantize.channels import equalised, gains, in_own_units, trained_gains
from nmcompile.passes.quantize.measure import (
    Seen,
    clipped_weights,
    differing_spikes,
    membrane_error,
    overflows,
    real_current,
    weight_error,
    whole_input,
)
from nmcompile.passes.quantize.rounding import rounded_by_inputs
from nmcompile.passes.quantize.trained import as_trained
from nmcompile.target import Target

# Scales times the natural one, at which the largest weight just fills its bits; above 1 outliers
# saturate. The fewer bits, the more that is worth (Banner et al. 2019, arXiv 1810.05723, fig. 1).
SCALES = (0.7, 0.85, 1.0, 1.2, 1.4, 1.7)
COARSE = (2.0, 2.4, 2.9, 3.5, 4.2, 5.0)  # further scales for weights of FEW bits or less
FEW = 5
PERCENTILES = (99.9, 99.0)
FINE_BITS = 8  # a threshold in units of weights this wide is as fine as it needs to be
NOTHING = 5e-4  # of a threshold: membranes with less of an error are all as good
NEARLY = 1.05  # times the least error: smaller weights are worth that much
OWN = "own scales"  # of each channel or neuron
WORTH_IT = 1.25  # times less error that this must leave, for it takes registers
ROUNDED = 3  # scales at which weights of FEW bits are rounded by their inputs


Way = TypeVar("Way")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A way to choose the scale, and the membrane error over the threshold that it leaves."""

    method: str
    error: float


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """How well one layer's integers follow it.

    scale      units of the membrane in one real unit
    gain       times that for each neuron, where they have units of their own
    error      root mean square error of v over its threshold, of what was kept
    trials     what each way to choose the scale leaves with weights rounded to nearest
    kept       the ways taken, in words
    clipped    weights that saturate
    overflows  by state: how often it left its register on the calibration data
    """

    population: str
    width: str
    weights: int
    scale: float
    error: float
    trials: tuple[Trial, ...]
    kept: str
    clipped: int = 0
    gain: Array | None = None
    overflows: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Attempt:
    """An encoding at `factor` times the natural scale, with its membrane error.

    scale  that times the highest power of two at which the weights are as good: it makes
           thresholds finer
    """

    factor: float
    encoded: EncodedLayer
    error: float
    scale: float


def best_layer(
    layer: Layer, seen: Seen, target: Target, backend: Backend, *, one_unit: bool = False
) -> tuple[EncodedLayer, LayerError]:
    """The encoding with the least membrane error of all that are tried, and that error.

    one_unit  whether every membrane must have the same unit, for they are read
    """
    thresholds = 1 if one_unit else backend.own_thresholds
    trained = _as_trained(layer, seen, target, backend, thresholds)
    if trained is not None:
        return trained
    encoded, told = _searched(layer, seen, target, backend)
    gain = gains(layer, thresholds)
    if gain is None:
        return encoded, told
    own, own_seen = equalised(layer, seen, gain)
    finer, finer_told = _searched(own, own_seen, target, backend)
    finer = in_own_units(finer, gain)
    error = membrane_error(finer, seen) / threshold_of(layer, seen)
    trials = (*told.trials, Trial(method=OWN, error=error))
    if error * WORTH_IT > told.error:
        return encoded, replace(told, trials=trials)
    return finer, replace(finer_told, gain=gain, error=error, trials=trials,
                          kept=f"{finer_told.kept}, {OWN}")


def _as_trained(
    layer: Layer, seen: Seen, target: Target, backend: Backend, thresholds: int
) -> tuple[EncodedLayer, LayerError] | None:
    """The integers that the layer was trained with, at the first scale that is nearly the best."""
    kept = "as trained"
    gain, found = None, list(as_trained(layer, backend, target))
    if not found and (gain := trained_gains(layer, thresholds)) is not None:
        kept = f"as trained, {OWN}"
        layer, seen = equalised(layer, seen, gain)
        found = list(as_trained(layer, backend, target))
    if not found:
        return None
    trained = [(membrane_error(encoded, seen), encoded) for encoded in found]
    least = min(error for error, _ in trained)
    error, encoded = next(t for t in trained if t[0] <= least * NEARLY)
    told = replace(_told(layer, seen, backend, (error, encoded, kept), ()), gain=gain)
    return (encoded if gain is None else in_own_units(encoded, gain)), told


def _searched(
    layer: Layer, seen: Seen, target: Target, backend: Backend
) -> tuple[EncodedLayer, LayerError]:
    """The encoding at the best scale, with the best rounding, threshold and bias."""
    attempts = [_attempt(layer, seen, factor, target, backend)
                for factor in _factors(layer)]
    trials = tuple(_methods(layer, seen, attempts))
    best = sorted(attempts, key=lambda attempt: attempt.error)
    telling = NOTHING * threshold_of(layer, seen)
    alike = [attempt for attempt in best if attempt.error < telling]
    best[: len(alike)] = _by_spikes(alike, [attempt.encoded for attempt in alike], seen)
    candidates = [(best[0].error, best[0].encoded, "rounded to nearest")]
    for attempt in best[: ROUNDED if layer.width.bits <= FEW else 1]:
        candidates += _refined(layer, seen, attempt, target, backend)
    chosen = min(candidates, key=lambda candidate: candidate[0])
    if alike:
        silent = [candidate for candidate in candidates if candidate[0] < telling]
        chosen = _by_spikes(silent, [encoded for _, encoded, _ in silent], seen)[0]
    return chosen[1], _told(layer, seen, backend, chosen, trials)


def _by_spikes(ways: list[Way], encoded: list[EncodedLayer], seen: Seen) -> list[Way]:
    """`ways` whose membranes tell nothing, those first whose spikes differ least.

    A layer such as max pooling has no membrane but 0 where nothing fires, so that all scales would
    be as good, even one at which no weight reaches the threshold.
    """
    if len(ways) < 2:
        return ways
    differing = [differing_spikes(each, seen) for each in encoded]
    return [ways[k] for k in sorted(range(len(ways)), key=differing.__getitem__)]


def _factors(layer: Layer) -> list[float]:
    """Scales to try; where weights are many times their percentiles, those too."""
    grid = [*SCALES, *(COARSE if layer.width.bits <= FEW else ())]
    return sorted({*grid, *(_outliers(layer, q) for q in PERCENTILES)})


def _outliers(layer: Layer, percentile: float) -> float:
    """How many times the percentile of the weights' magnitudes the largest weight is."""
    ratios = [1.0]
    for projection in layer.projections:
        magnitudes = np.abs(projection.map.weights())
        level = float(np.percentile(magnitudes, percentile)) if magnitudes.size else 0.0
        ratios.append(float(magnitudes.max()) / level if level > 0 else 1.0)
    return round(max(ratios), 3)


def _attempt(
    layer: Layer, seen: Seen, factor: float, target: Target, backend: Backend
) -> Attempt:
    natural, clip = backend.natural_scale(layer, target) * factor, max(1.0, factor)
    found: list[tuple[float, EncodedLayer, float]] = []
    for power in range(max(1, FINE_BITS - layer.width.bits + 1)):
        scale = natural * 2.0**power
        encoded = backend.encode(layer, scale, clip, target)
        if found and not np.isclose(encoded.current_unit * scale, 1):
            break  # a register is full
        found.append((weight_error(layer, encoded), encoded, scale))
    least = min(error for error, _, _ in found)
    _, encoded, scale = next(f for f in reversed(found) if f[0] <= least * NEARLY)
    return Attempt(factor=factor, encoded=encoded, error=membrane_error(encoded, seen), scale=scale)


def _methods(layer: Layer, seen: Seen, attempts: list[Attempt]) -> Iterator[Trial]:
    """What each way to choose the scale would take of `attempts`."""
    size = threshold_of(layer, seen)
    by_factor = {attempt.factor: attempt for attempt in attempts}
    yield Trial(method="max-abs", error=by_factor[1.0].error / size)
    for percentile in PERCENTILES:
        chosen = by_factor[_outliers(layer, percentile)]
        yield Trial(method=f"percentile {percentile:g}", error=chosen.error / size)
    least = min(attempts, key=lambda attempt: weight_error(layer, attempt.encoded))
    yield Trial(method="mse", error=least.error / size)
    yield Trial(method="membrane", error=min(a.error for a in attempts) / size)


def _refined(
    layer: Layer, seen: Seen, attempt: Attempt, target: Target, backend: Backend
) -> Iterator[tuple[float, EncodedLayer, str]]:
    """Weights rounded by their inputs, then threshold and bias that fit these weights."""
    rounded = rounded_by_inputs(layer, attempt.encoded, seen.arriving, backend)
    yield membrane_error(rounded, seen), rounded, "rounded by inputs"
    if not has_free_unit(layer.population.neuron):
        return
    gain = _gain(layer, rounded, seen)
    # Ahead of a current that never decays a bias adds up for ever
    endless = bool(np.any(getattr(layer.population.neuron, "current_decay", 0.0) >= 1))
    free = (backend.free_bias and not endless) or bool(np.any(layer.population.bias))
    for how, factor in (("bias", 1.0), ("threshold and bias" if free else "threshold", gain)):
        corrected = _with_gain(layer, factor)
        if free:
            corrected = _bias_corrected(corrected, rounded, seen, factor)
        elif factor == 1:
            continue
        clip = max(1.0, attempt.factor)
        try:
            encoded = backend.encode(corrected, attempt.scale, clip, target)
        except NmcError:
            continue  # a bias that the chip refuses is ours and not the model's
        if np.isclose(encoded.current_unit, rounded.current_unit):
            encoded = replace(encoded, projections=rounded.projections, unit=encoded.unit * factor,
                              current_unit=encoded.current_unit * factor)
            yield membrane_error(encoded, seen), encoded, f"rounded by inputs, {how} corrected"


def _gain(layer: Layer, encoded: EncodedLayer, seen: Seen) -> float:
    """The factor that brings the integer input nearest to the real one (least squares)."""
    real = real_current(layer, seen).reshape(-1)
    whole = whole_input(encoded, seen).reshape(-1) * encoded.current_unit
    power = float(whole @ whole)
    gain = float(real @ whole) / power if power > 0 else 1.0
    return gain if 0.5 < gain < 2 else 1.0


def _with_gain(layer: Layer, gain: float) -> Layer:
    """`layer` whose neurons take its weights for `gain` times what they are."""
    if gain == 1:
        return layer
    population = layer.population
    return replace(layer, population=replace(
        population, neuron=in_units(population.neuron, np.array(1 / gain, np.float32)),
        bias=(population.bias / gain).astype(np.float32)))


def _bias_corrected(layer: Layer, encoded: EncodedLayer, seen: Seen, gain: float) -> Layer:
    """`layer` with the mean error of its quantized input current taken into the bias.

    The mean is over samples and steps, and over the places of a channel where a convolution
    shares its weights (Nagel et al. 2019, arXiv 1906.04721, sec. 4.2).
    """
    population = layer.population
    real = real_current(layer, seen) / gain
    whole = whole_input(encoded, seen) * encoded.current_unit
    error: Array = (real - whole).mean(axis=0).reshape(population.shape)
    if any(isinstance(p.map, Conv) for p in layer.projections):
        error = error.reshape(population.shape[0], -1).mean(axis=1)
        error = error.reshape(-1, *[1] * (len(population.shape) - 1))
    bias = (population.bias + error).astype(np.float32)
    return replace(layer, population=replace(population, bias=bias))


def threshold_of(layer: Layer, seen: Seen) -> float:
    """What membrane errors are measured in: the threshold, or the largest v without one."""
    threshold = np.abs(getattr(layer.population.neuron, "threshold", seen.v)).max(initial=0.0)
    return float(threshold) or 1.0


def _told(
    layer: Layer, seen: Seen, backend: Backend, best: tuple[float, EncodedLayer, str],
    trials: tuple[Trial, ...],
) -> LayerError:
    error, encoded, kept = best
    return LayerError(
        population=layer.population.name, width=str(layer.width),
        weights=sum(p.map.weights().size for p in layer.projections),
        scale=1.0 / float(encoded.unit),
        error=error / threshold_of(layer, seen), trials=trials, kept=kept,
        clipped=clipped_weights(encoded, layer, backend), overflows=overflows(encoded, seen))

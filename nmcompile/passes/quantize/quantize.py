"""Real weights, thresholds, decays and biases into the chip's integers, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nmcompile.backend import Backend, EncodedLayer, Layer
from nmcompile.ir import Input, Network, Population, Projection, Trace
from nmcompile.ir.accumulate import shifted
from nmcompile.ir.maps import Conv
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.legalize.retime import Latency
from nmcompile.passes.quantize.rounding import rounded_by_inputs
from nmcompile.passes.quantize.trained import as_trained
from nmcompile.target import Target

SAMPLES = 64  # of the calibration data on which scales are tried
SCALES = (1.0, 0.7, 0.85, 1.2, 1.4, 1.7)  # times the natural scale; above 1 outliers saturate
NEARLY = 1.05  # times the least error: smaller weights are worth that much
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """What the float network did on data like the user's.

    inputs   name -> (samples, steps, *shape) real values
    trace    aligned records of the float network: the lag of each population taken off
    latency  lag of each population in steps
    """

    inputs: dict[str, Array]
    trace: Trace
    latency: Latency


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """How well one layer's integers follow it: root mean square error of v over its threshold."""

    population: str
    scale: float
    error: float
    max_abs_error: float


def quantize(
    network: Network,
    target: Target,
    backend: Backend,
    calibration: Calibration,
    progress: Progress = lambda name: None,
) -> tuple[Network, tuple[LayerError, ...]]:
    """`network` in integers, and the error of each layer.

    For each layer several scales are tried: the chip's own arithmetic runs the layer on the
    spikes that the float network sent it, and the scale whose membrane stays closest to the
    float one's is kept. Weights that were trained as integers keep these.
    """
    few = _first_samples(calibration)
    inputs = tuple(
        replace(port, format=backend.input_format(port, calibration.inputs[port.name], target))
        for port in network.inputs
    )
    populations, projections, errors = [], dict[int, Projection](), []
    units = {port.name: port.format.scale for port in inputs}
    for population in network.populations:
        progress(population.name)
        arriving = [_arriving(p, inputs, units, few) for p in network.incoming(population.name)]
        wanted = few.trace.records[population.name]
        layer = _layer(network, population, units, calibration.trace)
        current = np.abs(_real_current(layer, arriving, wanted["v"].shape[:2])).max(initial=0.0)
        layer = replace(layer, peaks={"u": float(current), **layer.peaks})
        encoded, error = _best(layer, arriving, wanted, target, backend)
        populations.append(encoded.population)
        projections |= {
            id(real): whole
            for real, whole in zip(layer.projections, encoded.projections, strict=True)
        }
        errors.append(error)
        if population.neuron.graded:
            units[population.name] = encoded.message_unit
    quantized = replace(
        network,
        inputs=inputs,
        populations=tuple(populations),
        projections=tuple(projections[id(p)] for p in network.projections),
    )
    return quantized, tuple(errors)


def _first_samples(calibration: Calibration) -> Calibration:
    records = calibration.trace.records
    return replace(
        calibration,
        inputs={name: values[:SAMPLES] for name, values in calibration.inputs.items()},
        trace=Trace(
            records={
                name: {k: v[:SAMPLES] for k, v in record.items()}
                for name, record in records.items()
            }
        ),
    )


def payloads(port: Input, values: Array) -> Array:
    """Real `values` of an input port as the integers that it sends, int32."""
    if port.format.payload_bits is None:
        raise ValueError(f"input {port.name} has no integer format")
    limit = port.format.limit
    return np.clip(np.rint(values / port.format.scale), -limit, limit).astype(np.int32)


def _layer(
    network: Network, population: Population, units: dict[str, float], trace: Trace
) -> Layer:
    projections = network.incoming(population.name)
    records = trace.records[population.name]
    return Layer(
        population=population,
        projections=projections,
        units=tuple(units.get(p.source, 1.0) for p in projections),
        peaks={name: float(np.abs(v).max()) for name, v in records.items() if name != "spikes"},
        last=not network.outgoing(population.name),
    )


def _best(
    layer: Layer,
    arriving: list[Array],
    wanted: dict[str, Array],
    target: Target,
    backend: Backend,
) -> tuple[EncodedLayer, LayerError]:
    """The scale with the least membrane error, then weights rounded and bias corrected for it.

    wanted  v and spikes of the float network, (samples, steps, *shape) each
    """
    natural = backend.natural_scale(layer, target)
    trained = [(_membrane_error(encoded, arriving, wanted), encoded)
               for encoded in as_trained(layer, backend, target)]
    if trained:
        least = min(error for error, _ in trained)
        error, kept = next(t for t in trained if t[0] <= least * NEARLY)
        return kept, _layer_error(layer, kept, error, error, wanted)
    tried = []
    for factor in SCALES:
        scale, clip = natural * factor, max(1.0, factor)
        encoded = backend.encode(layer, scale, clip, target)
        tried.append((_membrane_error(encoded, arriving, wanted), encoded, scale, clip))
    _, plain, scale, clip = min(tried, key=lambda attempt: attempt[0])
    rounded = rounded_by_inputs(layer, plain, arriving, backend)
    if plain.population.neuron.graded:  # it has no bias to be corrected
        error, best = min(((_membrane_error(e, arriving, wanted), e) for e in (rounded, plain)),
                          key=lambda pair: pair[0])
        return best, _layer_error(layer, best, error, tried[0][0], wanted)
    corrected = backend.encode(
        _bias_corrected(layer, rounded, arriving, wanted["v"].shape[:2]), scale, clip, target
    )
    if corrected.unit == rounded.unit:
        corrected = replace(corrected, projections=rounded.projections)
    candidates = (rounded, corrected, plain)
    errors = [_membrane_error(encoded, arriving, wanted) for encoded in candidates]
    error, best = min(zip(errors, candidates, strict=True), key=lambda pair: pair[0])
    return best, _layer_error(layer, best, error, tried[0][0], wanted)


def _layer_error(
    layer: Layer, encoded: EncodedLayer, error: float, plain: float, wanted: dict[str, Array]
) -> LayerError:
    threshold = np.abs(getattr(layer.population.neuron, "threshold", wanted["v"])).max()
    size = float(threshold) or 1.0
    return LayerError(population=layer.population.name, scale=1.0 / encoded.unit,
                      error=error / size, max_abs_error=plain / size)


def _bias_corrected(
    layer: Layer, encoded: EncodedLayer, arriving: list[Array], extent: tuple[int, int]
) -> Layer:
    """`layer` with the mean error of its quantized input current taken into the bias.

    The mean is over samples and steps, and over the places of a channel where a convolution
    shares its weights (Nagel et al. 2019, arXiv 1906.04721, sec. 4.2).
    """
    population = layer.population
    real = _real_current(layer, arriving, extent)
    whole = _current(encoded, arriving, extent).reshape(real.shape) * encoded.current_unit
    error = (real - whole).mean(axis=0).reshape(population.shape)
    if any(isinstance(p.map, Conv) for p in layer.projections):
        error = error.reshape(population.shape[0], -1).mean(axis=1)
        error = error.reshape(-1, *[1] * (len(population.shape) - 1))
    bias = (population.bias + error).astype(np.float32)
    return replace(layer, population=replace(population, bias=bias))


def _real_current(layer: Layer, arriving: list[Array], extent: tuple[int, int]) -> Array:
    """Summed input (samples * steps, n) of the layer before quantization."""
    samples, steps = extent
    real = np.zeros((samples * steps, layer.population.size))
    for projection, unit, sent in zip(layer.projections, layer.units, arriving, strict=True):
        real += projection.map.apply(sent.reshape(samples * steps, -1) * unit)
    return real


def _arriving(
    projection: Projection, inputs: tuple[Input, ...], units: dict[str, float],
    calibration: Calibration,
) -> Array:
    """Payloads that reach the projection's target, (samples, steps, n), in the target's time."""
    lag = calibration.latency
    for port in inputs:
        if port.name == projection.source:
            sent = payloads(port, calibration.inputs[port.name])
            break
    else:
        sent = np.rint(calibration.trace.spikes(projection.source)
                       / units.get(projection.source, 1.0))
    delay = projection.delay - lag[projection.target] + lag[projection.source]
    late = np.zeros((*sent.shape[:2], int(np.prod(sent.shape[2:]))))
    late[:, delay:] = sent.reshape(*sent.shape[:2], -1)[:, : max(0, sent.shape[1] - delay)]
    return late


def _current(encoded: EncodedLayer, arriving: list[Array], extent: tuple[int, int]) -> Array:
    """Summed integer input (samples, steps, *shape) of the layer; sums are exact in float64."""
    samples, steps = extent
    current = np.zeros((samples * steps, encoded.population.size), np.int64)
    for projection, sent in zip(encoded.projections, arriving, strict=True):
        exact = projection.map.with_weights(projection.map.weights().astype(np.float64))
        sums = exact.apply(sent.reshape(samples * steps, -1))
        current += shifted(np.rint(sums).astype(np.int64), projection)
    return current.reshape(samples, steps, *encoded.population.shape)


def _membrane_error(
    encoded: EncodedLayer, arriving: list[Array], wanted: dict[str, Array]
) -> float:
    """Root mean square difference of the layer's membrane from the wanted one, in real units.

    Where either spikes, the membranes are not compared: chips keep v after the reset, libraries
    often before it. Those of graded spikes, which reset nothing, are.
    """
    v, fired = wanted["v"], wanted["spikes"]
    current = _current(encoded, arriving, v.shape[:2])
    state = encoded.population.neuron.initial_state((len(v), *encoded.population.shape))
    total, compared = 0.0, 0
    for step in range(v.shape[1]):
        state, spikes = encoded.population.neuron.step(state, current[:, step])
        quiet = ((spikes == 0) & (fired[:, step] == 0)) | encoded.population.neuron.graded
        total += float(np.square(state["v"] * encoded.unit - v[:, step])[quiet].sum())
        compared += int(np.count_nonzero(quiet))
    return float(np.sqrt(total / max(compared, 1)))

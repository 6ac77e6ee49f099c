"""Real weights, thresholds, decays and biases into the chip's integers, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nmcompile.backend import Backend, Layer
from nmcompile.ir import Input, Network, Output, Population, Projection, Trace, WeightWidth
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.legalize.retime import Latency
from nmcompile.passes.quantize.layer import LayerError, best_layer
from nmcompile.passes.quantize.measure import Seen, real_current
from nmcompile.target import Target

SAMPLES = 64  # of the calibration data on which scales are tried
Progress = Callable[[str], None]
Widths = dict[str, WeightWidth]  # of the weights that lead to each population; default: the chip's


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


def quantize(
    network: Network,
    target: Target,
    backend: Backend,
    calibration: Calibration,
    widths: Widths | None = None,
    progress: Progress = lambda name: None,
) -> tuple[Network, tuple[LayerError, ...]]:
    """`network` in integers, and the error of each layer.

    For each layer several scales are tried: the chip's own arithmetic runs the layer on the
    spikes that the float network sent it, and the scale whose membrane stays closest to the
    float one's is kept. Weights that were trained as integers keep these.

    widths  of the weights of each population that should not have the chip's own
    """
    few = _first_samples(calibration)
    full = WeightWidth(bits=target.formats.weight_bits.value)
    inputs = tuple(
        replace(port, format=backend.input_format(port, calibration.inputs[port.name], target))
        for port in network.inputs
    )
    populations, projections, errors = [], dict[int, Projection](), []
    units = {port.name: port.format.scale for port in inputs}
    membranes: dict[str, float] = {}
    for population in network.populations:
        progress(population.name)
        wanted = few.trace.records[population.name]
        seen = Seen(
            arriving=tuple(_arriving(p, inputs, units, few)
                           for p in network.incoming(population.name)),
            v=wanted["v"], fired=wanted["spikes"])
        width = (widths or {}).get(population.name, full)
        layer = layer_of(network, population, units, calibration.trace, width)
        current = np.abs(real_current(layer, seen)).max(initial=0.0)
        layer = replace(layer, peaks={"u": float(current), **layer.peaks})
        encoded, error = best_layer(layer, seen, target, backend, one_unit=_is_read(
            network, population))
        populations.append(encoded.population)
        projections |= {
            id(real): whole
            for real, whole in zip(layer.projections, encoded.projections, strict=True)
        }
        errors.append(error)
        if population.neuron.graded:
            units[population.name] = encoded.message_unit
        membranes[population.name] = float(np.max(encoded.unit))
    quantized = replace(
        network,
        inputs=inputs,
        populations=tuple(populations),
        projections=tuple(projections[id(p)] for p in network.projections),
        outputs=tuple(_in_units(port, membranes, units) for port in network.outputs),
    )
    return _in_parts(quantized), tuple(errors)


def _in_parts(network: Network) -> Network:
    """`network` with the synapses through which neurons act on themselves (see ChipNeuron)."""
    populations, projections = list(network.populations), list(network.projections)
    for index, population in enumerate(populations):
        parts = getattr(population.neuron, "parts", None)
        if parts is not None:
            populations[index], feedback = parts(population)
            projections.append(feedback)
    return replace(network, populations=tuple(populations), projections=tuple(projections))


def _is_read(network: Network, population: Population) -> bool:
    """Whether an output adds up the membranes of `population`."""
    return any(port.population == population.name and port.variable == "v"
               for port in network.outputs)


def _in_units(port: Output, membranes: dict[str, float], messages: dict[str, float]) -> Output:
    """`port` with its offset in the integers that it adds up."""
    v = port.variable == "v"
    unit = membranes[port.population] if v else messages.get(port.population, 1.0)
    return replace(port, offset=tuple(value / unit for value in port.offset))


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


def layer_of(
    network: Network, population: Population, units: dict[str, float], trace: Trace,
    width: WeightWidth,
) -> Layer:
    """`population` with what feeds it; its membrane came up to the threshold where it fired.

    units  real value of one unit of the payload of each source that has one
    """
    projections = network.incoming(population.name)
    records = trace.records[population.name]
    peaks = {name: float(np.abs(v).max()) for name, v in records.items() if name != "spikes"}
    level = np.broadcast_to(getattr(population.neuron, "threshold", 0.0), population.shape)
    fired = (records["spikes"] != 0).any(axis=(0, 1))
    peaks["v"] = max(peaks.get("v", 0.0), float(np.abs(level[fired]).max(initial=0.0)))
    return Layer(
        population=population,
        projections=projections,
        units=tuple(units.get(p.source, 1.0) for p in projections),
        peaks=peaks,
        width=width,
        last=not network.outgoing(population.name),
    )


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

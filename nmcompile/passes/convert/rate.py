"""Activations as integrate-and-fire neurons that count.

A neuron without leak, of threshold L and with a soft reset, that receives the current a in each of
T steps fires about T a / L times, and never more than T times: its rate times L is a, clipped at L
and rounded down to a multiple of L / T (Rueckauer et al. 2017, doi 10.3389/fnins.2017.00682). A
current of L / 2T more in each step makes it round to the nearest (Deng and Gu 2021,
arXiv 2103.00476, sec. 3.2).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nmcompile.errors import ConversionError
from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import Chain, LinearMap, Scale
from nmcompile.ir.neurons import LIF, Activation, Reset

Thresholds = dict[str, float]


def is_artificial(network: Network) -> bool:
    """True where activations are among the populations."""
    return any(isinstance(p.neuron, Activation) for p in network.populations)


def require_convertible(network: Network) -> None:
    """Raise NmcError unless `network` is activations and a readout, run once on one value."""
    for population in network.populations:
        if population.neuron.spiking and not isinstance(population.neuron, Activation):
            raise ConversionError(
                population.name, "spiking neurons and activations are in one network",
                "A network without spiking neurons can be converted; a ReLU on what neurons "
                "receive cannot.")
    if not network.static or network.steps != 1 or any(p.delay for p in network.projections):
        raise ConversionError(
            "model", "its activations change from step to step; a rate needs one value for all "
            "steps", "Give a sample (samples, ...) without a time axis.")


def unsigned(network: Network) -> Network:
    """`network` whose activations send nothing below 0.

    One that does becomes two: the part above 0, and the part below 0 with its sign changed, which
    reach their targets with opposite signs; a half that sends nothing is left out.
    """
    signed = {p.name: p for p in network.populations if _is_signed(p)}
    populations: list[Population] = []
    projections: list[Projection] = []
    for population in network.populations:
        populations += _halves(population) if population.name in signed else [population]
    silent = {p.name for p in populations if isinstance(p.neuron, Activation)
              and not np.any(p.neuron.high)}
    for projection in network.projections:
        into = [(projection.target, 1.0)]
        out = [(projection.source, 1.0)]
        if projection.target in signed:
            into.append((_below(projection.target), -1.0))
        if projection.source in signed:
            out.append((_below(projection.source), -1.0))
        projections += [
            replace(projection, source=source, target=target,
                    map=_times(projection.map, first * second))
            for source, first in out for target, second in into
            if source not in silent and target not in silent
        ]
    for output in network.outputs:
        if output.population in {*signed, *silent} and output.variable == "spikes":
            raise ConversionError(
                output.population, "the output is an activation with values below 0, "
                "or with none above", "Return what goes into it.")
    return replace(network, populations=tuple(p for p in populations if p.name not in silent),
                   projections=tuple(projections))


def _is_signed(population: Population) -> bool:
    neuron = population.neuron
    return isinstance(neuron, Activation) and bool(np.any(neuron.low < 0))


def _below(name: str) -> str:
    return f"{name}.below"


def _halves(population: Population) -> list[Population]:
    neuron = population.neuron
    assert isinstance(neuron, Activation)
    nothing = np.zeros((), np.float32)
    return [
        replace(population, neuron=replace(neuron, low=nothing)),
        replace(population, name=_below(population.name), bias=-population.bias,
                neuron=replace(neuron, low=nothing, high=-neuron.low)),
    ]


def _times(linear: LinearMap, factor: float) -> LinearMap:
    if factor == 1:
        return linear
    scale = Scale(factor=np.full((), factor, np.float32), in_shape=linear.out_shape)
    return Chain(maps=(linear, scale))


def rate_coded(network: Network, thresholds: Thresholds, steps: int) -> Network:
    """`network` with integrate-and-fire neurons of those thresholds, which run `steps` steps.

    A spike is worth the threshold of the neuron that sends it.
    """
    populations = tuple(
        _neurons(p, thresholds[p.name], steps) if p.name in thresholds else p
        for p in network.populations
    )
    projections = tuple(
        replace(p, map=Chain(maps=(_worth(network, p.source, thresholds[p.source]), p.map)))
        if p.source in thresholds else p
        for p in network.projections
    )
    return replace(network, populations=populations, projections=projections, steps=steps)


def _neurons(population: Population, threshold: float, steps: int) -> Population:
    neuron = LIF(decay=np.ones((), np.float32), threshold=np.full((), threshold, np.float32),
                 reset=Reset.SUBTRACT)
    bias = (population.bias + threshold / (2 * steps)).astype(np.float32)
    return replace(population, neuron=neuron, bias=bias)


def _worth(network: Network, source: str, threshold: float) -> Scale:
    return Scale(factor=np.full((), threshold, np.float32), in_shape=network.shape_of(source))

"""The network of a SpiNNaker 2 program as a NIR graph in the chip's units.

py-spinnaker2's `s2_nir.from_nir` makes populations and projections of such a graph. Forward Euler
with `scale_weights` off gives back our parameters: alpha_decay = 1 - dt / tau, and a factor of 1 on
weights, thresholds and offsets since r * dt / tau = 1 (its `convert_LIF`; see `conversion`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from nmcompile_backends.spinnaker2.arithmetic import Spinnaker2Neuron

from nmcompile.errors import ExportError, NmcError
from nmcompile.ir import Network, Population
from nmcompile.ir.maps import Conv, LinearMap, from_matrix
from nmcompile.ir.neurons import LIF, Reset, ResetAt
from nmcompile.passes.legalize.conv_algebra import integer_matrix

FILE = "network.nir"
TICK_S = 1e-3  # of py-spinnaker2, where the network does not say how long a step is


def write_graph(network: Network, folder: Path) -> dict[str, str]:
    """Write network.nir, or say what NIR has no words for."""
    from nmcompile.frontends import nir_export

    dt = network.dt or TICK_S
    try:
        nir_export.write_graph(_real(network), folder / FILE, dt)
    except NmcError as reason:
        return {FILE: f"not written: {reason}"}
    return {FILE: "the network as a NIR graph, with weights and thresholds in the chip's units"
                  + _reading(network, dt)}


def _real(network: Network) -> Network:
    """The same numbers in the IR's own neurons, without the step that every spike takes."""
    for link in network.projections:
        if link.delay != 1 or link.sources is not None:
            raise ExportError(
                link.name, "NIR as py-spinnaker2 reads it has no delays and no parts of "
                "a source")
    return replace(
        network, populations=tuple(_population(p) for p in network.populations),
        projections=tuple(replace(p, delay=0, map=_readable(
            p.map.with_weights(p.map.weights().astype(np.float32))))
            for p in network.projections))


def _readable(linear: LinearMap) -> LinearMap:
    """`linear` as nir 1.0.8 reads it: its Conv2d are square and without groups.

    Groups get zeros between them; an oblong kernel becomes a matrix.
    """
    if not isinstance(linear, Conv):
        return linear
    height, width = linear.weight.shape[2:]
    if height != width:
        matrix = integer_matrix(linear).astype(np.float32)
        return from_matrix(matrix, linear.in_shape, linear.out_shape)
    features, per_group = linear.weight.shape[:2]
    first = np.arange(features) // (features // linear.groups) * per_group
    weight = np.zeros((features, linear.in_shape[0], *linear.weight.shape[2:]), np.float32)
    weight[np.arange(features)[:, None], first[:, None] + np.arange(per_group)] = linear.weight
    return replace(linear, weight=weight, groups=1)


def _population(population: Population) -> Population:
    neuron = population.neuron
    assert isinstance(neuron, Spinnaker2Neuron)
    if np.any(neuron.v_reset):
        raise ExportError(population.name, "NIR as py-spinnaker2 reads it resets to 0 alone")
    return replace(population, bias=neuron.offset, start=0, neuron=LIF(
        decay=neuron.decay, threshold=neuron.threshold, v_init=neuron.v_init, reset=neuron.reset,
        reset_at=ResetAt.SPIKE))


def _reading(network: Network, dt: float) -> str:
    """How py-spinnaker2 reads the graph, in words."""
    neurons = {p.name: p.neuron for p in network.populations
               if isinstance(p.neuron, Spinnaker2Neuron)}
    resets = {neuron.reset for neuron in neurons.values()}
    if len(resets) > 1:
        return "; py-spinnaker2 has one reset for a whole graph, this one has two"
    (reset,) = resets
    method = {Reset.ZERO: "ZERO", Reset.SUBTRACT: "SUBTRACT"}[reset]
    started = [name for name, neuron in neurons.items() if np.any(neuron.v_init)]
    return (f"; for py-spinnaker2's s2_nir: ConversionConfig(dt={dt:g}, conn_delay=0, "
            f"integrator=IntegratorMethod.FORWARD, reset=ResetMethod.{method})" + (
                f", which leaves out that {', '.join(started)} begin at other membranes than 0"
                if started else ""))

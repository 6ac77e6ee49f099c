"""What py-spinnaker2's `lif_no_delay` can run: binary spikes, resets in the step of the spike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.spinnaker.legalize import require_one_spike_and_no_bound

from nmcompile.errors import ChipNeuronError, ChipOutputError
from nmcompile.ir import Input, Network, Population, SpikeFormat
from nmcompile.ir.neurons import LI, LIF, Reset, ResetAt
from nmcompile.ir.neurons.base import Array
from nmcompile.target import Target


def legalize(network: Network, target: Target) -> Network:
    """`network` with its resets at the spike, or NmcError naming what SpiNNaker 2 cannot run.

    A reset ahead of the next leak has the spikes of one at the spike; so has a subtraction behind
    the next input where nothing leaks. No reset is one to zero of a membrane that keeps nothing.
    """
    for output in network.outputs[:1]:
        if output.variable == "v" and not isinstance(
                network.population(output.population).neuron, LI):
            raise ChipOutputError(
                output.population, "the model decides by its membrane, which spikes change",
                "Return the spikes first, or end the model in an integrator.")
    return replace(network, populations=tuple(_population(p, target)
                                              for p in network.populations))


def input_format(port: Input, values: Array, target: Target) -> SpikeFormat:
    """Spikes are binary."""
    return SpikeFormat(payload_bits=0)


def _population(population: Population, target: Target) -> Population:
    neuron, name = population.neuron, population.name
    if type(neuron) not in (LI, LIF):
        raise ChipNeuronError(name, f"{target.name} has no '{neuron.kind}' neuron",
                              "Use leaky integrate-and-fire neurons without a synaptic current.")
    assert isinstance(neuron, LI | LIF)
    if np.any(neuron.v_init):
        raise ChipNeuronError(
            name, f"its membrane starts from other values than 0, where {target.name} "
            "begins", "Start the model from 0.")
    if isinstance(neuron, LI):
        return population
    if neuron.reset is Reset.NONE and np.all(neuron.decay == 0):
        neuron = replace(neuron, reset=Reset.ZERO, reset_at=ResetAt.SPIKE)
    _require_reset(name, neuron, target)
    if np.any(neuron.threshold < 0):
        raise ChipNeuronError(name, f"a threshold of {float(neuron.threshold.min()):g} is below 0",
                              "Train with thresholds from 0 on.")
    return replace(population, neuron=replace(neuron, reset_at=ResetAt.SPIKE))


def _require_reset(name: str, neuron: LIF, target: Target) -> None:
    if neuron.reset is Reset.NONE:
        raise ChipNeuronError(
            name, f"reset 'none' does not exist on {target.name}, which has "
            f"{', '.join(target.formats.resets.value)}", "Train with one of these.")
    late = neuron.reset_at in (ResetAt.INPUT, ResetAt.UNDELAYED)
    plain = neuron.reset is Reset.SUBTRACT and neuron.reset_at is ResetAt.INPUT and np.all(
        neuron.decay == 1)
    if late and not plain:
        raise ChipNeuronError(
            name, f"a reset to {neuron.reset.value} at '{neuron.reset_at.value}' does not exist on "
            f"{target.name}, which resets in the step of the spike",
            "Train with that (in snnTorch reset_mechanism='zero').")
    require_one_spike_and_no_bound(name, neuron, target)

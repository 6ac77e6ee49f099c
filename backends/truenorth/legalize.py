"""What TrueNorth can run: binary spikes and neurons whose membrane keeps all that it holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nmcompile.errors import ChipNeuronError, ChipOutputError
from nmcompile.ir import Input, Network, Population, SpikeFormat
from nmcompile.ir.neurons import LIF, Reset, ResetAt
from nmcompile.ir.neurons.base import Array
from nmcompile.target import Target


def legalize(network: Network, target: Target) -> Network:
    """`network` with its resets at the spike, or NmcError naming what TrueNorth cannot run.

    Without a leak a subtraction has the same spikes wherever it acts, and a reset ahead of the
    leak is one at the spike. Leaks are left to `misfits`.
    """
    for output in network.outputs:
        if output.variable == "v":
            raise ChipOutputError(
                output.population, f"its membrane is the answer, which {target.name} cannot send",
                "End the model in neurons that fire, and return their spikes.")
    populations = tuple(_population(p, target) for p in network.populations)
    return replace(network, populations=populations)


def input_format(port: Input, values: Array, target: Target) -> SpikeFormat:
    """Spikes are binary."""
    return SpikeFormat(payload_bits=0)


def _population(population: Population, target: Target) -> Population:
    neuron, name = population.neuron, population.name
    if type(neuron) is not LIF:
        raise ChipNeuronError(name, f"{target.name} has no '{neuron.kind}' neuron",
                              "Use integrate-and-fire neurons (in snnTorch beta=1).")
    assert isinstance(neuron, LIF)
    if np.any(neuron.decay < 0):
        raise ChipNeuronError(
            name, f"a decay of {float(neuron.decay.min()):g} is below 0, which does not "
            f"exist on {target.name}",
            "Train integrate-and-fire neurons (in snnTorch beta=1).")
    if np.any(neuron.state_step) or neuron.spikes_per_step > 1 or np.any(neuron.threshold < 0):
        raise ChipNeuronError(
            name, "a membrane on a grid, several spikes in one step and thresholds "
            f"below 0 do not exist on {target.name}", "Train without them.")
    _require_reset(name, neuron, target)
    if np.any(neuron.decay < 1) and neuron.reset_at is not ResetAt.LEAK:
        return population
    return replace(population, neuron=replace(neuron, reset_at=ResetAt.SPIKE))


def _require_reset(name: str, neuron: LIF, target: Target) -> None:
    """Refuse resets that lose another step's input, or that a lower bound does not commute with."""
    if neuron.reset is Reset.NONE or neuron.reset_at is ResetAt.SPIKE:
        return
    late = neuron.reset is Reset.ZERO and neuron.reset_at is not ResetAt.LEAK
    if late or neuron.reset_at is ResetAt.UNDELAYED:
        raise ChipNeuronError(
            name, f"a reset to {neuron.reset.value} at '{neuron.reset_at.value}' loses "
            f"the input of a step, which {target.name} does not",
            "Use reset_mechanism='subtract'.")
    if np.any(neuron.v_min > -np.inf) or np.any(neuron.v_init > neuron.threshold):
        raise ChipNeuronError(
            name, "a lower bound or a start above the threshold, with a reset behind "
            f"the spike, does not exist on {target.name}",
            "Train without it, or with a reset at the spike (in snnTorch reset_delay=False).")

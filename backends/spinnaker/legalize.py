"""What sPyNNaker's neurons can run: binary spikes, leaks, resets to a value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nmcompile.errors import ChipNeuronError, ChipOutputError, TargetError
from nmcompile.ir import Input, Network, Population, SpikeFormat
from nmcompile.ir.neurons import LI, LIF, CubaLI, CubaLIF, Reset, ResetAt
from nmcompile.ir.neurons.base import Array
from nmcompile.target import Target


def legalize(network: Network, target: Target) -> Network:
    """`network` with its resets at the spike, or NmcError naming what SpiNNaker cannot run.

    A reset to zero ahead of the next leak has the spikes of one at the spike; one behind the next
    input is a refractory step. Of a membrane that keeps nothing any reset is one to zero.
    """
    if target.router is None:
        raise TargetError(
            target.name, "has no [router] table, which targets of family spinnaker need",
            "Copy it from a target of this family, such as spinnaker1.")
    for output in network.outputs[:1]:
        neuron = network.population(output.population).neuron
        if output.variable == "v" and not isinstance(neuron, LI | CubaLI):
            raise ChipOutputError(
                output.population, "the model decides by its membrane, which is cleared at each "
                "spike", "Return the spikes first, or end the model in an integrator.")
    populations = tuple(_population(p, target) for p in network.populations)
    return replace(network, populations=populations)


def input_format(port: Input, values: Array, target: Target) -> SpikeFormat:
    """Spikes are binary."""
    return SpikeFormat(payload_bits=0)


def _population(population: Population, target: Target) -> Population:
    neuron, name = population.neuron, population.name
    if type(neuron) not in (LI, LIF, CubaLI, CubaLIF):
        raise ChipNeuronError(name, f"{target.name} has no '{neuron.kind}' neuron",
                              "Use leaky integrate-and-fire neurons that reset to zero.")
    assert isinstance(neuron, LI | LIF | CubaLI | CubaLIF)
    if np.any(neuron.decay < 0):
        raise ChipNeuronError(
            name, f"a decay of {float(neuron.decay.min()):g} is below 0, which does not "
            f"exist on {target.name}", "Train with decays of 0 to 1.")
    if isinstance(neuron, LI | CubaLI):
        return population
    if forgets_resets(neuron):
        neuron = replace(neuron, reset=Reset.ZERO, reset_at=ResetAt.SPIKE)
    _require_reset(name, neuron, target)
    _require_threshold(name, neuron, target)
    if neuron.reset_at is ResetAt.LEAK:
        neuron = replace(neuron, reset_at=ResetAt.SPIKE)
    return replace(population, neuron=neuron)


def forgets_resets(neuron: LIF | CubaLIF) -> bool:
    """Whether no reset changes a spike, since the membrane keeps nothing to the next step."""
    early = neuron.reset_at in (ResetAt.SPIKE, ResetAt.LEAK)
    return bool(np.all(neuron.decay == 0)) and (early or neuron.reset is Reset.NONE)


def _require_reset(name: str, neuron: LIF | CubaLIF, target: Target) -> None:
    if neuron.reset is not Reset.ZERO:
        raise ChipNeuronError(
            name, f"reset '{neuron.reset.value}' does not exist on {target.name}: sPyNNaker's "
            "neurons go to a value when they fire",
            "Train with a reset to zero (in snnTorch reset_mechanism='zero').")
    require_one_spike_and_no_bound(name, neuron, target)


def require_one_spike_and_no_bound(name: str, neuron: LIF | CubaLIF, target: Target) -> None:
    """Refuse neurons that fire several times in a step, or whose membrane has a lower bound."""
    if neuron.spikes_per_step > 1:
        raise ChipNeuronError(
            name, f"several spikes in one step do not exist on {target.name}",
            "Let the neurons fire once a step (in Sinabs spike_fn=SingleSpike, in Rockpool "
            "max_spikes_per_dt=1).")
    if np.any(neuron.v_min > -np.inf):
        raise ChipNeuronError(
            name, f"a lower bound of the membrane does not exist on {target.name}",
            "Train without it (in Sinabs min_v_mem=None).")


def _require_threshold(name: str, neuron: LIF | CubaLIF, target: Target) -> None:
    """Refuse neurons that would fire before anything reaches them."""
    least = float(np.min(neuron.threshold))
    if least < 0 or (least == 0 and neuron.fires_at_threshold):
        raise ChipNeuronError(
            name, f"a threshold of {least:g} fires at rest on {target.name}, in steps "
            "ahead of the first input too", "Train with thresholds above 0.")
    if np.any(neuron.v_init > neuron.threshold):
        raise ChipNeuronError(
            name, f"its v starts above its threshold, at {float(np.max(neuron.v_init)):g}, as "
            f"after a spike that {target.name} did not see", "Start the model from lower states.")

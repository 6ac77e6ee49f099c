"""What Loihi can run: neurons, resets, inputs; and the one-step delay of every synapse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from nmcompile_backends.loihi.currents import one_current_each
from nmcompile_backends.loihi.encode import has_microcode

from nmcompile.errors import ChipNeuronError, ChipOutputError
from nmcompile.ir import Input, Network, Population, SpikeFormat
from nmcompile.ir.neurons import (
    ALIF,
    ATRLIF,
    LI,
    LIF,
    Activation,
    CubaLI,
    CubaLIF,
    Reset,
    ResetAt,
    ResonateFire,
    SigmaDelta,
)
from nmcompile.ir.neurons.base import Array
from nmcompile.target import Target

# Why lava-nc's ATRLIF is no ALIF, at any parameters: a spike adds 2 * theta to r.
ADAPTING = ("The one of Loihi 2 whose threshold adapts is lava-dl's ALIF: a spike holds twice the "
            "threshold against it, and resets nothing.")


JOINED = (Reset.NONE, Reset.SUBTRACT)


def legalize(network: Network, target: Target) -> Network:
    """`network` with its neurons as Loihi runs them, or NmcError naming the first that it cannot.

    A reset to zero ahead of the next leak and one at the spike itself give the same spikes, and
    so do a subtraction ahead of the leak and at the spike: those are rewritten. Resonators get one
    projection for each of their two currents.
    """
    _require_readable(network, target)
    populations = tuple(_population(p, target) for p in network.populations)
    return one_current_each(replace(
        network, populations=populations, notes=(*network.notes, *_told(populations, target))))


def _told(populations: tuple[Population, ...], target: Target) -> Iterator[str]:
    """What the user should know of resets that Loihi 1 makes of two compartments."""
    joined = [p.name for p in populations if getattr(p.neuron, "reset", None) in JOINED]
    if joined and not has_microcode(target):
        yield (f"{', '.join(joined)}: a neuron that is not cleared by its spikes takes two "
               f"compartments on {target.name}, and a soft reset a synapse (NxTF, arXiv "
               "2101.04261); no emulator has these, so they were compared with none")


def _population(population: Population, target: Target) -> Population:
    neuron = population.neuron
    if has_microcode(target) and (
            _is_relay(population) or _tells_changes(population)
            or _resonates(population, target) or _adapts(population, target)):
        return population
    if type(neuron) not in (LI, LIF, CubaLI, CubaLIF):
        raise ChipNeuronError(population.name, f"{target.name} has no '{neuron.kind}' neuron",
                              ADAPTING if isinstance(neuron, ALIF) else "")
    assert isinstance(neuron, LI | LIF | CubaLI | CubaLIF)
    if np.any(neuron.decay < 0):
        raise ChipNeuronError(
            population.name,
            f"a decay of {float(neuron.decay.min()):g} is below 0, which does not exist on "
            f"{target.name}", "Train with recurrent weights of 0 to 1 (in snnTorch beta=...).")
    if isinstance(neuron, LI | CubaLI):
        return population
    _require_reset(population.name, neuron, target)
    _require_start(population.name, neuron, target)
    if neuron.reset_at is ResetAt.LEAK:
        return replace(population, neuron=replace(neuron, reset_at=ResetAt.SPIKE))
    return population


def _is_relay(population: Population) -> bool:
    neuron = population.neuron
    return isinstance(neuron, Activation) and neuron.is_identity() and not np.any(population.bias)


def _tells_changes(population: Population) -> bool:
    neuron = population.neuron
    return isinstance(neuron, SigmaDelta) and not (
        neuron.cum_error or np.any(neuron.sigma_init) or np.any(neuron.v_init)
        or np.any(neuron.residue_init) or np.any(population.bias))


def _resonates(population: Population, target: Target) -> bool:
    neuron = population.neuron
    if not isinstance(neuron, ResonateFire):
        return False
    if np.any(neuron.re_init) or np.any(neuron.v_init):
        raise ChipNeuronError(population.name, f"resonators begin at rest on {target.name}",
                              "Start the model from states of 0.")
    if np.any(population.bias):
        raise ChipNeuronError(
            population.name, f"a bias of resonators does not exist on {target.name}",
            "Train without bias and normalisation.")
    return True


def _adapts(population: Population, target: Target) -> bool:
    neuron = population.neuron
    if not isinstance(neuron, ATRLIF):
        return False
    if np.any(neuron.b_init) or np.any(neuron.r_init):
        raise ChipNeuronError(
            population.name, "threshold and refractoriness begin at rest on "
            f"{target.name}", "Start the model from a threshold that has not risen.")
    return True


def _require_readable(network: Network, target: Target) -> None:
    """Refuse a decision by a membrane that the chip clears before it can be read."""
    for output in network.outputs[:1]:
        neuron = network.population(output.population).neuron
        if output.variable == "v" and not has_microcode(target) and (
                isinstance(neuron, LIF | CubaLIF) and neuron.reset is Reset.SUBTRACT
                and neuron.reset_at is not ResetAt.INPUT):
            raise ChipOutputError(
                output.population, "the model decides by its membrane behind the subtraction, "
                f"{target.name} holds the one ahead of it",
                "Return the spikes first, or use reset_mechanism='none' in the readout.")
        if output.variable == "v" and getattr(neuron, "reset", None) is Reset.ZERO:
            raise ChipOutputError(
                output.population,
                "the model decides by its membrane, which is cleared at each spike",
                "Return the spikes first, or use reset_mechanism='none' in the readout.",
            )


def _require_start(name: str, neuron: LIF | CubaLIF, target: Target) -> None:
    """Refuse a start above the threshold where its reset would be that of a spike before step 0."""
    pending = neuron.reset is not Reset.NONE and neuron.reset_at is not ResetAt.SPIKE
    if pending and np.any(neuron.v_init > neuron.threshold):
        raise ChipNeuronError(
            name,
            f"its v starts above its threshold, at {float(neuron.v_init.max()):g}, as after a "
            f"spike that {target.name} did not see", "Start the model from lower states.")


def _require_reset(name: str, neuron: LIF | CubaLIF, target: Target) -> None:
    allowed = target.formats.resets.value
    if neuron.reset.value not in allowed:
        raise ChipNeuronError(
            name,
            f"reset '{neuron.reset.value}' does not exist on {target.name}, which has "
            f"{', '.join(allowed)}",
            "Train with one of these resets, or compile for loihi2.",
        )
    if neuron.spikes_per_step > 1:
        raise ChipNeuronError(
            name,
            f"several spikes in one step do not exist on {target.name}",
            "Let the neurons fire once a step (in Sinabs spike_fn=SingleSpike, in Rockpool "
            "max_spikes_per_dt=1).",
        )
    if np.any(neuron.v_min > -np.inf):
        raise ChipNeuronError(
            name,
            f"a lower bound of the membrane does not exist on {target.name}",
            "Train without it (in Sinabs min_v_mem=None).",
        )
    if np.any(neuron.threshold < 0):
        raise ChipNeuronError(name, f"a threshold of {float(neuron.threshold.min()):g} is below 0")
    if neuron.reset is Reset.SUBTRACT and not has_microcode(target) and isinstance(neuron, CubaLIF):
        raise ChipNeuronError(
            name, f"a soft reset behind a synaptic current does not exist on {target.name}: what "
            "a spike takes comes through that current and would decay with it",
            "Train without synaptic current, or compile for loihi2.")
    if neuron.reset is Reset.SUBTRACT and neuron.reset_at is ResetAt.UNDELAYED:
        raise ChipNeuronError(
            name,
            f"a subtraction with reset_delay=False does not exist on {target.name}",
            "Use snnTorch's default reset_delay=True.",
        )


def input_format(port: Input, values: Array, target: Target) -> SpikeFormat:
    """How the values of `port` travel: binary spikes, or integers of the chip's payload.

    Of the scales that keep the payload within 9 bits (8 and sign), the coarsest that represents
    `values` exactly is taken, as for pixels; if there is none, the finest.
    """
    available = target.formats.payload_bits.value
    peak = float(np.abs(values).max(initial=0.0))
    if available == 0 or peak == 0 or np.all((values == 0) | (values == 1)):
        return SpikeFormat(payload_bits=0)
    bits = min(available, 9)
    levels = np.unique(np.abs(values).astype(np.float64)) / peak
    limit = 2 ** (bits - 1) - 1
    for units in range(1, limit + 1):
        if np.all(np.abs(levels * units - np.rint(levels * units)) < 1e-4):
            return SpikeFormat(payload_bits=bits, scale=peak / units)
    return SpikeFormat(payload_bits=bits, scale=peak / limit)

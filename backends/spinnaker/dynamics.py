"""A population's leaks in SpiNNaker's registers, and what they make of a spike."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from nmcompile_backends.spinnaker.accum import ONE
from nmcompile_backends.spinnaker.arithmetic import SpinnakerNeuron
from nmcompile_backends.spinnaker.leaks import membrane_constant, synaptic_constant
from nmcompile_backends.spinnaker.parameters import Cell, delta_neuron, neuron

from nmcompile.ir import Population
from nmcompile.ir.neurons import LI, LIF, CubaLI, CubaLIF
from nmcompile.ir.neurons.base import Array

LARGEST_RESISTANCE = 60_000.0  # MOhm, of the 65536 that an accum holds


@dataclass(frozen=True, kw_only=True, eq=False)
class Dynamics:
    """What of a population's registers does not depend on the unit of its membrane.

    neuron  the registers; its potentials are 0
    keeps   share of itself that a membrane keeps in a step
    kept    share of itself that a synaptic current keeps; 0 for delta synapses
    gain    what of a ring buffer's entry becomes current
    share   what of an entry reaches the membrane in its own step
    """

    neuron: SpinnakerNeuron
    keeps: Array
    kept: Array
    gain: Array
    share: Array


# Of each neuron that lives, by the shape of its population: a search among exponentials for each
# decay is slow, and a layer asks several times.
_FOUND: WeakKeyDictionary[LIF | CubaLIF | LI | CubaLI, dict[tuple[int, ...], Dynamics]] = (
    WeakKeyDictionary())


def dynamics(population: Population) -> Dynamics:
    """The registers nearest to the leaks of `population`, with resistances that undo them.

    A membrane moves by (1 - keeps) * resistance * current. The resistance of each neuron is such
    that the share of an entry is 1, or the same part of it where a resistance would be too large.
    Found once for a neuron and shape.
    """
    model = population.neuron
    assert isinstance(model, LIF | CubaLIF | LI | CubaLI)
    of_shapes = _FOUND.setdefault(model, {})
    if population.shape not in of_shapes:
        of_shapes[population.shape] = _searched(population)
    return of_shapes[population.shape]


def _searched(population: Population) -> Dynamics:
    """See `dynamics`."""
    model, shape = population.neuron, population.shape
    assert isinstance(model, LIF | CubaLIF | LI | CubaLI)
    tau_m = membrane_constant(model.decay)
    decay = np.asarray(getattr(model, "current_decay", 0.0), np.float64)
    tau_syn = synaptic_constant(decay)
    first = _registers(population.name, Cell(tau_m=tau_m, tau_syn_e=tau_syn, tau_syn_i=tau_syn),
                       shape, not np.any(decay))
    keeps, kept, gain = _shares(first)
    moved = (1 - keeps) * gain
    part = min(1.0, LARGEST_RESISTANCE * float(moved.min()))
    cm = np.maximum(np.rint(tau_m * moved / part * ONE), 1) / ONE
    found = _registers(
        population.name, Cell(tau_m=tau_m, cm=cm, tau_syn_e=tau_syn, tau_syn_i=tau_syn,
                              v_rest=0, v_reset=0, v=0, tau_refrac=0, v_thresh=0),
        shape, not np.any(decay))
    return Dynamics(neuron=found, keeps=keeps, kept=kept, gain=gain,
                    share=moved * found.resistance / ONE)


def _registers(name: str, cell: Cell, shape: tuple[int, ...], delta: bool) -> SpinnakerNeuron:
    return delta_neuron(name, cell, shape) if delta else neuron(name, cell, shape)


def _shares(found: SpinnakerNeuron) -> tuple[Array, Array, Array]:
    keeps = found.decay / ONE
    if found.delta:
        return keeps, np.zeros(()), np.ones(())
    return keeps, found.exc_decay / 2.0**32, found.exc_gain / 2.0**32

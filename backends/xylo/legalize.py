"""What Xylo can run: one input, hidden neurons, outputs; and what it does in another way."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import scipy.sparse
from nmcompile_backends.xylo.arithmetic import HIDDEN_SPIKES, INPUT_SPIKES, OUTPUT_SPIKES
from nmcompile_backends.xylo.dash import kept, membrane_dash, synapse_dash
from nmcompile_backends.xylo.topology import output_names, require_fit

from nmcompile.errors import ChipNeuronError, DataValueError
from nmcompile.ir import Input, Network, Population, Projection, SpikeFormat
from nmcompile.ir.maps import Dense, from_matrix
from nmcompile.ir.neurons import LI, LIF, CubaLI, CubaLIF, Reset, ResetAt
from nmcompile.ir.neurons.base import Array
from nmcompile.target import Target

SPARSE = 0.5  # share of weights that are zero from which a matrix is kept as a list
PAYLOAD_BITS = INPUT_SPIKES.bit_length() + 1  # of up to 15 spikes, and sign


def legalize(network: Network, target: Target) -> Network:
    """`network` with its maps as matrices, or NmcError naming what Xylo cannot run.

    A subtraction ahead of the next leak and one at the spike give the same spikes, and the first
    becomes the second. What Xylo approximates (decays, spikes of one step) is told in the notes;
    its cost is measured when the network is quantized.
    """
    outputs = output_names(network)
    network = replace(network, projections=tuple(_matrix(p) for p in network.projections))
    require_fit(network, outputs, target)
    for population in network.populations:
        _require(population, population.name in outputs, target)
    notes = [note for p in network.populations for note in _notes(p, p.name in outputs)]
    populations = tuple(_population(p) for p in network.populations)
    return replace(network, populations=populations, notes=(*network.notes, *notes))


def input_format(port: Input, values: Array, target: Target) -> SpikeFormat:
    """Up to 15 spikes a step: the coarsest scale that gives `values` exactly, else the finest."""
    peak = float(values.max(initial=0.0))
    if np.any(values < 0):
        raise DataValueError(
            f"input {port.name}", f"a value of {float(values.min()):g} cannot be sent: "
            f"{target.name} counts spikes", "Scale the data to 0 or above.")
    if peak == 0 or np.all((values == 0) | (values == 1)):
        return SpikeFormat(payload_bits=PAYLOAD_BITS)
    levels = np.unique(values.astype(np.float64)) / peak
    for units in range(1, INPUT_SPIKES + 1):
        if np.all(np.abs(levels * units - np.rint(levels * units)) < 1e-4):
            return SpikeFormat(payload_bits=PAYLOAD_BITS, scale=peak / units)
    return SpikeFormat(payload_bits=PAYLOAD_BITS, scale=peak / INPUT_SPIKES)


def _matrix(projection: Projection) -> Projection:
    """`projection` as a matrix, dense or sparse; a dense one that is there already is kept."""
    linear = projection.map
    if isinstance(linear, Dense) and (
            linear.grid is not None or np.mean(linear.weight == 0) < SPARSE):
        return projection
    sources = np.eye(prod(linear.in_shape), dtype=np.float32)
    matrix = linear.apply(sources)
    if np.mean(matrix == 0) < SPARSE:
        weight = np.ascontiguousarray(matrix.T)
        dense = Dense(weight=weight, in_shape=linear.in_shape, out_shape=linear.out_shape)
        return replace(projection, map=dense)
    sparse = from_matrix(scipy.sparse.csr_array(matrix), linear.in_shape, linear.out_shape)
    return replace(projection, map=sparse)


def _require(population: Population, is_output: bool, target: Target) -> None:
    """Raise NmcError for a neuron that Xylo does not have."""
    neuron, name = population.neuron, population.name
    allowed = (LIF, CubaLIF, LI, CubaLI) if is_output else (LIF, CubaLIF)
    if type(neuron) not in allowed:
        raise ChipNeuronError(name, f"{target.name} has no '{neuron.kind}' neuron here",
                              "Use leaky integrate-and-fire neurons with a synaptic current.")
    assert isinstance(neuron, LIF | CubaLIF | LI | CubaLI)
    if np.any(neuron.v_init) or np.any(getattr(neuron, "u_init", 0)):
        raise ChipNeuronError(
            name, f"its states start from other values than 0, where {target.name} "
            "begins", "Start the model from 0.")
    if isinstance(neuron, CubaLIF | CubaLI):
        _require_one_decay(name, kept(synapse_dash(neuron.current_decay)))
    if isinstance(neuron, LIF | CubaLIF):
        _require_reset(name, neuron, target)


def _require_one_decay(name: str, decays: Array) -> None:
    low, high = decays.min(), decays.max()
    if low < high:
        raise ChipNeuronError(
            name, f"its synaptic decays lie nearest to {low:g} up to {high:g}; the one "
            "scale of a layer needs one", f"Train the layer with {high:g} for all.")


def _require_reset(name: str, neuron: LIF | CubaLIF, target: Target) -> None:
    if neuron.reset is not Reset.SUBTRACT:
        raise ChipNeuronError(
            name,
            f"reset '{neuron.reset.value}' does not exist on {target.name}, which has subtract",
            "Train with a reset that subtracts the threshold.")
    if neuron.reset_at is ResetAt.INPUT:
        raise ChipNeuronError(
            name,
            f"a subtraction behind the next leak does not exist on {target.name}, which subtracts "
            "in the step of the spike", "Train with that (in snnTorch reset_delay=False).")
    if np.any(neuron.v_min > -np.inf):
        raise ChipNeuronError(
            name, f"a lower bound of the membrane does not exist on {target.name}",
            "Train without it (in Sinabs min_v_mem=None).")
    if np.any(neuron.threshold <= 0):
        raise ChipNeuronError(
            name, f"a threshold of {float(neuron.threshold.min()):g} does not exist on "
            f"{target.name}, where thresholds are above 0", "Train with thresholds above 0.")


def _population(population: Population) -> Population:
    neuron = population.neuron
    if isinstance(neuron, LIF | CubaLIF) and neuron.reset_at is ResetAt.LEAK:
        return replace(population, neuron=replace(neuron, reset_at=ResetAt.SPIKE))
    return population


def _notes(population: Population, is_output: bool) -> list[str]:
    """What Xylo does in another way than the model."""
    neuron, name, notes = population.neuron, population.name, []
    assert isinstance(neuron, LIF | CubaLIF | LI | CubaLI)
    pairs = [("membrane", neuron.decay, membrane_dash(neuron.decay))]
    if isinstance(neuron, CubaLIF | CubaLI):
        decay = neuron.current_decay
        pairs.append(("synaptic", decay, synapse_dash(decay)))
        if np.any(population.bias):
            notes.append(f"{name}: its bias acts at once, the model's through the synaptic current")
    else:
        notes.append(f"{name}: the model has no synaptic current; Xylo's decays by 0.5 a step")
    for what, decay, dash in pairs:
        off = np.abs(kept(dash) - decay)
        worst = int(off.argmax())
        if off.max() > 1e-3:
            notes.append(f"{name}: a {what} decay of {decay.flat[worst]:.4g} runs as "
                         f"{kept(dash).flat[worst]:.4g} (dash {dash.flat[worst]})")
    if isinstance(neuron, LIF | CubaLIF):
        most = OUTPUT_SPIKES if is_output else HIDDEN_SPIKES
        if (neuron.spikes_per_step > 1) != (most > 1):
            notes.append(f"{name}: Xylo's neurons fire up to {most} times in a step here, the "
                         f"model's up to {neuron.spikes_per_step}")
    return notes

"""The same counts of a program: what its chip stores, and what it did in a run.

Nothing is run for them: a run counts its events anyhow.
"""

from __future__ import annotations

import numpy as np

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import Demand, compartments
from nmcompile.report.yardsticks.neurobench import PER_SAMPLE, Counts
from nmcompile.simulator import Run

UNKNOWN: Counts = {"samples": None, "steps": None, "activation_sparsity": None,
                   **dict.fromkeys(PER_SAMPLE)}


def compiled_counts(program: Program, needs: Demand) -> Counts:
    """What is known before a run; names as of `real_counts`, with these differences.

    parameters       stored weights, a kernel's once
    footprint_bytes  the synapse memory of all cores, as the target measures it
    connections      synapses that spikes can reach, weights of 0 among them where a row has them
    """
    network = program.network
    weights = [p.map.weights() for p in network.projections]
    size = sum(w.size for w in weights)
    zeros = size - sum(int(np.count_nonzero(w)) for w in weights)
    neurons = sum(p.size for p in network.populations)
    synapses = _synapses(program)
    return {
        **UNKNOWN,
        "neurons": neurons,
        "states": neurons,
        "parameters": size,
        "footprint_bytes": -(-int(needs.synapse_bits.sum()) // 8),
        "connections": sum(synapses.values()),
        "connection_sparsity": zeros / size if size else 0.0,
        "layers": [{"name": name, "connections": n, "activation_sparsity": None,
                    **dict.fromkeys(PER_SAMPLE)} for name, n in synapses.items()],
    }


def run_counts(compiled: Counts, program: Program, run: Run) -> Counts:
    """`compiled` with what `run` counted, a sample's share of each.

    effective_acs, effective_macs  synaptic events; MACs where spikes that carry values reach the
                                   population, whatever they carried
    dense                          `connections` in every step of the chip
    activation_sparsity            of all steps of the chip in which the neurons compute
    membrane_updates               the chip updates every compartment in every step
    """
    network, spikes = program.network, 0
    active, layers = 0, []
    for index, (population, known) in enumerate(
            zip(network.populations, compiled["layers"], strict=True)):
        mine = program.mapping.slices.population == index
        sent = population.size * int(np.maximum(run.ran - population.start, 0).sum())
        fired = int(run.counts.spikes[:-1][mine].sum())
        if population.neuron.spiking:
            spikes, active = spikes + fired, active + sent
        layers.append({
            **known, **_events(program, run, mine, population.name),
            "activation_sparsity": 1 - fired / sent if population.neuron.spiking and sent else None,
            "dense": known["connections"] * run.frames / run.samples,
        })
    return {
        **compiled,
        "samples": run.samples,
        "steps": run.frames / run.samples,
        "activation_sparsity": 1 - spikes / active if active else None,
        **{name: sum(layer[name] for layer in layers) for name in PER_SAMPLE},
        "layers": layers,
    }


def _events(program: Program, run: Run, mine: Array, name: str) -> Counts:
    """Operations and updates of the slices `mine`, those of population `name`."""
    events = int(run.counts.events[mine].sum()) / run.samples
    graded = _takes_values(program.network, name)
    updated = int(compartments(program.network, program.mapping.slices)[mine].sum())
    return {"effective_macs": events if graded else 0.0, "effective_acs": 0.0 if graded else events,
            "membrane_updates": updated * run.frames / run.samples}


def _takes_values(network: Network, name: str) -> bool:
    """Whether spikes that carry values reach population `name`."""
    graded = {port.name for port in network.inputs if port.format.payload_bits}
    graded |= {p.name for p in network.populations if p.neuron.graded}
    return any(p.source in graded for p in network.incoming(name))


def _synapses(program: Program) -> dict[str, int]:
    """Synapses of each population, as axons count them."""
    found = {p.name: 0 for p in program.network.populations}
    for projection, axons in zip(program.network.projections, program.mapping.axons, strict=True):
        found[projection.target] += int(axons.synapses.sum(dtype=np.int64))
    return found

"""Energy of a run by layer and kind: events times cost, and static power times time."""

from __future__ import annotations

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import compartments
from nmcompile.simulator.run import Run

KINDS = ("synapse", "neuron", "router", "link", "static")


def energy_by_slice(program: Program, run: Run) -> dict[str, Array]:
    """Joules of each kind, (slices + 1,) float64; the last entry is what the inputs cause.

    synapse  synaptic events                      neuron  updates of compartments, and spikes
    router   packets out and in, hops on a chip   link    hops between chips
    static   power of the chips in use over the run, shared evenly by the cores in use
    """
    cost, counts = program.target.energy_j, run.counts
    chip_steps = run.step_s.size
    updated = np.append(compartments(program.network, program.mapping.slices), 0)
    fired = np.append(counts.spikes[:-1], 0)
    return {
        "synapse": np.append(counts.events, 0) * cost.synaptic_event.value,
        "neuron": updated * chip_steps * cost.neuron_update.value + fired * cost.spike_out.value,
        "router": (
            counts.packets_out * cost.packet_out.value
            + np.append(counts.packets_in, 0) * cost.packet_in.value
            + counts.hops[:, 0] * cost.hop_x.value
            + counts.hops[:, 1] * cost.hop_y.value
        ),
        "link": counts.hops[:, 2] * cost.hop_chip.value,
        "static": _static(program, run),
    }


def _static(program: Program, run: Run) -> Array:
    core = program.mapping.slices.core
    chips = len(np.unique(core // program.target.cores_per_chip))
    total = program.target.power_w.static.value * chips * float(run.step_s.sum())
    cores, inverse, slices_on_core = np.unique(core, return_inverse=True, return_counts=True)
    share = total / len(cores) / slices_on_core[inverse]
    return np.append(share, 0.0)

"""The network as a script for sPyNNaker, one population of PyNN for each core.

sPyNNaker cuts populations into runs of neurons by itself. Slices of convolutions are boxes, and
cores of unlike sizes are no runs of one length, so each core's neurons are a population of their
own: its words are then those that we load, whatever the cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from nmcompile_backends.data_text import READ, USAGE, inputs_table, tables
from nmcompile_backends.spinnaker.accum import ONE
from nmcompile_backends.spinnaker.arithmetic import SpinnakerNeuron
from nmcompile_backends.spinnaker.population_table import cuts_of, senders_of
from nmcompile_backends.spinnaker.pynn_text import HEAD, MAIN
from nmcompile_backends.spinnaker.weights import weight_scale

from nmcompile.ir import Population
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import run_of_lines

SCRIPT, ARRAYS = "pynn_network.py", "pynn_network.npz"
TIME_STEP_MS = 1.0
RECEPTORS = ("excitatory", "inhibitory")
# Parameters of cells, by the fields that hold their words.
PARAMETERS = {"v_rest": "v_rest", "v_reset": "v_reset", "v_thresh": "threshold", "tau_m": "tau_m",
              "cm": "cm", "i_offset": "i_offset", "v": "v_init", "isyn_exc": "exc_init",
              "isyn_inh": "inh_init"}
OF_SYNAPSES = {"tau_syn_E": "tau_syn_e", "tau_syn_I": "tau_syn_i"}


def write_pynn(program: Program, folder: Path) -> dict[str, str]:
    """Write `pynn_network.py` and `pynn_network.npz`."""
    arrays: dict[str, Array] = {}
    slices, network = program.mapping.slices, program.network
    parts = []
    for number in range(len(slices)):
        population = network.populations[int(slices.population[number])]
        neurons = slices.members(population.shape, number)
        arrays |= {f"part{number}:{key}": value
                   for key, value in _parameters(population, neurons).items()}
        neuron = population.neuron
        assert isinstance(neuron, SpinnakerNeuron)
        parts.append((population.name, "IF_curr_delta" if neuron.delta else "IF_curr_exp",
                      [neuron.shift_exc, neuron.shift_inh], neuron.early))
    links: list[tuple[Any, ...]] = []
    for link, rows in _links(program):
        arrays[f"link{len(links)}"] = rows
        links.append(link)
    text = tables(
        TIME_STEP_MS=TIME_STEP_MS, TIME_SCALE=_time_scale(program),
        INPUTS=inputs_table(network), STEPS=network.steps,
        SHAPES={p.name: p.shape for p in network.populations}, LAGS=program.latency,
        SOURCES=list(_sources(program)), PARTS=parts, LINKS=links)
    (folder / SCRIPT).write_bytes(f"{HEAD.format(usage=USAGE)}{text}{MAIN}{READ}".encode())
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
    return {SCRIPT: "the network as a PyNN script: python pynn_network.py DATA OUTPUT.npz "
                    "(sPyNNaker 7.4.1)",
            ARRAYS: f"weights and parameters of {SCRIPT}"}


def _time_scale(program: Program) -> int:
    """Milliseconds that a board takes for a step of TIME_STEP_MS, in whole ones."""
    tick = program.target.times.tick
    return 1 if tick is None else max(1, ceil(tick.value * 1e3 / TIME_STEP_MS))


def _parameters(population: Population, neurons: Array) -> dict[str, Array]:
    """Of some neurons: their flat numbers, and each parameter in PyNN's units, one a neuron."""
    neuron = population.neuron
    assert isinstance(neuron, SpinnakerNeuron)
    names = PARAMETERS if neuron.delta else {**PARAMETERS, **OF_SYNAPSES}
    words = {name: getattr(neuron, field) for name, field in names.items()}
    words["tau_refrac"] = np.asarray(neuron.refractory, np.int64) * ONE
    each = {name: np.broadcast_to(word, population.shape).reshape(-1)[neurons] / ONE
            for name, word in words.items()}
    return {"neurons": neurons, **each}


def _sources(program: Program) -> Iterator[tuple[str, int, int]]:
    """Each input's runs of lines: name, first and end."""
    for port in program.network.inputs:
        run = run_of_lines(port.size, program.target)
        for number in range(int(run.max()) + 1):
            lines = np.flatnonzero(run == number)
            yield port.name, int(lines[0]), int(lines[-1]) + 1


def _links(program: Program) -> Iterator[tuple[tuple[Any, ...], Array]]:
    """All projections: kind and number of a source, number of a part; see `_by_sign`."""
    senders, n_parts = senders_of(program), len(program.mapping.slices)
    for projection in program.network.projections:
        target = program.network.population(projection.target)
        for cut in cuts_of(program, projection, senders):
            is_part = cut.sender < n_parts
            link = (("part", cut.sender, cut.part) if is_part
                    else ("input", cut.sender - n_parts, cut.part))
            place = np.stack([cut.line, cut.neuron], axis=1)
            for receptor, unit, chosen in _by_sign(target, cut.weight):
                rows = np.column_stack([place[chosen], np.abs(cut.weight[chosen])])
                yield ((*link, receptor, unit, projection.delay * TIME_STEP_MS),
                       rows.astype(np.uint16))


def _by_sign(target: Population, weight: Array) -> Iterator[tuple[str, float, Array]]:
    """Of each sign that some weights have: receptor, nA of a unit, and (s,) which these are."""
    neuron = target.neuron
    assert isinstance(neuron, SpinnakerNeuron)
    shifts = (neuron.shift_exc, neuron.shift_inh)
    for receptor, shift, chosen in zip(RECEPTORS, shifts, (weight > 0, weight < 0), strict=True):
        if np.any(chosen):
            yield receptor, 1 / weight_scale(shift), chosen

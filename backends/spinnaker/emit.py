"""A SpiNNaker program as files: its populations, the cores that they are on, and synaptic rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from nmcompile_backends.spinnaker import load_plan
from nmcompile_backends.spinnaker.arithmetic import SpinnakerNeuron
from nmcompile_backends.spinnaker.pynn_script import ARRAYS, SCRIPT, write_pynn
from nmcompile_backends.spinnaker.ring import slots_of
from nmcompile_backends.spinnaker.routes import input_keys, key_of, places_of, routers
from nmcompile_backends.spinnaker.rows import matrix_of, row_words

from nmcompile.ir import Population
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

FILE, ROWS, INDEX = "spinnaker.json", "rows.bin", "row_index.bin"
TIME_STEP_MS = 1.0
FIRST_PROCESSOR = 1  # 0 is the monitor
# Words of a cell (accums, of 2**-15), by the names that PyNN has for them.
WORDS = {"v_rest": "v_rest", "v_reset": "v_reset", "v_thresh": "threshold", "tau_m": "tau_m",
         "cm": "cm", "i_offset": "i_offset", "v": "v_init", "isyn_exc": "exc_init",
         "isyn_inh": "inh_init"}
OF_SYNAPSES = {"tau_syn_e": "tau_syn_e", "tau_syn_i": "tau_syn_i"}  # those of IF_curr_exp


def emit(program: Program, folder: Path) -> dict[str, str]:
    """Write all files into `folder`; see `description`, `load_plan` and `pynn_script`."""
    cores = program.mapping.slices.core
    numbers, shared = np.unique(cores, return_counts=True)
    if np.any(shared > 1):
        core = int(numbers[shared > 1][0])
        reason = f"not written: core {core} holds several slices, a core of sPyNNaker runs one"
        return dict.fromkeys((FILE, ROWS, INDEX, *load_plan.FILES, SCRIPT, ARRAYS), reason)
    values, rows, index = description(program)
    text = json.dumps(values, separators=(",", ":"), sort_keys=True)
    (folder / FILE).write_text(text + "\n", "utf-8")
    (folder / ROWS).write_bytes(rows.astype("<u4").tobytes())
    (folder / INDEX).write_bytes(index.astype("<u4").tobytes())
    return {
        **load_plan.write_plan(program, folder), **write_pynn(program, folder),
        FILE: "populations with the words of their cells' parameters, cores with chip, processor, "
              "neurons, keys and where their synaptic rows are, and routing tables; no file that a "
              "tool of others reads",
        ROWS: "synaptic rows as a core reads them from SDRAM, in little-endian words of 32 bits: "
              "three of header, then weight, delay, type and neuron of each synapse",
        INDEX: "two such words for each row: its source, and its first word in rows.bin"}


def description(program: Program) -> tuple[dict[str, Any], Array, Array]:
    """What spinnaker.json holds, the words of rows.bin, and (r, 2) those of row_index.bin.

    populations  cell, the words of its parameters (one, or one a neuron), ring buffer shifts, and
                 what the refractory timer begins with
    cores        in the order of their numbers: chip and its place, processor, neurons (flat numbers
                 in the population), their block of keys, slots of the ring buffer, and for each
                 projection into them the first row and the number of rows; a row's source is
                 counted from the projection's first on
    inputs       with the block of keys of each run of lines
    routers      the routing table of each chip that has one
    """
    network, target = program.network, program.target
    blocks, words, index = _rows(program)
    slices, places, room = program.mapping.slices, places_of(program), slots_of(program)
    cores = []
    for number in np.argsort(slices.core, kind="stable").tolist():
        population = network.populations[int(slices.population[number])]
        chip, inside = divmod(int(slices.core[number]), target.cores_per_chip)
        x, y = places[chip]
        cores.append({
            "chip": chip, "x": x, "y": y, "processor": inside + FIRST_PROCESSOR,
            "population": population.name,
            "neurons": slices.members(population.shape, number).tolist(),
            **key_of(program, number),
            "slots": int(room[number]),
            "rows": blocks[number]})
    return {
        "time_step_ms": TIME_STEP_MS, "target": target.name,
        "inputs": [{"name": port.name, "shape": port.shape, "keys": keys}
                   for port, keys in zip(network.inputs, input_keys(program), strict=True)],
        "populations": [_population(p) for p in network.populations],
        "projections": [{"source": p.source, "target": p.target, "delay": p.delay,
                         "first_source": (p.sources or (0, 0))[0]} for p in network.projections],
        "outputs": [{"name": port.name, "population": port.population, "variable": port.variable}
                    for port in network.outputs],
        "cores": cores,
        "routers": routers(program),
    }, words, index


def _rows(program: Program) -> tuple[list[list[dict[str, int]]], Array, Array]:
    """For each slice, which rows of each projection are its; all rows; source and start of each."""
    network, slices = program.network, program.mapping.slices
    blocks: list[list[dict[str, int]]] = [[] for _ in range(len(slices))]
    parts, index = [np.zeros(0, np.uint32)], [np.zeros((0, 2), np.int64)]
    first_word = first_row = 0
    for number, projection in enumerate(network.projections):
        population = network.population(projection.target)
        matrix = matrix_of(projection.map)
        for place in np.flatnonzero(
                slices.population == network.populations.index(population)).tolist():
            neurons = slices.members(population.shape, place)
            words, starts = row_words(matrix, neurons, projection.delay)
            parts.append(words)
            index.append(starts + np.array([0, first_word]))
            blocks[place].append(
                {"projection": number, "first_row": first_row, "n_rows": len(starts)})
            first_word, first_row = first_word + len(words), first_row + len(starts)
    return blocks, np.concatenate(parts), np.concatenate(index)


def _population(population: Population) -> dict[str, Any]:
    neuron = population.neuron
    assert isinstance(neuron, SpinnakerNeuron)
    names = WORDS if neuron.delta else {**WORDS, **OF_SYNAPSES}
    words = {name: getattr(neuron, field) for name, field in names.items()}
    steps = np.asarray(neuron.refractory, np.int64)
    words["tau_refrac"] = steps << 15
    return {
        "name": population.name, "shape": population.shape,
        "cell": "IF_curr_delta" if neuron.delta else "IF_curr_exp",
        "parameters": {name: _short(value, population.shape) for name, value in words.items()},
        "ring_buffer_shifts": [neuron.shift_exc, neuron.shift_inh],
        "refractory_timer": neuron.early}


def _short(value: Array, shape: tuple[int, ...]) -> Any:
    """One number, or those of all neurons in their order."""
    if np.ndim(value) == 0 or np.all(value == np.reshape(value, -1)[0]):
        return int(np.reshape(value, -1)[0])
    return np.broadcast_to(value, shape).reshape(-1).tolist()

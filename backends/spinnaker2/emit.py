"""A SpiNNaker 2 program as a file: populations and projections in py-spinnaker2's words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from nmcompile_backends.spinnaker2.arithmetic import Spinnaker2Neuron
from nmcompile_backends.spinnaker2.experiment import write_experiment
from nmcompile_backends.spinnaker2.nir_graph import write_graph

from nmcompile.ir import Population, Projection
from nmcompile.ir.neurons import Reset
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.passes.legalize.conv_algebra import integer_matrix

FILE = "spinnaker2.json"
RESETS = {Reset.ZERO: "reset_to_v_reset", Reset.SUBTRACT: "reset_by_subtraction"}


def emit(program: Program, folder: Path) -> dict[str, str]:
    """Write all files into `folder`, or say why not; see `description`."""
    told = _write_description(program, folder)
    script = write_experiment(folder) if (folder / FILE).exists() else {}
    return told | script | write_graph(program.network, folder)


def _write_description(program: Program, folder: Path) -> dict[str, str]:
    numbers, shared = np.unique(program.mapping.slices.core, return_counts=True)
    if np.any(shared > 1):
        return {FILE: f"not written: core {numbers[shared > 1][0]} holds several slices, a core of "
                      "py-spinnaker2 runs one"}
    text = json.dumps(description(program), separators=(",", ":"), sort_keys=True)
    (folder / FILE).write_text(text + "\n", "utf-8")
    return {FILE: "populations with py-spinnaker2's parameters of lif_no_delay, projections as "
                  "lists of connections, and the neurons of every core"}


def description(program: Program) -> dict[str, Any]:
    """What spinnaker2.json holds.

    populations  size and `params` of a lif_no_delay; one number, or one a neuron
    projections  pre, post and weight of each connection; its delay is 0 in py-spinnaker2's count,
                 which leaves out the step that every spike takes
    cores        number, population and neurons (flat numbers in it)
    """
    network, slices = program.network, program.mapping.slices
    order = np.argsort(slices.core, kind="stable").tolist()
    owners = [network.populations[int(slices.population[number])] for number in order]
    return {
        "target": program.target.name,
        "inputs": [{"name": port.name, "size": port.size} for port in network.inputs],
        "populations": [_population(p) for p in network.populations],
        "projections": [_projection(p) for p in network.projections],
        "outputs": [{"name": port.name, "population": port.population, "variable": port.variable}
                    for port in network.outputs],
        "cores": [{"core": int(slices.core[number]), "population": owner.name,
                   "neurons": slices.members(owner.shape, number).tolist()}
                  for number, owner in zip(order, owners, strict=True)],
    }


def _population(population: Population) -> dict[str, Any]:
    neuron = population.neuron
    assert isinstance(neuron, Spinnaker2Neuron)
    values = {"alpha_decay": neuron.decay, "threshold": neuron.threshold,
              "i_offset": neuron.offset, "v_reset": neuron.v_reset, "v_init": neuron.v_init}
    params = {name: _short(value, population.shape) for name, value in values.items()}
    return {"name": population.name, "size": population.size, "neuron_model": "lif_no_delay",
            "params": {**params, "reset": RESETS[neuron.reset]}}


def _projection(projection: Projection) -> dict[str, Any]:
    pre, post, weight = scipy.sparse.find(integer_matrix(projection.map))
    order = np.lexsort((post, pre))
    pre = pre + (projection.sources or (0, 0))[0]
    return {"pre": projection.source, "post": projection.target, "delay": 0,
            "connections": {"pre": pre[order].tolist(), "post": post[order].tolist(),
                            "weight": weight[order].tolist()}}


def _short(value: Array, shape: tuple[int, ...]) -> float | list[float]:
    """One number, or those of all neurons in their order."""
    first = float(np.reshape(value, -1)[0])
    if np.ndim(value) == 0 or np.all(value == first):
        return first
    return [float(v) for v in np.broadcast_to(value, shape).reshape(-1)]

"""A program as pico.json: the registers of each neuron, and the weights behind each line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from nmc_pico.arithmetic import REGISTERS
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.passes.legalize.conv_algebra import integer_matrix

FILE = "pico.json"


def write(program: Program, folder: Path) -> dict[str, str]:
    """Write pico.json into `folder`: file name -> what it is."""
    text = json.dumps(description(program), separators=(",", ":"))
    (folder / FILE).write_text(text + "\n", "utf-8")
    return {FILE: "registers of each neuron, and the weights behind each input and neuron"}


def description(program: Program) -> dict[str, Any]:
    """What pico.json holds; inputs and neurons are numbered through, each from 0.

    neurons   [first step, bias, decay, threshold, refractory] of each
    inputs    for each input line its [neuron, weight], ...; it sends in each step
    synapses  the same for each neuron; a spike arrives in the next step
    """
    network = program.network
    neurons: list[list[int]] = []
    for population in network.populations:
        registers = (np.full((), population.start),
                     *(getattr(population.neuron, name) for name in REGISTERS))
        rows = [np.broadcast_to(r, population.shape).reshape(-1) for r in registers]
        neurons += np.stack(rows, axis=1).astype(int).tolist()
    return {"neurons": neurons, "inputs": _lines(program, network.inputs),
            "synapses": _lines(program, network.populations)}


def _lines(program: Program, sources: tuple[Any, ...]) -> list[list[list[int]]]:
    network = program.network
    sizes = [p.size for p in network.populations]
    first = dict(zip((p.name for p in network.populations), np.cumsum([0, *sizes]).tolist(),
                     strict=False))
    lines: list[list[list[int]]] = []
    for source in sources:
        own: list[list[list[int]]] = [[] for _ in range(source.size)]
        for projection in network.outgoing(source.name):
            for line, neuron, weight in _weights(integer_matrix(projection.map)):
                shifted = line + (projection.sources or (0, 0))[0]
                own[shifted].append([neuron + first[projection.target], weight])
        lines += own
    return lines


def _weights(matrix: Array) -> list[tuple[int, int, int]]:
    """(line, neuron, weight) of every weight that is not 0, line by line."""
    line, neuron, weight = scipy.sparse.find(matrix)
    order = np.lexsort((neuron, line))
    return list(zip(line[order].tolist(), neuron[order].tolist(), weight[order].tolist(),
                    strict=True))

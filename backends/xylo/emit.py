"""The files of a Xylo: arguments of Rockpool's `from_specification`, and samna's fields."""

from __future__ import annotations

import json
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from nmcompile_backends.xylo.arithmetic import XyloNeuron
from nmcompile_backends.xylo.configuration import CHIPS, configuration
from nmcompile_backends.xylo.cycles import counted, needed_clock_hz
from nmcompile_backends.xylo.topology import ends_of, hidden_populations, output_names

from nmcompile.ir import Network, Population
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

FILE, CONFIGURATION = "xylo.json", "xylo_configuration.json"


def emit(program: Program, folder: Path) -> dict[str, str]:
    """Write Rockpool's specification as lists of integers, and samna's configuration.

    The configuration of a target whose fields in samna are not known is not written.
    """
    values, chip = specification(program), CHIPS.get(program.target.name)
    _write(folder / FILE, values)
    told = {FILE: "arguments of Rockpool's XyloSim.from_specification, each list as an array; its "
                  "config_from_specification takes bias as bias_hidden" + _clock(program)}
    if chip is None:
        return told | {CONFIGURATION: f"not written: which of samna's chips {program.target.name} "
                                      f"is; known are {', '.join(CHIPS)}"}
    _write(folder / CONFIGURATION, configuration(values, chip))
    return told | {CONFIGURATION: f"the fields of samna's {chip.module} XyloConfiguration, as "
                                  "Rockpool 3.1 fills them"}


def _write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, separators=(",", ":"), sort_keys=True) + "\n", "utf-8")


def _clock(program: Program) -> str:
    """The clock that the network needs, in words, where it says how long a step is."""
    formula, dt = program.target.cycle_formula, program.network.dt
    if formula is None or dt is None:
        return ""
    needed = needed_clock_hz(formula, counted(program.network, formula), dt)
    return (f"; steps of {dt:g} s need a clock of {needed / 1e6:.3g} MHz if everything spikes, "
            f"with Rockpool's margin of {formula.margin.value:.0%}")


def specification(program: Program) -> dict[str, Any]:
    """Rockpool's names to whole numbers and nested lists of them.

    Hidden neurons are numbered layer by layer. Where a chip's inputs reach only its first hidden
    neurons and its outputs listen only to its last, the matrices end and begin there.
    """
    network, target = program.network, program.target
    names = output_names(network)
    hidden = hidden_populations(network, names)
    out = tuple(network.population(name) for name in names)
    ports = tuple(port.name for port in network.inputs)
    weights_in = _weights(network, ports, _names(hidden))
    weights_out = _weights(network, _names(hidden), names)
    n_hidden, ends = weights_in.shape[1], ends_of(target)
    if ends.input_targets.value + ends.output_neurons.value < target.core.neurons.value:
        weights_in = weights_in[:, : 1 + np.flatnonzero(weights_in.any(axis=0)).max(initial=-1)]
        begin = np.flatnonzero(weights_out.any(axis=1)).min(initial=n_hidden - 1)
        weights_out = weights_out[begin:]
    arrays = {
        "weights_in": weights_in[:, :, None],
        "weights_rec": _weights(network, _names(hidden), _names(hidden))[:, :, None],
        "weights_out": weights_out,
        "dash_syn_2": np.zeros(n_hidden, np.int64),
    }
    for name in ("dash_mem", "dash_syn", "threshold", "bias"):
        arrays[name] = _register(hidden, name)
        arrays[f"{name}_out"] = _register(out, name)
    shifts = {f"weight_shift_{part}": 0 for part in ("in", "rec", "out")}
    return {name: array.tolist() for name, array in arrays.items()} | shifts


def _names(populations: tuple[Population, ...]) -> tuple[str, ...]:
    return tuple(p.name for p in populations)


def _weights(network: Network, sources: tuple[str, ...], targets: tuple[str, ...]) -> Array:
    """(sources, targets) weights between all neurons of two groups of nodes."""
    rows, columns = ({name: part for name, part in zip(names, _parts(network, names), strict=True)}
                     for names in (sources, targets))
    total = np.zeros([sum(prod(network.shape_of(n)) for n in names)
                      for names in (sources, targets)], np.int64)
    for link in network.projections:
        if link.source in rows and link.target in columns:
            each = link.map.apply(np.eye(prod(link.map.in_shape)))
            total[rows[link.source], columns[link.target]] += np.rint(each).astype(np.int64)
    return total


def _parts(network: Network, names: tuple[str, ...]) -> list[slice]:
    ends = [0, *np.cumsum([prod(network.shape_of(name)) for name in names]).tolist()]
    return [slice(a, b) for a, b in pairwise(ends)]


def _register(populations: tuple[Population, ...], name: str) -> Array:
    """A register of all neurons of `populations`, one after the other."""
    return np.concatenate([_of_each(p, name) for p in populations])


def _of_each(population: Population, name: str) -> Array:
    assert isinstance(population.neuron, XyloNeuron)
    value = getattr(population.neuron, name)
    value = value[0] if name == "dash_syn" else value
    return np.broadcast_to(value, population.shape).reshape(-1)

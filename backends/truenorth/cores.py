"""The cores of a program as JSON: what each row of each core's memory holds.

IBM's own formats are not public; this one says the same in words. A core has 256 axons and up to
256 neurons. `axon_types` are the types of its axons. A neuron is [registers, crossbar, target]:
registers is the number of an entry of the core's `registers`, crossbar its row as 64 hexadecimal
digits (axon 0 is the highest bit), target [core, axon, delay], or ["out", population, index] for
the host. `inputs` lists [port, index, core, axon, delay] of what the host sends.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from nmcompile_backends.truenorth.arithmetic import AXONS_PER_LINE, TrueNorthNeuron
from nmcompile_backends.truenorth.encode import PLACES

from nmcompile.errors import ChipNeuronError, CoreLimitError
from nmcompile.ir import Population, Projection
from nmcompile.ir.maps import Sparse
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import slice_of_neurons

AXONS = NEURONS = 256  # of a core (Merolla et al. 2014, Science 345:668)


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a source sends to a core: four axons from `first` on."""

    projection: int
    source: int
    slice: int
    first: int
    delay: int


def write_cores(program: Program, folder: Path) -> dict[str, str]:
    """Write `cores.json`: its name, and what it is. Raises NmcError as `describe` does."""
    content = describe(program)
    (folder / "cores.json").write_text(json.dumps(content) + "\n", "utf-8")
    return {"cores.json": "neurons, crossbars and targets of every core"}


def describe(program: Program) -> dict[str, Any]:
    """The content of `cores.json`, or NmcError where a core has too few neurons."""
    network, core = program.network, program.mapping.slices.core
    lines = _lines(program)
    by_source: dict[tuple[str, int], list[Line]] = {}
    for line in lines:
        name = network.projections[line.projection].source
        by_source.setdefault((name, line.source), []).append(line)
    entries: dict[int, dict[str, Any]] = {}
    for index, population in enumerate(network.populations):
        owner = slice_of_neurons(network, program.mapping.slices, index)
        for part in np.unique(owner):
            members = np.flatnonzero(owner == part)
            crossbar = _crossbar(program, [x for x in lines if x.slice == part], members)
            _add(entries.setdefault(int(core[part]), {"core": int(core[part]), **_empty()}),
                 program, population, members, crossbar, by_source)
    inputs = [[port.name, source, int(core[line.slice]), line.first + axon, line.delay]
              for port in network.inputs for source in range(port.size)
              for line in by_source.get((port.name, source), ()) for axon in range(AXONS_PER_LINE)]
    return {"cores": [entries[number] for number in sorted(entries)], "inputs": inputs}


def _lines(program: Program) -> list[Line]:
    """All lines; a core numbers those that end in it by projection and source."""
    used = dict[int, int]()
    lines = []
    for number, (projection, axons) in enumerate(
            zip(program.network.projections, program.mapping.axons, strict=True)):
        sources = np.repeat(np.arange(len(axons.start) - 1), np.diff(axons.start))
        for source, part in zip(sources.tolist(), axons.slice.tolist(), strict=True):
            core = int(program.mapping.slices.core[part])
            first = used.get(core, 0)
            used[core] = first + AXONS_PER_LINE
            lines.append(Line(projection=number, source=source, slice=part, first=first,
                              delay=projection.delay))
    if max(used.values(), default=0) > AXONS:
        raise CoreLimitError(
            "cores.json", f"{max(used.values())} axons on one core, it has {AXONS}")
    return lines


def _crossbar(program: Program, lines: list[Line], members: Array) -> Array:
    """The bits (members, 256) of the neurons `members`, by the lines that reach their core."""
    bits = np.zeros((len(members), AXONS), bool)
    for number in sorted({line.projection for line in lines}):
        mine = [line for line in lines if line.projection == number]
        weights = _matrix(program.network.projections[number])[[x.source for x in mine]]
        weights = weights[:, members].toarray().T.astype(np.int64)
        for axon in range(AXONS_PER_LINE):
            bits[:, [line.first + axon for line in mine]] = (weights >> axon) & 1
    return bits


def _matrix(projection: Projection) -> scipy.sparse.csr_array:
    """The integer weights (sources, targets) of any map, by what each single source gives."""
    if isinstance(projection.map, Sparse):
        return projection.map.matrix()
    n = int(np.prod(projection.map.in_shape))
    return scipy.sparse.csr_array(projection.map.apply(np.eye(n, dtype=np.int32)))


def _empty() -> dict[str, Any]:
    return {"axon_types": [axon % AXONS_PER_LINE for axon in range(AXONS)], "registers": [],
            "neurons": []}


def _add(
    entry: dict[str, Any], program: Program, population: Population, members: Array,
    crossbar: Array, by_source: dict[tuple[str, int], list[Line]],
) -> None:
    """Put the neurons `members` of `population` on the core of `entry`."""
    cores = program.mapping.slices.core
    answers = any(o.population == population.name for o in program.network.outputs)
    kept, neurons = entry["registers"], entry["neurons"]
    registers = _registers(program, population)[members]
    kinds = {tuple(row): number for number, row in enumerate(
        dict.fromkeys(map(tuple, registers.tolist())), len(kept))}
    kept += [_named(row, population) for row in kinds]
    for member, row, own in zip(members.tolist(), crossbar, registers.tolist(), strict=True):
        digits = np.packbits(row).tobytes().hex()
        targets: list[list[Any]] = [["out", population.name, member]] if answers else []
        targets += [[int(cores[line.slice]), line.first + axon, line.delay]
                    for line in by_source.get((population.name, member), ())
                    for axon in range(AXONS_PER_LINE)]
        neurons += [[kinds[tuple(own)], digits, target] for target in targets]
    if len(neurons) > NEURONS:
        raise CoreLimitError(population.name, f"needs {len(neurons)} neurons on one core, it has "
                             f"{NEURONS}", "Make the layers that it feeds smaller.")


def _named(row: tuple[int, ...], population: Population) -> dict[str, Any]:
    """One entry of `registers`."""
    neuron = population.neuron
    assert isinstance(neuron, TrueNorthNeuron)
    names = ("leak", "threshold", "floor", "reset_value", "v")
    return {**dict(zip(names, row, strict=False)), "values": [place << row[5] for place in PLACES],
            "reset": neuron.reset.value, "saturates": neuron.saturates}


def _registers(program: Program, population: Population) -> Array:
    """(n, 6): leak, threshold, floor, reset value, V before step 0, exponent of the values.

    A population waits for `start` steps, the chip does not: V begins that many leaks earlier.
    """
    neuron = population.neuron
    assert isinstance(neuron, TrueNorthNeuron)
    flat = [np.broadcast_to(a, population.shape).reshape(-1).astype(np.int64)
            for a in (neuron.leak, neuron.threshold, neuron.floor, neuron.reset_value,
                      neuron.v_init)]
    leak, threshold, floor, _, v = flat
    begun = v - population.start * leak
    ahead = np.stack([begun + leak, v])
    if population.start and np.any((ahead >= threshold) | (ahead < -floor)):
        raise ChipNeuronError(population.name, f"its membrane would cross a threshold in the "
                              f"{population.start} steps before its first input", "Lower its bias.")
    exponents = [p.format.exponent for p in program.network.incoming(population.name) if p.format]
    exponent = np.full(len(leak), exponents[0] if exponents else 0)
    return np.stack([*flat[:4], begun, exponent], axis=1)

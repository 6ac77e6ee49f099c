"""The program as registers: boards, chips and cores in JSON, long tables in an HDF5 beside it.

`registers.schema.json` describes every field, and how a core computes from them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from nmcompile_backends.loihi.adaptive import LoihiAdaptive
from nmcompile_backends.loihi.arithmetic import DENDRITE, SOMA, LoihiNeuron
from nmcompile_backends.loihi.lava_script import reset_name
from nmcompile_backends.loihi.register_axons import (
    AxonTable,
    Senders,
    axon_table,
    by_core,
    first_compartments,
    senders,
)
from nmcompile_backends.loihi.register_rows import Box, Rows, rows
from nmcompile_backends.loihi.relay import LoihiRelay
from nmcompile_backends.loihi.resonator import LoihiResonator
from nmcompile_backends.loihi.sigma_delta import LoihiSigmaDelta

from nmcompile.ir import Population
from nmcompile.ir.maps import Conv, Dense
from nmcompile.ir.neurons.base import Array, compartments_of
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import compartments
from nmcompile.target.topology import tile_position

FORMAT = "nmcompile-loihi-registers-2"
DOCUMENT, ARRAYS, SCHEMA = "registers.json", "registers.h5", "registers.schema.json"
NONE = np.zeros(0, np.int64)
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """What the document is made from, and the file that takes its arrays.

    arriving, leaving  by global core number, the axons of `table` that end and start there
    first              first compartment of each slice
    """

    program: Program
    table: AxonTable
    senders: Senders
    arriving: dict[int, Array]
    leaving: dict[int, Array]
    first: Array
    file: h5py.File

    def store(self, path: str, values: Array) -> Json:
        """Keep `values` under `path` in the file and give the reference to it."""
        self.file.create_dataset(path, data=values, track_times=False)
        return {"array": path}

    def each(self, path: str, values: Array) -> Json | int:
        """The one value that all neurons share, or a reference to one for each."""
        if values.min() == values.max():
            return int(values.min())
        return self.store(path, values.astype(np.int32))


def write_registers(program: Program, folder: Path) -> dict[str, str]:
    """Write `registers.json`, its arrays and the schema that describes both."""
    table = axon_table(program)
    sent = senders(program, table)
    with h5py.File(folder / ARRAYS, "w") as file:
        source = Source(
            program=program, table=table, senders=sent, arriving=by_core(table.core),
            leaving=by_core(sent.core), file=file,
            first=first_compartments(program.network, program.mapping.slices),
        )
        document = _document(source)
    (folder / DOCUMENT).write_bytes((json.dumps(document, indent=1) + "\n").encode())
    (folder / SCHEMA).write_bytes((files(__package__) / SCHEMA).read_bytes())
    return {
        DOCUMENT: "registers of every board, chip and core, as described in the schema",
        ARRAYS: f"the tables that {DOCUMENT} refers to",
        SCHEMA: f"JSON Schema of {DOCUMENT}, with the meaning of each field",
    }


def _document(source: Source) -> Json:
    network = source.program.network
    return {
        "format": FORMAT,
        "target": source.program.target.name,
        "arrays": ARRAYS,
        "inputs": [_input(source, number) for number in range(len(network.inputs))],
        "populations": [{"name": p.name, "shape": list(p.shape)} for p in network.populations],
        "outputs": [{"name": o.name, "population": o.population, "variable": o.variable}
                    for o in network.outputs],
        "boards": [{"id": 0, "chips": _chips(source)}],
    }


def _input(source: Source, number: int) -> Json:
    network, table = source.program.network, source.table
    port = network.inputs[number]
    projections = [i for i, p in enumerate(network.projections) if p.source == port.name]
    mine = np.flatnonzero(np.isin(table.projection, projections))
    return {
        "name": port.name, "shape": list(port.shape),
        "payload_bits": port.format.payload_bits or 0,
        "output_axons": _output_axons(source, f"/inputs/{number}", mine, port.size),
    }


def _output_axons(source: Source, path: str, mine: Array, n: int) -> Json:
    """The destinations of `n` senders: axons `mine`, by the sender's line or compartment."""
    table, sender = source.table, source.senders.compartment
    chosen = mine[np.argsort(sender[mine], kind="stable")]
    counts = np.bincount(sender[mine], minlength=n)
    chip, core = np.divmod(table.core[chosen], source.program.target.cores_per_chip)
    columns: dict[str, Array] = {
        "chip": chip.astype(np.uint16), "core": core.astype(np.uint16),
        "axon": table.number[chosen].astype(np.uint32),
        "delay": table.delay[chosen].astype(np.uint8),
    }
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    stored = {"start": source.store(f"{path}/output_axons/start", start)}
    for name, values in columns.items():
        stored[name] = source.store(f"{path}/output_axons/{name}", values)
    return {"count": len(chosen), **stored}


def _chips(source: Source) -> list[Json]:
    used = np.unique(source.program.mapping.slices.core)
    per_chip = source.program.target.cores_per_chip
    return [
        {"id": int(chip), "cores": [_core(source, int(c)) for c in used[used // per_chip == chip]]}
        for chip in np.unique(used // per_chip)
    ]


def _core(source: Source, core: int) -> Json:
    program = source.program
    slices, path = program.mapping.slices, f"/cores/{core}"
    mine = np.flatnonzero(slices.core == core)
    n = int(compartments(program.network, slices)[mine].sum())
    formats, groups, axons = _synapses(source, path, source.arriving.get(core, NONE))
    return {
        "id": core % program.target.cores_per_chip,
        "tile": tile_position(program.target, np.array([core], np.int32))[0].tolist(),
        "compartments": n,
        "compartment_groups": [_compartments(source, f"{path}/compartments/{i}", int(s))
                               for i, s in enumerate(mine)],
        "synapse_formats": formats,
        "synapse_groups": groups,
        "input_axons": axons,
        "output_axons": _output_axons(source, path, source.leaving.get(core, NONE), n),
    }


def _compartments(source: Source, path: str, number: int) -> Json:
    population, box = _slice(source, number)
    neuron, place = population.neuron, _place(source, path, number)

    def register(name: str) -> Json | int:
        values = np.broadcast_to(getattr(neuron, name), population.shape)
        return source.each(f"{path}/{name}", box.cut(values))

    if isinstance(neuron, LoihiRelay):
        return {**place, "model": "relay"}
    if isinstance(neuron, LoihiSigmaDelta):
        return {
            **place, "model": "sigma-delta", "threshold": register("threshold"),
            "offset": register("offset"), "rectified": neuron.rectified,
            "accumulates": neuron.accumulates, "shift": neuron.shift,
        }
    if isinstance(neuron, LoihiResonator):
        decays = {name: register(name) for name in ("sin_decay", "cos_decay")}
        return {**place, "model": "resonator", **decays, "threshold": register("threshold"),
                "phase": neuron.phase}
    if isinstance(neuron, LoihiAdaptive):
        names = ("du", "dv", "dtheta", "dr", "threshold", "threshold_step", "bias_mantissa")
        return {**place, "model": "adaptive", **{name: register(name) for name in names},
                "bias_exponent": neuron.bias_exponent, "current_init": register("u_init"),
                "voltage_init": register("v_init")}
    assert isinstance(neuron, LoihiNeuron)
    membrane = {
        "du": register("du"), "dv": register("dv"), "threshold": register("threshold"),
        "bias_mantissa": register("bias_mantissa"), "bias_exponent": neuron.bias_exponent,
        "current_init": register("u_init"), "voltage_init": register("v_init")}
    if neuron.compartments > 1:
        return {**place, "model": "two-compartment", **membrane,
                "dendrite_profile": DENDRITE, "soma_profile": SOMA}
    return {
        **place, "model": "cuba", **membrane,
        "refractory": neuron.refractory,
        "reset": reset_name(neuron), "inclusive": neuron.inclusive, "silent": neuron.silent,
    }


def _place(source: Source, path: str, number: int) -> Json:
    """Whose neurons slice `number` holds, and in which compartments."""
    population, box = _slice(source, number)
    slices = source.program.mapping.slices
    place = {"population": population.name, "low": box.low.tolist(), "high": box.high.tolist(),
             "first": box.first, "count": box.size * box.step, "start": population.start}
    if str(slices.population[number]) in slices.orders:
        place["neurons"] = source.store(f"{path}/neurons", box.members.astype(np.int64))
    return place


def _slice(source: Source, number: int) -> tuple[Population, Box]:
    slices = source.program.mapping.slices
    index = int(slices.population[number])
    population = source.program.network.populations[index]
    return population, Box(low=slices.low[number], high=slices.high[number],
                           shape=slices.view(population.shape, index),
                           members=slices.members(population.shape, number),
                           first=int(source.first[number]),
                           step=compartments_of(population.neuron))


def _synapses(source: Source, path: str, arriving: Array) -> tuple[list[Json], list[Json], Json]:
    """Formats, groups and the input axon table of a core; `arriving` are its axons by number."""
    table = source.table
    pair = np.stack([table.projection[arriving], table.slice[arriving]], axis=1)
    kinds, group = np.unique(pair, axis=0, return_inverse=True)
    group = group.reshape(-1)
    pointer, length = np.zeros(len(arriving), np.int64), np.zeros(len(arriving), np.int32)
    formats: list[Json] = []
    groups: list[Json] = []
    for number in range(len(kinds)):
        members = np.flatnonzero(group == number)
        entry, made = _group(source, f"{path}/synapses/{number}", arriving[members])
        stored = entry.pop("format")
        formats += [] if stored in formats else [stored]
        groups.append({**entry, "format": formats.index(stored)})
        pointer[members], length[members] = made.pointer, made.length
    columns: dict[str, Array] = {
        "group": group.astype(np.uint16), "pointer": pointer, "length": length,
    }
    references = {name: source.store(f"{path}/input_axons/{name}", values)
                  for name, values in columns.items()}
    return formats, groups, {"count": len(arriving), **references}


def _group(source: Source, path: str, members: Array) -> tuple[Json, Rows]:
    """The synapses behind axons of one projection and slice, with their format in full."""
    program, table = source.program, source.table
    number = int(table.projection[members[0]])
    projection, axons = program.network.projections[number], program.mapping.axons[number]
    assert projection.format is not None
    _, box = _slice(source, int(table.slice[members[0]]))
    linear = projection.map
    shared = isinstance(linear, Conv) and program.target.core.shared_kernels.value
    made = rows(projection, box, axons, table.member[members], shared)
    compression = "dense" if isinstance(linear, Dense) else "shared" if shared else "sparse"
    entry: Json = {
        "projection": projection.name, "first_compartment": box.first,
        "weights": source.store(f"{path}/weights", made.weight.astype(np.int16)),
        "format": {"bits": projection.format.bits, "exponent": projection.format.exponent,
                   "sign": projection.format.sign, "compression": compression},
    }
    if projection.current is not None:
        entry["current"] = projection.current
    if box.step > 1:
        entry["step"] = box.step
    if made.compartment is not None:
        entry["targets"] = source.store(f"{path}/targets", made.compartment)
    if shared:
        assert isinstance(linear, Conv)
        entry["kernel"] = _kernel(linear, box)
    return entry, made


def _kernel(conv: Conv, box: Box) -> Json:
    return {
        "shape": [int(box.high[0] - box.low[0]), *conv.weight.shape[1:]],
        "source_shape": list(conv.in_shape), "channels": conv.weight.shape[0],
        "stride": list(conv.stride), "padding": list(conv.padding),
        "dilation": list(conv.dilation), "groups": conv.groups,
        "low": box.low.tolist(), "high": box.high.tolist(),
    }

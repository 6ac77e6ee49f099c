"""The lane in Amaranth's simulator as a device: it runs pico.json, and all of it can be read."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.sim import Simulator
from pydantic import BaseModel

from nmc_pico_rtl.lane import Lane
from nmcompile.device import Place, Ran, Recording, Wanted
from nmcompile.errors import DeviceBuildError, OptionError, reading, unknown_name
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

FILE = "pico.json"
REGISTERS = ("bias", "decay", "threshold", "refractory")
Line = list[tuple[int, int]]


class PicoFile(BaseModel, extra="forbid", strict=True):
    """What pico.json holds; see `nmc_pico.emit.description`."""

    neurons: list[tuple[int, int, int, int, int]]
    inputs: list[Line]
    synapses: list[Line]


class PicoRtl:
    """Pico's lane in Amaranth's simulator, with a host that keeps states and sends weights.

    What runs is the file of the build, not the program: the two are compared by what they do.
    """

    name = "pico-rtl"

    def __init__(self) -> None:
        self._program: Program | None = None
        self._file = PicoFile(neurons=[], inputs=[], synapses=[])

    def open(self, place: Place) -> None:
        """Nothing to connect to; raises NmcError for an address or an option."""
        if place.address:
            raise OptionError("--device pico-rtl", f"has no address, got '{place.address}'")
        for option in place.options:
            raise unknown_name("--device-option of pico-rtl", option, ())

    def load(self, program: Program, config: Path) -> None:
        """Take the pico.json in `config`; raises NmcError where there is none for this program."""
        path = config / FILE
        if not path.is_file():
            raise DeviceBuildError(
                str(config), f"holds no {FILE}", "Compile for a target of Pico's.")
        with reading(str(path), "is no file of Pico's", "Compile the model again."):
            self._file = PicoFile.model_validate_json(path.read_bytes())
        _require_the_same_size(self._file, program, path)
        self._program = program

    def readable(self) -> Wanted:
        """Spikes and both states of every population."""
        return {p.name: ("spikes", "r", "v") for p in self._loaded().network.populations}

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """Run samples, each from a reset chip."""
        network = self._loaded().network
        samples, steps = next(iter(inputs.values())).shape[:2]
        sent = np.concatenate([inputs[port.name].reshape(samples, steps, -1)
                               for port in network.inputs], axis=2)
        chip_steps = steps + max(self._loaded().latency.values())
        told = []
        for sample in sent:
            told.append(_simulated(self._file, sample, chip_steps))
            ran(steps)
        found = np.array(told)
        return Recording(variables={
            name: self._cut(found, name, names, steps) for name, names in wanted.items()})

    def close(self) -> None:
        """Nothing stays open between runs."""
        self._program = None

    def _cut(
        self, found: Array, name: str, variables: tuple[str, ...], steps: int
    ) -> dict[str, Array]:
        """Variables of a population in the network's own time."""
        program = self._loaded()
        populations = program.network.populations
        ends = np.cumsum([0, *(p.size for p in populations)]).tolist()
        spans = dict(zip((p.name for p in populations), pairwise(ends), strict=True))
        (begin, end), lag = spans[name], program.latency[name]
        own = found[:, lag : lag + steps, begin:end].reshape(
            -1, steps, *program.network.population(name).shape, 3)
        return {variable: own[..., ("spikes", "r", "v").index(variable)].astype(np.int32)
                for variable in variables}

    def _loaded(self) -> Program:
        assert self._program is not None
        return self._program


def _require_the_same_size(file: PicoFile, program: Program, path: Path) -> None:
    network = program.network
    wanted = (sum(p.size for p in network.inputs), sum(p.size for p in network.populations))
    told = (len(file.inputs), len(file.neurons))
    largest = max((n for line in file.inputs + file.synapses for n, _ in line), default=0)
    if told != wanted or len(file.synapses) != wanted[1] or largest >= wanted[1]:
        raise DeviceBuildError(
            str(path), f"has {told[0]} inputs and {told[1]} neurons, the program "
            f"{wanted[0]} and {wanted[1]}", "Compile the model again.")


def _simulated(file: PicoFile, sample: Array, chip_steps: int) -> Array:
    """Spikes, r and v of each neuron in each step of the chip: (steps, neurons, 3)."""
    lane, told = Lane(), np.zeros((chip_steps, len(file.neurons), 3), np.int64)
    simulator = Simulator(lane)
    simulator.add_clock(1e-6)

    async def host(context: Any) -> None:
        state = [(0, 0)] * len(file.neurons)
        lines: list[Line] = []  # those that fired in the step before
        for step in range(chip_steps):
            arriving: list[list[int]] = [[] for _ in file.neurons]
            for neuron, weight in (synapse for line in lines for synapse in line):
                arriving[neuron].append(weight)
            lines = [file.inputs[i] for i in np.flatnonzero(sample[step])
                     ] if step < len(sample) else []
            for number, (first, *registers) in enumerate(file.neurons):
                if step < first:
                    continue
                spike, r, v = await updated(context, lane, registers, state[number],
                                             arriving[number])
                state[number] = (r, v)
                told[step, number] = spike, r, v
                lines += [file.synapses[number]] * spike
    simulator.add_testbench(host)
    simulator.run()
    return told


async def updated(
    context: Any, lane: Lane, registers: list[int], state: tuple[int, int], weights: list[int]
) -> tuple[int, int, int]:
    """Spike, r and v of one neuron behind a step."""
    for name, value in (*zip(REGISTERS, registers, strict=True), *zip("rv", state, strict=True)):
        context.set(getattr(lane, name), value)
    context.set(lane.load, 1)
    await context.tick()
    context.set(lane.load, 0)
    context.set(lane.add, 1)
    for weight in weights:
        context.set(lane.weight, weight)
        await context.tick()
    context.set(lane.add, 0)
    return context.get(lane.spike), context.get(lane.r_out), context.get(lane.v_out)

"""Run networks on sPyNNaker's own programs for a SpiNNaker core, with Unicorn as its ARM processor.

    python tools/oracles/spinnaker_core.py networks.npz results.npz

For each i of the file's `count`: `model` (0 IF_curr_exp, 1 IF_cond_exp, 2 IF_curr_delta),
`parameters` (the words of the NeuronParameters region), `shifts` (2), `bits` (index bits, delay
bits), `start` and `words` (synaptic rows of all sources, the core's own neurons last), `spikes`
(steps, outer sources), each named "NAMEi". A result has `registers` (n, 15, of delta synapses 11)
after loading, and `states` (steps, n, 5): v, refractory timer, exc, inh and whether it spiked.
Optional `registersi` replace the loaded ones.

The functions that are called lie at addresses of the three programs that sPyNNaker 7.4.1 installs
(found by disassembling them; their C is neuron.c, synapses.c, neuron_impl_standard.h).
"""

from __future__ import annotations

import hashlib
import struct
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from unicorn import UC_ARCH_ARM, UC_MODE_ARM, Uc
from unicorn.arm_const import (
    UC_ARM_REG_LR,
    UC_ARM_REG_R0,
    UC_ARM_REG_R1,
    UC_ARM_REG_R2,
    UC_ARM_REG_R3,
    UC_ARM_REG_SP,
)

ITCM, DTCM, SDRAM = (0, 0x8000), (0x400000, 0x10000), (0x60000000, 0x400000)
STACK = DTCM[0] + DTCM[1] - 256
RETURN = 0x7FF0  # an address in ITCM behind every program
NEVER = 0x7FFFFFFF  # a recording that is never due


@dataclass(frozen=True)
class Model:
    """One program: its file, its functions, and where its variables lie."""

    file: str
    sha256: str
    update: int  # neuron_do_timestep_update(time, timer_count)
    transfer: int  # neuron_transfer(ring buffers of a step)
    variables: tuple[int, ...]  # offsets in NEURON: n, number of peak neurons, of types, shifts
    arrays: tuple[int, ...]  # offsets in NEURON: neurons, synapses, thresholds, input types
    inputs: tuple[int, ...] = (2, 5)  # what a neuron's synapses hold of exc and inh, in words
    synapse_words: int = 6


LOAD = 0x16B4  # neuron_impl_load_neuron_parameters(region, n, no copy)
ROW = 0xC08  # synapses_process_synaptic_row(time, colour, colour mask, row, *write back)
NEURON, SYNAPSE = 0x400168, 0x400114  # what their functions keep in DTCM
MODELS = (
    Model("IF_curr_exp.aplx", "acd257c9da6fa23c8995a080aeadd591182716cc0f8b6f2b26a1fbbdc15bc556",
          0x220C, 0x2928, (0x5C, 0x74, 0x78, 0x80), (0x50, 0x54, 0x58)),
    Model("IF_cond_exp.aplx", "0d2196c626843c76aa1fb1ef1773d3f752feeb651915bc2151fa989feeec081e",
          0x2280, 0x2A08, (0x60, 0x78, 0x7C, 0x84), (0x50, 0x54, 0x58, 0x5C)),
    Model("IF_curr_delta.aplx", "9e991ac64c9eebc2f34a53e93ff667bad9b3ef112a16d4d91ac1605fd660dbcd",
          0x2148, 0x2840, (0x60, 0x78, 0x7C, 0x84), (0x50, 0x58, 0x5C, 0x54), (0, 1), 2),
)


class Core:
    """A core with one program and `n` neurons, ready to load parameters."""

    def __init__(self, model: Model, n: int, bits: tuple[int, int], shifts: np.ndarray) -> None:
        self._model, self.n, self._free = model, n, SDRAM[0]
        self._arm = Uc(UC_ARCH_ARM, UC_MODE_ARM)
        for base, size in (ITCM, DTCM, SDRAM):
            self._arm.mem_map(base, size)
        self._copy_program()
        self._parts = [(self.space(4 * k * n), k) for k in (8, model.synapse_words, 1)]
        self._scratch = self.space(64)
        self._index_bits, self._delay_bits = bits
        self._place_variables(shifts)

    def space(self, n_bytes: int) -> int:
        """The address of `n_bytes` of memory that nothing else uses."""
        begin, self._free = self._free, self._free + (n_bytes + 15) // 16 * 16
        return begin

    def put(self, address: int, *values: int) -> None:
        """Write 32-bit words."""
        self._arm.mem_write(address, np.array(values, np.int64).astype(np.uint32).tobytes())

    def words(self, address: int, n: int) -> np.ndarray:
        """(n,) int32 words."""
        return np.frombuffer(bytes(self._arm.mem_read(address, 4 * n)), np.int32)

    def call(self, function: int, *arguments: int) -> None:
        """Run a function until it returns."""
        for register, value in zip(
            (UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3), arguments, strict=False
        ):
            self._arm.reg_write(register, value)
        self._arm.reg_write(UC_ARM_REG_SP, STACK)
        self._arm.reg_write(UC_ARM_REG_LR, RETURN)
        self._arm.emu_start(function, RETURN)

    def load(self, parameters: np.ndarray) -> None:
        """Have the core compute its registers from the words that the host wrote."""
        region = self.space(4 * len(parameters))
        self.put(region, *parameters)
        self.call(LOAD, region, self.n, 0)

    def registers(self) -> np.ndarray:
        """(n, 15 or 11): 8 words of the neuron, 6 or 2 of its synapses, its threshold."""
        return np.concatenate(
            [self.words(at, self.n * k).reshape(self.n, k) for at, k in self._parts], axis=1)

    def set_registers(self, values: np.ndarray) -> None:
        """Replace all of `registers`."""
        widths = [k for _, k in self._parts]
        for (at, _), part in zip(self._parts, np.split(values, np.cumsum(widths)[:-1], axis=1),
                                 strict=True):
            self.put(at, *part.reshape(-1))

    def tick(self, step: int) -> np.ndarray:
        """One timer tick; (n, 5) states and spikes."""
        slot = step % (1 << self._delay_bits) << (self._index_bits + 1)
        self.call(self._model.transfer, self._ring + 2 * slot)
        n_words = (self.n + 31) // 32
        self.put(self._spiked, *[0] * n_words)
        self.call(self._model.update, step, 0)
        bits = np.unpackbits(self.words(self._spiked, n_words).view(np.uint8), bitorder="little")
        now = self.registers()
        exc, inh = (now[:, 8 + word] for word in self._model.inputs)
        return np.stack([now[:, 0], now[:, 5], exc, inh, bits[: self.n]], axis=1)

    def deliver(self, step: int, row: int) -> None:
        """Process the synaptic row at address `row`."""
        self.put(STACK, self._scratch)
        self.call(ROW, step, 0, 0, row)

    def _copy_program(self) -> None:
        origin = find_spec("spynnaker").origin
        image = (Path(origin).parent / "pyNN" / "model_binaries" / self._model.file).read_bytes()
        if hashlib.sha256(image).hexdigest() != self._model.sha256:
            sys.exit(f"{self._model.file} is not the one of sPyNNaker 7.4.1")
        for entry in range(0, 32, 16):  # two copies, of code and of initialised data (sark.h, APLX)
            _, to, begin, n = struct.unpack_from("<4I", image, entry)
            self._arm.mem_write(to, image[entry + begin : entry + begin + n])

    def _place_variables(self, shifts: np.ndarray) -> None:
        n, peak = self.n, 1 << self._index_bits
        at_shifts = self.space(8)
        self.put(at_shifts, *shifts)
        for offset, value in zip(self._model.variables, (n, peak, 2, at_shifts), strict=True):
            self.put(NEURON + offset, value)
        placed = (*(at for at, _ in self._parts), self.space(8 * n))
        for offset, at in zip(self._model.arrays, placed, strict=False):
            self.put(NEURON + offset, at)
        self._place_recording()
        type_bits = self._index_bits + 1
        ring_bits = type_bits + self._delay_bits
        self._ring, mask = self.space(2 << ring_bits), (1 << self._delay_bits) - 1
        for offset, value in ((0, n), (4, 2), (8, at_shifts), (0xC, type_bits), (0x28, mask),
                              (0x2C, mask << type_bits), (0x30, peak), (0x34, 1 << ring_bits),
                              (0x38, (1 << ring_bits) - 1), (0x3C, self._ring)):
            self.put(SYNAPSE + offset, value)

    def _place_recording(self) -> None:
        """Neuron i records into word or bit i, and nothing is ever sent to the host."""
        index = self.space(2 * self.n)
        self._arm.mem_write(index, np.arange(self.n, dtype=np.uint16).tobytes())
        counters, bit_counters = self.space(64), self.space(64)
        self.put(counters, *[NEVER if k in (1, 7, 13) else 0 for k in range(16)])
        self.put(bit_counters, NEVER)
        values, indices = self.space(16), self.space(16)
        self.put(values, *(self.space(4 * self.n) for _ in range(3)))
        self.put(indices, index, index, index)
        self._spiked = self.space(4 * (self.n // 32 + 1))
        bits, bit_index = self.space(4), self.space(4)
        self.put(bits, self._spiked)
        self.put(bit_index, index)
        self.put(NEURON, counters, values, indices, bit_counters, bits, bit_index)


def run(data: np.lib.npyio.NpzFile, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Registers and states of network `i`."""
    spikes, start, words = data[f"spikes{i}"], data[f"start{i}"], data[f"words{i}"]
    n = len(start) - 1 - spikes.shape[1]
    core = Core(MODELS[int(data[f"model{i}"])], n, tuple(map(int, data[f"bits{i}"])),
                data[f"shifts{i}"])
    core.load(data[f"parameters{i}"])
    if f"registers{i}" in data:
        core.set_registers(data[f"registers{i}"])
    registers, rows = core.registers(), []
    for begin, end in pairwise(start):
        rows.append(core.space(4 * (3 + end - begin)))
        core.put(rows[-1], 0, end - begin, 0, *words[begin:end])
    states = []
    for step, sent in enumerate(spikes):
        states.append(core.tick(step))
        for source in np.flatnonzero(np.concatenate([sent, states[-1][:, 4]])):
            core.deliver(step, rows[source])
    return registers, np.array(states)


def main() -> None:
    """Run every network of the file that the command line names."""
    data, results = np.load(sys.argv[1]), {}
    for i in range(int(data["count"])):
        results[f"registers{i}"], results[f"states{i}"] = run(data, i)
    np.savez(sys.argv[2], **results)


if __name__ == "__main__":
    main()

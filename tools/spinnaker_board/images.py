"""What a core of sPyNNaker's programs is, read from the bytes in its chip's SDRAM alone.

Layouts: spynnaker 7.4.1 population_machine_vertex.py and population_machine_neurons.py,
master_pop_table.py, spinn_front_end_common's load_data_specification.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from chip import CORE_INFO, CORE_INFO_BYTES, USER_0, Chip
from memory import Memory
from nmcompile_backends.spinnaker.accum import ONE
from nmcompile_backends.spinnaker.arithmetic import RING_LIMIT, SpinnakerNeuron
from nmcompile_backends.spinnaker.parameters import Cell, delta_neuron, neuron

MAGIC, VERSION, REGIONS = 0xAD130AD6, 0x10000, 32
CELLS = {"IF_curr_exp": False, "IF_curr_delta": True}  # program -> whether synapses are deltas
MEMBRANE = ("v", "v_rest", "cm", "tau_m", "i_offset", "v_reset", "tau_refrac")
NEURONS, LARGEST = 256, 1 << 26  # of a core; bytes of a region that is read at once
SPIKES = 3  # channel of recording


class ImageError(ValueError):
    """Bytes that a program of sPyNNaker would not start with."""


@dataclass(frozen=True)
class Entry:
    """Where the rows of a source are: for each address the words of all its rows, by neuron."""

    key: int
    mask: int
    colour: int
    blocks: list[np.ndarray]


def regions_of(chip: Chip, number: int) -> dict[int, int]:
    """The address of each region of a core. Raises ImageError where it has no table of them."""
    return {region: pointer for region, (pointer, *_) in enumerate(_table(chip, number)) if pointer}


def require_whole(chip: Chip, number: int) -> None:
    """Raise ImageError where a region of a core is not what its checksum says.

    Programs look at checksums when they start, not when they run again.
    """
    for region, (pointer, checksum, n_words) in enumerate(_table(chip, number)):
        if n_words * 4 > LARGEST:
            raise ImageError(f"region {region} of {n_words} words")
        if pointer and int(words(chip.memory, pointer, n_words).sum()) & 0xFFFFFFFF != checksum:
            raise ImageError(f"core {number} of chip {chip.place}: region {region} is damaged")


def _table(chip: Chip, number: int) -> list[list[int]]:
    """Pointer, checksum and words of each region."""
    memory = chip.memory
    base = memory.word(CORE_INFO + CORE_INFO_BYTES * number + USER_0)
    if (memory.word(base), memory.word(base + 4)) != (MAGIC, VERSION):
        raise ImageError(f"core {number} of chip {chip.place}: no table of regions at {base:#x}")
    return np.frombuffer(memory.read(base + 8, 12 * REGIONS), "<u4").reshape(-1, 3).tolist()


def words(memory: Memory, address: int, n: int) -> np.ndarray:
    """(n,) int64 words."""
    return np.frombuffer(memory.read(address, 4 * n), "<u4").astype(np.int64)


class NeuronCore:
    """Neurons, their keys, their ring buffer, and the rows of all sources."""

    def __init__(self, chip: Chip, number: int, program: str) -> None:
        self.chip, self.number, memory = chip, number, chip.memory
        self.regions = regions_of(chip, number)
        head = words(memory, self.regions[1], 7).tolist()
        self.n, self.shifts, self.sends = head[1], head[5:7], bool(head[0])
        if not (1 <= self.n <= NEURONS and head[4] == 2):
            raise ImageError(f"{self.n} neurons with {head[4]} types of synapses")
        self.keys = words(memory, self.regions[1] + 28, self.n)
        synapses = words(memory, self.regions[4], 9).tolist()
        self.index_bits, self.slots = synapses[2], 1 << synapses[4]
        if self.index_bits > 8 or synapses[4] > 8 or max(self.shifts) > 16:
            raise ImageError(f"ring buffers of {synapses[2]} and {synapses[4]} bits")
        self.neuron = self._cells(program)
        self.entries = list(self._entries())
        self._rows: dict[int, tuple[np.ndarray, ...]] = {}
        self.recorded, self.is_full = bytearray(), False
        self.record = self.regions[15] + 4 + 12 * SPIKES  # where the room for spikes is told
        self.room = memory.word(self.record)
        # Sums only grow until they are taken, where they saturate as those of 16 bits would have.
        self.ring = np.zeros((self.slots, 2, self.n), np.int64)
        self.state = self.neuron.initial_state((1, self.n))
        self.state["hold"] = self.timers[None].astype(np.int32)

    def tick(self, step: int) -> list[int]:
        """Update all neurons; the keys that they send."""
        current = np.minimum(self.ring[step % self.slots], RING_LIMIT)[None]
        self.ring[step % self.slots] = 0
        self.state, fired = self.neuron.step(self.state, current)
        bits = np.packbits(fired[0].astype(np.uint8), bitorder="little")
        size = 4 * -(-self.n // 32)
        if bits.any():
            self.is_full |= len(self.recorded) + 4 + size > self.room
            if not self.is_full:
                self.recorded += step.to_bytes(4, "little") + bits.tobytes().ljust(size, b"\0")
        return self.keys[np.flatnonzero(fired[0])].tolist() if self.sends else []

    def keep(self) -> None:
        """Write potentials and timers back to SDRAM, as a core does where it pauses."""
        at = self.regions[2] + 4
        membrane = words(self.chip.memory, at, 9 * self.n).reshape(self.n, 9)
        membrane[:, 0], membrane[:, 7] = self.state["v"][0], self.state["hold"][0]
        self.chip.memory.write(at, (membrane & 0xFFFFFFFF).astype("<u4").tobytes())

    def receive(self, key: int, step: int) -> None:
        """Add the rows of a packet's source to the ring buffer."""
        if key not in self._rows:
            self._rows[key] = self._found(key)
        delay, kind, target, weight = self._rows[key]
        np.add.at(self.ring, ((step + delay) % self.slots, kind, target), weight)

    def _cells(self, program: str) -> SpinnakerNeuron:
        n, delta = self.n, CELLS[program]
        size = n * (12 + delta if delta else 15)
        found = words(self.chip.memory, self.regions[2] + 4, size).astype(np.uint32)
        found = found.view(np.int32).astype(np.int64)
        membrane = found[: 9 * n].reshape(n, 9)
        self.timers = membrane[:, 7]
        values = dict(zip(MEMBRANE, membrane[:, :7].T / ONE, strict=True))
        rest = found[9 * n :]
        if delta:
            values["v_thresh"] = rest[n : 2 * n] / ONE
            starts = rest[2 * n :].reshape(n, 2).T / ONE
            values |= dict(zip(("isyn_exc", "isyn_inh"), starts, strict=True))
        else:
            values["v_thresh"] = rest[:n] / ONE
            names = ("tau_syn_e", "isyn_exc", "tau_syn_i", "isyn_inh")
            values |= dict(zip(names, rest[n:].reshape(n, 5)[:, :4].T / ONE, strict=True))
        make = delta_neuron if delta else neuron
        return make(f"core {self.number}", Cell(**values), (n,), shifts=tuple(self.shifts))

    def _entries(self):
        memory, table = self.chip.memory, self.regions[5]
        n_entries, n_addresses = words(memory, table, 2).tolist()
        if n_entries > 1 << 13 or n_addresses > 1 << 13:
            raise ImageError(f"a population table of {n_entries} entries")
        found = words(memory, table + 8, 5 * n_entries + n_addresses).tolist()
        listed = found[5 * n_entries :]
        room = LARGEST
        for i in range(n_entries):
            key, mask, start, _, neurons = found[5 * i : 5 * i + 5]
            blocks, n = [], neurons & 0xFFFF
            for address in listed[start & 0x1FFF :][: start >> 16]:
                length = (address & 0xFF) + 1 + 3
                room -= 4 * n * length
                if room < 0:
                    raise ImageError(f"more than {LARGEST} bytes of rows")
                at = self.regions[6] + (address >> 8) * 16
                blocks.append(words(memory, at, n * length).reshape(n, length))
            yield Entry(key, mask, start >> 13 & 7, blocks)

    def _found(self, key: int) -> tuple[np.ndarray, ...]:
        """Delay, type, neuron and weight of all synapses of the source that sends `key`."""
        parts = [np.zeros(0, np.int64)]
        for entry in self.entries:
            if key & entry.mask == entry.key:
                number = (key & ~entry.mask & 0xFFFFFFFF) >> entry.colour
                for block in entry.blocks:
                    if number < len(block):
                        parts.append(block[number, 3:][: block[number, 1]])
                break
        word = np.concatenate(parts)
        delay = word >> (self.index_bits + 1) & (self.slots - 1)
        return (np.where(delay == 0, self.slots, delay), word >> self.index_bits & 1,
                np.minimum(word & (1 << self.index_bits) - 1, self.n - 1), word >> 16)

"""Count the instructions of sPyNNaker's program IF_curr_exp for each thing that a core does.

    python tools/oracles/spinnaker_cycles.py networks.npz counts.npz

The networks are those of `spinnaker_core.py`, IF_curr_exp alone. Counts are instructions that the
emulated processor executes, in arrays with a row for each of many calls:

    update    neurons, spikes, instructions of neuron_do_timestep_update
    transfer  entries of the ring buffer, those that are not 0, instructions of neuron_transfer
    rows      synapses, instructions of dma_complete_callback when no other spike waits
    nexts     the same when one waits, whose lookup takes one step
    misses    instructions more than of `rows` when one waits that has no row
    starts    instructions of user_event_callback with one spike waiting
    received  instructions of multicast_packet_received_callback, transfers under way and not
    lookups   entries of the table, which of them is sought, instructions of
              population_table_get_first_address
    clear     instructions of spike_processing_clear_input_buffer

The processor takes more than a cycle for some of its instructions (ARM9E-S: taken branches three).
"""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
from spinnaker_core import MODELS, Core
from unicorn import UC_HOOK_CODE, UC_HOOK_MEM_UNMAPPED, Uc

RECEIVED, USER, DONE, CLEAR, LOOKUP = 0x2FE4, 0x2FB0, 0x2D68, 0x3058, 0x3670
PIPELINE, TABLE = 0x4001FC, 0x40026C  # what spike_processing.c and population_table.c keep in DTCM
BUSY, REWIRES, SPIKES, QUEUE, NEXT, READ, BUFFERS = 0xC, 0x14, 0x10, 0x8, 0x1C, 0x50, 0x20
NO_ROW = 0xFFFFFF00  # in place of an address and a length
ELSEWHERE = 0x60300000  # an address that no row is at
MODEL = MODELS[0]


class Counter:
    """A core whose instructions are counted; peripherals are memory."""

    def __init__(self, n: int, bits: tuple[int, int], shifts: np.ndarray) -> None:
        self.core, self._n = Core(MODEL, n, bits, shifts), 0
        arm = self.core._arm
        arm.hook_add(UC_HOOK_CODE, self._one)
        arm.hook_add(UC_HOOK_MEM_UNMAPPED, self._map)

    def call(self, function: int, *arguments: int) -> int:
        """Instructions of a call."""
        self._n = 0
        self.core.call(function, *arguments)
        return self._n

    def _one(self, _arm: Uc, _at: int, _size: int, _data: object) -> None:
        self._n += 1

    def _map(self, arm: Uc, _access: int, at: int, *_rest: object) -> bool:
        arm.mem_map(at & ~0xFFF, 0x1000)
        return True


def ticks(data: np.lib.npyio.NpzFile, i: int) -> tuple[list, list]:
    """Rows of `update` and `transfer` for every step of network `i`."""
    spikes, start, words = data[f"spikes{i}"], data[f"start{i}"], data[f"words{i}"]
    n, bits = len(start) - 1 - spikes.shape[1], tuple(map(int, data[f"bits{i}"]))
    counter = Counter(n, bits, data[f"shifts{i}"])
    core, updates, transfers = counter.core, [], []
    core.load(data[f"parameters{i}"])
    rows = []
    for begin, end in pairwise(start):
        rows.append(core.space(4 * (3 + end - begin)))
        core.put(rows[-1], 0, end - begin, 0, *words[begin:end])
    entries = 2 << bits[0]
    for step, sent in enumerate(spikes):
        ring = core._ring + 2 * (step % (1 << bits[1]) * entries)
        held = np.frombuffer(bytes(core._arm.mem_read(ring, 2 * entries)), np.uint16)
        transfers.append((entries, np.count_nonzero(held), counter.call(MODEL.transfer, ring)))
        n_words = (n + 31) // 32
        core.put(core._spiked, *[0] * n_words)
        instructions = counter.call(MODEL.update, step, 0)
        fired = core.words(core._spiked, n_words).view(np.uint8)
        bits_set = np.unpackbits(fired, bitorder="little")[:n]
        updates.append((n, bits_set.sum(), instructions))
        for source in np.flatnonzero(np.concatenate([sent, bits_set])):
            core.deliver(step, rows[source])
    return updates, transfers


def pipeline() -> dict[str, list]:
    """Rows of all that is done for a spike."""
    counter = Counter(64, (6, 4), np.array([2, 2]))
    core = counter.core
    queue = core.space(4 * (4 + 256))
    core.put(PIPELINE + QUEUE, queue)
    found: dict[str, list] = {"rows": [], "nexts": [], "starts": [], "lookups": []}
    for entries in (1, 2, 3, 8, 100, 256):
        _place_table(core, entries)
        for sought in range(entries):
            found["lookups"].append((entries, sought, counter.call(
                LOOKUP, (sought + 1) << 8, core.space(16))))
    _place_table(core, 1)
    for synapses in (1, 2, 10, 100, 256):
        _fill(core, queue, synapses, waiting=0)
        found["rows"].append((synapses, counter.call(DONE, 0, 0)))
        _fill(core, queue, synapses, waiting=1)
        found["nexts"].append((synapses, counter.call(DONE, 0, 0)))
    _place_table(core, 1, NO_ROW)
    _fill(core, queue, 1, waiting=1)
    found["misses"] = [counter.call(DONE, 0, 0) - found["rows"][0][1]]
    _place_table(core, 1)
    _fill(core, queue, 1, waiting=1)
    found["starts"].append(counter.call(USER, 0, 0))
    core.put(PIPELINE + BUSY, 1)
    busy = counter.call(RECEIVED, 0x101, 0)
    core.put(PIPELINE + BUSY, 0)
    found["received"] = [busy, counter.call(RECEIVED, 0x101, 0)]
    return found


def _fill(core: Core, queue: int, synapses: int, waiting: int) -> None:
    """A row in each of the two buffers, one of which was just read, and spikes in the queue."""
    for buffer in range(2):
        row = core.space(4 * (3 + synapses))
        core.put(row, 0, synapses, 0, *[1 << 16 | 1 << 7 | i % 64 for i in range(synapses)])
        core.put(PIPELINE + BUFFERS + 24 * buffer, ELSEWHERE, 0, 0, 0, 0, row)
    core.put(queue, 255, 0, waiting, 0, *range(0x101, 0x101 + waiting))
    for field, value in ((READ, 0), (NEXT, 1), (REWIRES, 0), (SPIKES, 1)):
        core.put(PIPELINE + field, value)


def _place_table(core: Core, entries: int, address: int = 64) -> None:
    """A master population table whose entry i is for the keys (i + 1) << 8."""
    table, addresses, rows = core.space(20 * entries), core.space(4 * entries), core.space(64)
    for i in range(entries):
        core.put(table + 20 * i, (i + 1) << 8, 0xFFFFFF00, 1 << 16 | 4 << 13 | i, 0, 64)
        core.put(addresses + 4 * i, address)
    for field, value in ((0, entries), (4, 0), (0xC, table), (0x10, addresses), (0x14, rows)):
        core.put(TABLE + field, value)


def main() -> None:
    """Count for the networks of the file that the command line names."""
    data = np.load(sys.argv[1])
    parts = [ticks(data, i) for i in range(int(data["count"])) if int(data[f"model{i}"]) == 0]
    counter = Counter(64, (6, 4), np.array([2, 2]))
    np.savez(
        sys.argv[2], update=np.concatenate([u for u, _ in parts]),
        transfer=np.concatenate([t for _, t in parts]), clear=_clear(counter), **pipeline())


def _clear(counter: Counter) -> int:
    queue = counter.core.space(4 * (4 + 256))
    counter.core.put(queue, 255, 0, 0, 0)
    counter.core.put(PIPELINE + QUEUE, queue)
    return counter.call(CLEAR, 1)


if __name__ == "__main__":
    main()

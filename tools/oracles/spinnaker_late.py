"""What sPyNNaker's program IF_curr_exp does with rows that come late.

    python tools/oracles/spinnaker_late.py rows.npz results.npz

For each i of the file's `count`: `bits` (index bits, delay bits), `start` and `words` (synaptic
rows), `calls` (k, 4: row, tick of the core's clock, colour of the spike, colour mask), each named
"NAMEi". A result has `ring` (slots, 2, 2^index bits), the ring buffers after these calls.

`skipped` (synapses, instructions of a row that adds all, of one that leaves out all) is measured
besides, and `colours` (masks, 40): the colour that the program gives to its spikes in updates of
ticks of which every third is skipped.
"""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
from spinnaker_core import MODELS, NEURON, ROW, STACK, Core
from spinnaker_cycles import Counter

MASK, COLOUR = 0x7C, 0x88  # offsets in NEURON, of neuron.c's colour_mask and colour


def ring_after(data: np.lib.npyio.NpzFile, i: int) -> np.ndarray:
    """The ring buffers of core `i` after its calls."""
    bits = tuple(map(int, data[f"bits{i}"]))
    core, rows = Core(MODELS[0], 1 << bits[0], bits, np.zeros(2, np.int64)), []
    for begin, end in pairwise(data[f"start{i}"]):
        rows.append(core.space(4 * (3 + end - begin)))
        core.put(rows[-1], 0, end - begin, 0, *data[f"words{i}"][begin:end])
    for row, tick, colour, mask in data[f"calls{i}"].tolist():
        core.put(STACK, core._scratch)
        core.call(ROW, tick, colour, mask, rows[row])
    n = 2 << sum(bits)
    held = np.frombuffer(bytes(core._arm.mem_read(core._ring, 2 * n)), np.uint16)
    return held.reshape(1 << bits[1], 2, 1 << bits[0])


def skipped() -> list[tuple[int, int, int]]:
    """Instructions of rows of which all synapses are added, or left out."""
    found = []
    for synapses in (1, 2, 10, 100, 256):
        counter = Counter(64, (6, 4), np.array([2, 2]))
        row = counter.core.space(4 * (3 + synapses))
        counter.core.put(row, 0, synapses, 0, *[1 << 16 | 1 << 7 | i % 64 for i in range(synapses)])
        counter.core.put(STACK, counter.core._scratch)
        added = counter.call(ROW, 20, 20 & 15, 15, row)
        counter.core.put(STACK, counter.core._scratch)
        found.append((synapses, added, counter.call(ROW, 20, 18 & 15, 15, row)))
    return found


def colours(mask: int) -> list[int]:
    """The colour ahead of each of 40 updates, of ticks that are not all there."""
    core, found = Core(MODELS[0], 4, (2, 4), np.zeros(2, np.int64)), []
    core.put(NEURON + MASK, mask)
    for update in range(40):
        found.append(int(core.words(NEURON + COLOUR, 1)[0]))
        core.tick(update + update // 2)
    return found


def main() -> None:
    """Run what the file that the command line names asks for."""
    data = np.load(sys.argv[1])
    np.savez(sys.argv[2], skipped=np.array(skipped()),
             colours=np.array([colours(mask) for mask in (1, 3, 15)]),
             **{f"ring{i}": ring_after(data, i) for i in range(int(data["count"]))})


if __name__ == "__main__":
    main()

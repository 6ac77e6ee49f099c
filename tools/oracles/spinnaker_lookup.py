"""Look up spikes in master population tables with sPyNNaker's own program on an emulated ARM.

    python tools/oracles/spinnaker_lookup.py tables.npz found.npz

For each i of the file's `count`: `tablei` and `matrixi`, the words of a core's PopTable and
SynBlocks regions, and `spikesi`, keys. A result `foundi` has a row for each spike: whether the
program finds it, where its row is in the matrix in bytes, and the bytes that it would fetch.
"""

from __future__ import annotations

import sys

import numpy as np
from spinnaker_core import MODELS, Core
from spinnaker_cycles import LOOKUP, TABLE
from unicorn.arm_const import UC_ARM_REG_R0


def lookups(table: np.ndarray, matrix: np.ndarray, spikes: np.ndarray) -> np.ndarray:
    """What population_table_get_first_address says of each spike."""
    core = Core(MODELS[0], 256, (8, 4), np.array([2, 2]))
    n_entries = int(table[0])
    entries, addresses = core.space(20 * n_entries), core.space(4 * len(table))
    core.put(entries, *table[2 : 2 + 5 * n_entries])
    core.put(addresses, *table[2 + 5 * n_entries :])
    rows, result = core.space(matrix.nbytes), core.space(16)
    core.put(rows, *matrix)
    for field, value in ((0, n_entries), (4, 0), (0xC, entries), (0x10, addresses), (0x14, rows)):
        core.put(TABLE + field, value)
    found = []
    for spike in spikes.tolist():
        core.put(result, 0, 0, 0, 0)
        core.call(LOOKUP, spike, result)
        address, n_bytes, *_ = core.words(result, 4).view(np.uint32).tolist()
        told = core._arm.reg_read(UC_ARM_REG_R0) & 0xFF
        found.append((told, address - rows if told else 0, n_bytes if told else 0))
    return np.array(found)


def main() -> None:
    """Look up all spikes of the file that the command line names."""
    data = np.load(sys.argv[1])
    np.savez(sys.argv[2], **{
        f"found{i}": lookups(data[f"table{i}"].astype(np.int64), data[f"matrix{i}"],
                             data[f"spikes{i}"]) for i in range(int(data["count"]))})


if __name__ == "__main__":
    main()

"""Load the emitted files with SpiNNMan, the SpiNNaker tools' own client, and read all back.

    python tools/oracles/spinnaker_load.py HOST config back.npz

HOST is a board, or tools/spinnaker_board, at another address than 127.0.0.1. `config` has
load.json, sdram.bin and tables.bin. The result has `chips` (x, y, working cores, links, free
entries, bytes of SDRAM), for each table i of the plan `tablei` (n, 3) key, mask and route as the
chip's router has them, and for each core i `corei`, the bytes of its block, and `useri`, where it
was put and what its core finds it by.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from spinn_machine import MulticastRoutingEntry, RoutingEntry
from spinn_utilities.config_holder import set_config
from spinnman.config_setup import unittest_setup
from spinnman.model.enums import UserRegister
from spinnman.transceiver import create_transceiver_from_hostname

APP = 17
TAG = 200  # of a core's block: spinn_front_end_common utilities/constants.py
HEADER = (0xAD130AD6, 0x10000)


def entries(folder: Path, table: dict) -> list[MulticastRoutingEntry]:
    """The entries of a table of tables.bin."""
    words = np.fromfile(folder / "tables.bin", "<u4").reshape(-1, 4)
    first = table["file_offset"] // 16
    return [MulticastRoutingEntry(int(key), int(mask), RoutingEntry(spinnaker_route=int(route)))
            for _, route, key, mask in words[first : first + table["entries"]]]


def block(folder: Path, core: dict, address: int) -> bytes:
    """A core's block at `address`: pointers, checksums and sizes of its regions, then these."""
    sdram = (folder / "sdram.bin").read_bytes()
    data, pointers = bytearray(core["size"]), np.zeros((32, 3), "<u4")
    for region in core["regions"]:
        part = sdram[region["file_offset"] : region["file_offset"] + region["written"]]
        data[region["offset"] : region["offset"] + len(part)] = part
        words = np.frombuffer(part, "<u4")
        pointers[region["region"]] = (address + region["offset"],
                                      int(words.astype(np.uint64).sum()) & 0xFFFFFFFF, len(words))
    head = np.array(HEADER, "<u4").tobytes() + pointers.tobytes()
    data[: len(head)] = head
    return bytes(data)


def main() -> None:
    """Load and read back."""
    unittest_setup()
    set_config("Machine", "version", "5")
    host, folder = sys.argv[1], Path(sys.argv[2])
    plan = json.loads((folder / "load.json").read_text())
    board = create_transceiver_from_hostname(host)
    machine = board.get_machine_details()
    found = {"chips": np.array([
        (c.x, c.y, c.n_placable_processors, len(list(c.router.links)),
         c.router.n_available_multicast_entries, c.sdram) for c in machine.chips])}
    for i, table in enumerate(plan["tables"]):
        x, y = table["x"], table["y"]
        board.clear_multicast_routes((x, y))
        board.load_multicast_routes(x, y, entries(folder, table), APP)
        found[f"table{i}"] = np.array([(e.key, e.mask, e.spinnaker_route)
                                       for e in board.get_multicast_routes(x, y, APP)])
    for i, core in enumerate(plan["cores"]):
        x, y, p = core["x"], core["y"], core["p"]
        address = board.malloc_sdram(x, y, core["size"], APP, TAG + p)
        board.write_user(x, y, p, UserRegister.USER_0, address)
        board.write_memory(x, y, address, block(folder, core, address))
        found[f"user{i}"] = np.array([address, board.get_region_base_address(x, y, p)])
        found[f"core{i}"] = np.frombuffer(
            board.read_memory(x, y, address, core["size"]), np.uint8)
    np.savez(sys.argv[3], **found)
    board.close()


if __name__ == "__main__":
    main()

"""Keep the chips and links of a virtual SpiNNaker machine, as SpiNNMachine makes it.

    python tools/oracles/spinnaker_machine.py 5 12 12 machine.npz

The arguments are the version of the board, and width and height in chips. The result has `chips`,
rows of x, y and working cores, and `links`, rows of x, y, link, x and y behind it.
"""

from __future__ import annotations

import sys

import numpy as np
from spinn_machine.config_setup import unittest_setup
from spinn_machine.virtual_machine import virtual_machine
from spinn_utilities.config_holder import set_config


def main() -> None:
    """Make the machine that the command line describes."""
    version, width, height, path = sys.argv[1:]
    unittest_setup()
    set_config("Machine", "version", version)
    machine = virtual_machine(int(width), int(height))
    chips = [(chip.x, chip.y, chip.n_processors) for chip in machine.chips]
    links = [(chip.x, chip.y, link.source_link_id, link.destination_x, link.destination_y)
             for chip in machine.chips for link in chip.router.links]
    np.savez(path, chips=np.array(sorted(chips)), links=np.array(sorted(links)))


if __name__ == "__main__":
    main()

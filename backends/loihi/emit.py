"""All configuration files of a Loihi program."""

from __future__ import annotations

from pathlib import Path

from nmcompile_backends.loihi.lava_script import write_lava
from nmcompile_backends.loihi.net_file import write_net
from nmcompile_backends.loihi.registers import write_registers

from nmcompile.mapping import Program


def emit(program: Program, folder: Path) -> dict[str, str]:
    """Write the configuration of `program` into `folder`: file name -> what it is.

    A file that cannot express the network is not written; its name maps to "not written: " and
    the population or projection that is in the way.
    """
    network = program.network
    return write_net(network, folder) | write_lava(network, folder) | write_registers(
        program, folder
    )

"""tools/spinnaker_board as a process of its own, for as long as a test needs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BOARD = Path(__file__).parents[2] / "tools" / "spinnaker_board"
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
HOST = f"127.0.0.{2 + WORKER}"  # a board for each worker at the port that SpiNNMan asks for
SPINNMAN_PORT = 17893
BAD_NETWORK = ("--lost", "0.05", "--twice", "0.05", "--late", "0.05")


@contextmanager
def emulated_board(*options: str, port: int = 0) -> Iterator[tuple[subprocess.Popen, int]]:
    """The process and its port; port 0 takes a free one."""
    command = [sys.executable, BOARD, "--host", HOST, "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("ready "), line + process.stdout.read()
            yield process, int(line.split()[1])
        finally:
            process.terminate()
            process.communicate()


def same_programs(folder: Path) -> Path:
    """A folder of programs whose bytes mean something to the emulated board only.

    It knows a program by its bytes and does what one of its name does; those of sPyNNaker's own are
    used in tests/oracles.
    """
    for name in ("IF_curr_delta", "IF_curr_exp", "live_packet_gather",
                 "reverse_iptag_multicast_source"):
        (folder / f"{name}.aplx").write_bytes(f"program {name}".encode() * 40)
    return folder

"""An emulated SpiNNaker board on UDP.

    python tools/spinnaker_board [--host 127.0.0.2] [--port 17893] [--programs DIR] ...

Prints "ready PORT" once it answers. The host must be another address than 127.0.0.1, which SpiNNMan
takes for a virtual machine. DIR holds sPyNNaker's programs (.aplx): a core that is started with
the bytes of one of them does what it does, on the images in its chip's memory, with nmcompile's
arithmetic; other bytes stop with an error. Faults are drawn from --seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from board import Board
from faults import Faults
from server import Server


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.2")
    parser.add_argument("--port", type=int, default=17893, help="0 takes a free one")
    parser.add_argument("--programs", type=Path, action="append", default=[])
    parser.add_argument("--tick", type=float, default=0.0, help="seconds of a step at least")
    parser.add_argument("--dead", action="append", default=[], metavar="X,Y")
    parser.add_argument("--seed", type=int, default=0)
    for name in ("lost", "twice", "late", "busy"):
        parser.add_argument(f"--{name}", type=float, default=0.0, metavar="SHARE")
    arguments = parser.parse_args()
    programs = {path.stem: path.read_bytes()
                for folder in arguments.programs for path in sorted(folder.glob("*.aplx"))}
    dead = {tuple(int(part) for part in text.split(",")) for text in arguments.dead}
    board = Board(programs, dead, arguments.host)
    faults = Faults(seed=arguments.seed, lost=arguments.lost, twice=arguments.twice,
                    late=arguments.late, busy=arguments.busy)
    with Server(board, faults, (arguments.host, arguments.port), arguments.tick) as server:
        print(f"ready {server.port}", flush=True)
        try:
            server.serve()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()

"""An emulated SpiNNaker board on UDP.

    python tools/spinnaker_board [--host 127.0.0.2] [--port 17893] [--programs DIR:DIR] ...

Prints "ready PORT" once it answers. The host must be another address than 127.0.0.1, which SpiNNMan
takes for a virtual machine. DIRs hold sPyNNaker's programs (.aplx), as in the device's option
`binaries`: a core that is started with the bytes of one of them does what it does, on the images in
its chip's memory, with nmcompile's arithmetic; other bytes stop with an error. Without --programs
the board can be loaded, and nothing runs. Faults are drawn from --seed.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from board import Board
from faults import Faults
from server import Server
from simulation import CELLS, GATHERER, SOURCE

FAULTS = {"lost": "packets lost each way", "twice": "packets doubled", "late": "packets delayed",
          "busy": "commands answered by busy"}


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.2",
                        help="address to answer at, not 127.0.0.1 [%(default)s]")
    parser.add_argument("--port", type=int, default=17893,
                        help="UDP port, 0 takes a free one [%(default)s]")
    parser.add_argument("--programs", action="append", default=[], metavar="DIR:DIR",
                        help="sPyNNaker 7.4.1's folders spynnaker/pyNN/model_binaries and "
                        "spinn_front_end_common/common_model_binaries; may be given several times")
    parser.add_argument("--tick", type=float, default=0.0, help="seconds of a step at least")
    parser.add_argument("--dead", action="append", default=[], metavar="X,Y",
                        help="a chip to leave out; may be given several times")
    parser.add_argument("--seed", type=int, default=0, help="of the faults [%(default)s]")
    for name, what in FAULTS.items():
        parser.add_argument(f"--{name}", type=float, default=0.0, metavar="SHARE", help=what)
    arguments = parser.parse_args()
    folders = [Path(part) for text in arguments.programs for part in text.split(os.pathsep)]
    programs = {path.stem: path.read_bytes()
                for folder in folders for path in sorted(folder.glob("*.aplx"))}
    missing = sorted({*CELLS, SOURCE, GATHERER} - set(programs)) if folders else []
    if missing:
        parser.error(f"--programs: no {missing[0]}.aplx in {', '.join(map(str, folders))}; name "
                     "both of sPyNNaker's folders of programs")
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

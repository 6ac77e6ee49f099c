"""Step networks of lava-dl's netx without Lava's runtime: many networks in one interpreter.

    python netx_step.py FOLDER...

Each FOLDER holds network.net, input.npy (steps, ...) in the shape of the network's input port, and
arguments.json, more of hdf5.Network's arguments. output.npz comes beside them as from `netx_run`,
which says what takes the place of torch; how processes are stepped, says
`backends/loihi/lava_runner.py`.
A folder whose network netx does not load gets refused.txt with what netx said instead.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import netx_run
import numpy as np
from lava.proc.io.source import RingBuffer as Source

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "loihi"))

from lava_runner import prepare, run


def main() -> None:
    """Step the folders that the command line names; an error in any thread ends all."""
    prepare()
    if find_spec("torch") is None:
        netx_run.stand_in()
    from lava.lib.dl.netx import hdf5

    for folder in map(Path, sys.argv[1:]):
        arguments = json.loads((folder / "arguments.json").read_text())
        try:
            net = hdf5.Network(net_config=str(folder / "network.net"), **arguments)
        except Exception as error:
            (folder / "refused.txt").write_text(f"{type(error).__name__}: {error}")
            continue
        sent = np.load(folder / "input.npy").astype(np.int32)
        source = Source(data=np.moveaxis(sent, 0, -1))
        source.s_out.connect(net.inp)
        neurons = {str(number): layer.neuron for number, layer in enumerate(net.layers)}
        found = run({"net": net}, neurons, len(sent))
        records = {}
        for number in neurons:
            state = "v" if f"{number}/v" in found else "sigma"
            records[f"{number}/spikes"] = found[f"{number}/spikes"]
            records[f"{number}/v"] = found[f"{number}/{state}"]
        np.savez(folder / "output.npz", **{k: v.astype(np.int32) for k, v in records.items()})


if __name__ == "__main__":
    main()

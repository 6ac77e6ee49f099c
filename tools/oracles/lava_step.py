"""Step Lava's process models without Lava's runtime: many networks in one interpreter.

    python lava_step.py FOLDER...

Each FOLDER holds a lava_model.py (see `nmcompile_backends.loihi.lava_script`), its arrays and its
input.npy or input.npz, of which the first sample runs. Written beside them: states.npz with spikes
and every state of each population, as <population>/<name>, (steps, n). How, says
`backends/loihi/lava_runner.py`.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "loihi"))

from lava_runner import loaded, prepare, run


def main() -> None:
    """Run the folders that the command line names; an error in any thread ends all."""
    prepare()
    for folder in map(Path, sys.argv[1:]):
        script = loaded(folder / "lava_model.py", f"lava_model_{folder.name}")
        given = next(folder.glob("input.np[yz]"))
        sent = script.read_inputs(Namespace(data=given, steps=None, samples=1, encode=None))
        steps = next(iter(sent.values())).shape[1]
        nodes = script.build({name: values[0].T for name, values in sent.items()})
        records = run(nodes, {name: nodes[name] for name in script.SHAPES}, steps)
        np.savez(folder / "states.npz", **records)


if __name__ == "__main__":
    main()

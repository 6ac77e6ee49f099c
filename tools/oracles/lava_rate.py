"""How fast lava-nc runs a network that nmcompile wrote; for Python 3.10 and lava-nc 0.10.

    python tools/oracles/lava_rate.py CONFIG INPUT.npy STEPS

CONFIG has a lava_model.py. Prints the seconds of STEPS steps behind a first one, in which lava
builds its processes; the spikes of the last population are kept and printed as a sum.
"""

import sys
import time
from argparse import Namespace
from pathlib import Path

import numpy as np


def main() -> None:
    """Run and print seconds, then spikes."""
    folder, path, steps = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    sys.path.insert(0, folder)
    import lava_model as model

    sent = model.read_inputs(Namespace(data=path, steps=steps + 1, samples=1, encode=None))
    node = model.build({name: values[0].T for name, values in sent.items()})
    last = node[list(model.SHAPES)[-1]]
    sink = model.Sink(shape=last.s_out.shape, buffer=steps + 1)
    last.s_out.connect(sink.a_in)
    settings = model.Loihi2SimCfg(select_tag="fixed_pt")
    last.run(condition=model.RunSteps(num_steps=1), run_cfg=settings)
    begun = time.perf_counter()
    last.run(condition=model.RunSteps(num_steps=steps), run_cfg=settings)
    taken = time.perf_counter() - begun
    spikes = int(np.sum(sink.data.get()))
    last.stop()
    print(taken, spikes)


if __name__ == "__main__":
    main()

"""Run a network file with lava-dl's netx: python netx_run.py NET INPUT.npy OUTPUT.npz [ARGUMENTS]

INPUT.npy   (steps, ...) rows in the shape of the network's input port
OUTPUT.npz  spikes and v of the last layer, (steps, ...)
ARGUMENTS   more of hdf5.Network's arguments, as JSON

netx itself is lava-dl's, unchanged. Where torch is missing, an empty stand-in takes the place of
lava-dl's training half, from which netx imports the parameters of resonate-and-fire neurons.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from types import ModuleType

import numpy as np

if find_spec("torch") is None:
    for name in ("lava.lib.dl.slayer", "lava.lib.dl.slayer.neuron", "lava.lib.dl.slayer.neuron.rf"):
        sys.modules[name] = ModuleType(name)
    sys.modules["lava.lib.dl.slayer.neuron.rf"].neuron_params = None

from lava.lib.dl.netx import hdf5
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.monitor.process import Monitor


def main() -> None:
    """Run the network that the command line names."""
    path, rows, output, *more = sys.argv[1:]
    sent = np.load(rows).astype(np.int32)
    net = hdf5.Network(net_config=path, **json.loads(more[0] if more else "{}"))
    steps = len(sent)
    source = Source(data=np.moveaxis(sent, 0, -1))
    sink, monitor = Sink(shape=net.out.shape, buffer=steps), Monitor()
    source.s_out.connect(net.inp)
    net.out.connect(sink.a_in)
    neuron = net.layers[-1].neuron
    monitor.probe(neuron.v, steps)
    net.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    spikes = np.moveaxis(sink.data.get(), -1, 0)
    v = monitor.get_data()[neuron.name]["v"]
    net.stop()
    np.savez(output, spikes=spikes.astype(np.int32), v=v.astype(np.int32))


if __name__ == "__main__":
    main()

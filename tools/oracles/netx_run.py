"""Run a network file with lava-dl's netx.

    python netx_run.py NET INPUT.npy OUTPUT.npz [ARGUMENTS]

INPUT.npy   (steps, ...) rows in the shape of the network's input port
OUTPUT.npz  spikes and v of each layer, as 0/spikes and 0/v, (steps, ...); of sigma-delta layers
            sigma stands in the place of v
ARGUMENTS   more of hdf5.Network's arguments, as JSON

netx itself is lava-dl's, unchanged. Where torch is missing, empty modules take the place of those
that import it and that no network of integrate-and-fire layers uses: the parameters of
resonate-and-fire neurons, and blocks for prototyping.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from types import ModuleType

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.monitor.process import Monitor

UNUSED = ("slayer", "slayer.neuron", "slayer.neuron.rf", "netx.sequential_modules")


def main() -> None:
    """Run the network that the command line names."""
    if find_spec("torch") is None:
        stand_in()
    from lava.lib.dl.netx import hdf5

    path, rows, output, *more = sys.argv[1:]
    sent = np.load(rows).astype(np.int32)
    net = hdf5.Network(net_config=path, **json.loads(more[0] if more else "{}"))
    steps = len(sent)
    source = Source(data=np.moveaxis(sent, 0, -1))
    source.s_out.connect(net.inp)
    sinks, monitors, states = [], [], []
    for layer in net.layers:
        sinks.append(Sink(shape=layer.neuron.s_out.shape, buffer=steps))
        layer.neuron.s_out.connect(sinks[-1].a_in)
        monitors.append(Monitor())
        states.append("v" if hasattr(layer.neuron, "v") else "sigma")
        monitors[-1].probe(getattr(layer.neuron, states[-1]), steps)
    net.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    records = {}
    for number, layer in enumerate(net.layers):
        v = monitors[number].get_data()[layer.neuron.name][states[number]]
        records[f"{number}/spikes"] = np.moveaxis(sinks[number].data.get(), -1, 0)
        records[f"{number}/v"] = v
    net.stop()
    np.savez(output, **{key: values.astype(np.int32) for key, values in records.items()})


def stand_in() -> None:
    """Put empty modules where netx would import torch."""
    for name in UNUSED:
        module = sys.modules[f"lava.lib.dl.{name}"] = ModuleType(name)
        module.__file__ = find_spec("lava.lib.dl.netx").origin  # Lava looks for models beside it
    sys.modules["lava.lib.dl.slayer.neuron.rf"].neuron_params = None


if __name__ == "__main__":
    main()

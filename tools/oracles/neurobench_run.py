"""Run a torch model in NeuroBench's own harness.

    python neurobench_run.py FOLDER

FOLDER/model.json    {"code": "net.py:Net", "time_first": whether its forward takes steps first}
FOLDER/model.pt      its state dict
FOLDER/input.npz     x, (samples, ...) as the model takes it, samples first; y, (samples,)
FOLDER/figures.json  is written: the metrics of the harness, all samples in one batch, and what the
                     model holds beside its parameters ("buffer_bytes")

The harness hides the errors of its metrics and goes on; they are errors here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
from pathlib import Path

import numpy as np
import snntorch
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
from neurobench.metrics.workload import (
    ActivationSparsity,
    ActivationSparsityByLayer,
    MembraneUpdates,
    SynapticOperations,
)
from neurobench.models import TorchModel
from torch.utils.data import DataLoader, TensorDataset

STATIC = [ParameterCount, Footprint, ConnectionSparsity]
WORKLOAD = [ActivationSparsity, ActivationSparsityByLayer, SynapticOperations, MembraneUpdates]


def main():
    """Run what the command line names."""
    folder = Path(sys.argv[1])
    asked = json.loads((folder / "model.json").read_text())
    net = made(asked["code"])
    net.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
    given = np.load(folder / "input.npz")
    data = TensorDataset(*(torch.as_tensor(given[name]) for name in ("x", "y")))
    model = TorchModel(net)
    model.add_activation_module(snntorch.SpikingNeuron)
    buffers = sum(b.numel() * b.element_size() for b in net.buffers())
    ordered = [lambda batch: (batch[0].transpose(0, 1), batch[1])] if asked["time_first"] else []
    bench = Benchmark(model, DataLoader(data, batch_size=len(data)), ordered, [],
                      [STATIC, WORKLOAD])
    told = io.StringIO()
    with torch.no_grad(), contextlib.redirect_stdout(told):
        found = bench.run()
    if "Error running" in told.getvalue():
        sys.exit(told.getvalue())
    (folder / "figures.json").write_text(json.dumps({**found, "buffer_bytes": buffers}))


def made(code):
    """An instance of the class that "file.py:Name" names."""
    path, name = code.rsplit(":", 1)
    sys.path.insert(0, str(Path(path).parent))
    spec = importlib.util.spec_from_file_location("net", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)()


if __name__ == "__main__":
    main()

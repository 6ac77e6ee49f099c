"""Write model files of every kind, which fuzz.py then damages.

PYTHONPATH=tests python tools/fuzz/seeds.py SEEDS
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import snntorch as snn
import torch
from helpers.conformance.parameters import rows
from helpers.conformance.rows import with_lively_weights
from helpers.models_snntorch import BatchFirst, TimeFirst
from torch import nn

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request
from nmcompile.frontends.nir_export import write_graph
from nmcompile.frontends.torch_file import FRONTEND

ROOT = Path(__file__).parents[2]
SAVED = ("SpikingJelly", "Sinabs")  # libraries whose modules can be pickled
AS_NIR = 12  # every so many rows becomes a NIR file


def main() -> None:
    """Write the seeds into the folder that the command line names."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "tests" / "goldens" / "onnx").glob("*.onnx")):
        shutil.copy(path, folder)
    for path in sorted((ROOT.parent / "shared" / "data").rglob("*.n[ei][tr]")):
        if path.stat().st_size < 1 << 20:
            shutil.copy(path, folder)
    write_torch(folder)
    write_rows(folder)


def write_torch(folder: Path) -> None:
    """Write a saved snnTorch network, state dicts, a TorchScript file and exported programs."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(8, 12), snn.Leaky(beta=0.9, init_hidden=True),
                           nn.Linear(12, 4), snn.Leaky(beta=0.8, init_hidden=True, output=True))
    for module in layers:
        getattr(module, "__dict__", {}).pop("spike_grad", None)  # cannot be pickled
    torch.save(layers, folder / "snntorch.pt")
    torch.save(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                             nn.Linear(18, 3)), folder / "relu.pt")
    torch.save({"state_dict": BatchFirst().state_dict(), "epoch": 3}, folder / "state.pt")
    (folder / "state.py").write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        "from helpers.models_snntorch import BatchFirst as Net\n"
    )
    for name, shape in (("snntorch", (2, 9, 8)), ("relu", (2, 1, 8, 8)), ("state", (2, 9, 8)),
                        ("conv", (3, 8, 8))):
        np.savez(folder / f"{name}.npz", x=np.ones(shape, np.float32))
    torch.save(layers.state_dict(), folder / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(nn.Sequential(nn.Linear(4, 3), nn.ReLU())), folder / "jit.pt")
    for name, model, shape in (("leaky", TimeFirst("Leaky"), (8, 3, 8)),
                               ("synaptic", TimeFirst("Synaptic"), (8, 3, 8)),
                               ("conv", BatchFirst(), (3, 8, 8))):
        program = torch.export.export(model.eval(), (torch.rand(shape).round(),))
        torch.export.save(program, folder / f"{name}.pt2")


def write_rows(folder: Path) -> None:
    """Write rows of the conformance table as saved modules and as NIR."""
    for k, parameter in enumerate(rows()):
        row = parameter.values[0] if hasattr(parameter, "values") else parameter
        name = f"row{k}"
        try:
            model = with_lively_weights(row)
            steps = (row.steps,) if row.steps else ()
            sample = np.random.default_rng(0).random((2, *steps, *row.shape)) < 0.4
            if row.library in SAVED and k % 3 == 0:
                torch.save(model, folder / f"{name}.pt")
                np.savez(folder / f"{name}.npz", x=sample.astype(np.float32))
            if k % AS_NIR == 0:
                traced = FRONTEND.load(Request(model=model, sample=sample.astype(np.float32)))
                write_graph(traced.network, folder / f"{name}.nir", 1e-3)
        except (NmcError, AttributeError, TypeError) as error:  # NIR or pickle have no words for it
            print(f"{row.construct}: {str(error)[:120]}", file=sys.stderr)


if __name__ == "__main__":
    main()

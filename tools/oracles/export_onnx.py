"""Export small networks with the exporters of torch and Brevitas, for tests/goldens/onnx.

    python tools/oracles/export_onnx.py tests/goldens/onnx

Needs onnxscript and onnxoptimizer beside torch and Brevitas. Each NAME.onnx comes with NAME.npz:
an input x and what the torch module gives for it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.export import export_onnx_qcdq, export_qonnx
from torch import nn


class Residual(nn.Module):
    """A block with a shortcut, a mean over space and concatenated halves."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (samples, 3)."""
        first = torch.relu(self.norm(self.conv1(x)))
        second = nn.functional.leaky_relu(first + self.conv2(first), 0.2)
        return self.fc(torch.cat([first.mean((2, 3)), second.mean((2, 3))], 1))


def cnn() -> nn.Module:
    """Convolution, normalisation, max and average pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3), nn.ReLU6(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6, 5))


def quantised() -> nn.Module:
    """Weights of 4 bits with a scale for each channel, activations of 8 and 3 bits."""
    weights = {"weight_bit_width": 4, "weight_scaling_per_output_channel": True, "bias": True}
    passed = {"return_quant_tensor": True}
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=8, **passed), qnn.QuantConv2d(1, 4, 3, **weights, **passed),
        qnn.QuantReLU(bit_width=3, **passed), nn.Flatten(), qnn.QuantLinear(144, 6, **weights),
        qnn.QuantReLU(bit_width=4, **passed), qnn.QuantLinear(6, 3, weight_bit_width=4, bias=True))


def write(
    folder: Path, name: str, model: nn.Module, shape: tuple[int, ...],
    export: Callable[..., object],
) -> None:
    """Let the model see values, export it, and keep what it gives."""
    for _ in range(4):
        model.train()(torch.rand(16, *shape) * 2 - 0.5)
    model.eval()
    x = torch.rand(8, *shape)
    export(model, args=(x[:1],), f=str(folder / f"{name}.onnx"))
    with torch.no_grad():
        np.savez(folder / f"{name}.npz", x=x.numpy(), y=model(x).numpy())


def brevitas_with(export: Callable[..., object]) -> Callable[..., object]:
    """Brevitas' exporters called as torch's."""
    return lambda model, args, f: export(model, args=args[0], export_path=f, dynamo=False)


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    torch.manual_seed(0)
    scripted = partial(torch.onnx.export, dynamo=False)
    write(folder, "torch_script_13", cnn(), (1, 8, 8), partial(scripted, opset_version=13))
    write(folder, "torch_dynamo", cnn(), (1, 8, 8), partial(torch.onnx.export, dynamo=True,
                                                             external_data=False))
    write(folder, "residual_17", Residual(), (2, 6, 6), partial(scripted, opset_version=17))
    write(folder, "residual_dynamo", Residual(), (2, 6, 6), partial(
        torch.onnx.export, dynamo=True, external_data=False))
    write(folder, "brevitas_qcdq", quantised(), (1, 8, 8), brevitas_with(export_onnx_qcdq))
    write(folder, "brevitas_qonnx", quantised(), (1, 8, 8), brevitas_with(export_qonnx))


if __name__ == "__main__":
    main()

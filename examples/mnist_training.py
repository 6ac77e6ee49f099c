"""What the MNIST examples share: the data, and training at 32, 4 or 2 bits."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

try:
    from training import accuracy, save, train
except ImportError:  # imported as a module of the installed package
    from nmcompile_examples.training import accuracy, save, train

TRAINING = 8000
Change = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Course:
    """How long, how fast and with what batches a network is trained."""

    epochs: int
    learning_rate: float
    batch: int = 64
    weight_decay: float = 0.1


def mnist(path: Path) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Shuffled train and test splits of a file with `images` (n, 28, 28) and `labels`."""
    if not path.is_file():
        raise SystemExit(f"{path}: there is no such file")
    with np.load(path) as file:
        images, labels = file["images"], file["labels"].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(images))
    x = torch.as_tensor(images[order].reshape(-1, 784).astype(np.float32) / 255)
    y = torch.as_tensor(labels[order])
    return {"train": (x[:TRAINING], y[:TRAINING]), "test": (x[TRAINING:], y[TRAINING:])}


def moved(x: torch.Tensor, most: int) -> torch.Tensor:
    """Each picture (samples, 784) moved by up to `most` pixels to a side, at random."""
    padded = nn.functional.pad(x.reshape(-1, 28, 28), (most,) * 4)
    rows, columns = torch.randint(0, 2 * most + 1, (2, len(x)))
    return torch.stack([picture[r : r + 28, c : c + 28].flatten()
                        for picture, r, c in zip(padded, rows, columns, strict=True)])


def main(
    description: str | None,
    name: str,
    nets: Mapping[int, type[nn.Module]],
    *,
    courses: Mapping[int, Course],
    shift: int = 1,
    prepared: Change = lambda x: x,
) -> None:
    """Train one of `nets` (by bits), report its accuracy, write its parameters and the data.

    courses   by bits, those of 4 and 2 from the parameters of --begin on
    shift     pixels by which training pictures are moved
    prepared  pictures (samples, 784) as the network takes them
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=Path,
                        help=".npz with images (n, 28, 28) of 0 to 255 and labels")
    parser.add_argument("--bits", type=int, choices=tuple(nets), default=32)
    parser.add_argument("--begin", type=Path, help="parameters of the 32-bit network to begin with")
    parser.add_argument("--output", type=Path, default=Path(name))
    parser.add_argument("--epochs", type=int)
    options = parser.parse_args()
    torch.manual_seed(0)
    data, model = mnist(options.data), nets[options.bits]()
    course = courses[options.bits if options.begin else 32]
    if options.epochs:
        course = replace(course, epochs=options.epochs)
    if options.begin:
        own = dict(model.named_parameters())  # neurons may have left states of a run in the file
        begin = {k: v for k, v in torch.load(options.begin).items() if k in own}
        model.load_state_dict(begin, strict=False)
    x, y = data["train"]
    train(model, x, y, **asdict(course), change=lambda pictures: prepared(moved(pictures, shift)))
    test_x, test_y = data["test"]
    test = prepared(test_x), test_y
    print(f"test accuracy {100 * accuracy(model, *test):.2f} %")
    save(model, options.output, f"{name}{options.bits}",
         {"test": test, "calibration": (prepared(x[:256]), y[:256])}, whole=False)

"""The training loop that the examples share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import snntorch.surrogate
import torch
from torch import nn

LEAD = 0.25  # logit of one spike: the smaller, the more spikes the right neuron must lead by
BATCH = 500  # samples at a time whose accuracy is measured


def surrogate_gradient(membrane: torch.Tensor) -> torch.Tensor:
    """Heaviside step with an arctangent gradient; at the top of a module so that it pickles."""
    spikes: torch.Tensor = snntorch.surrogate.ATan.apply(membrane, 2.0)
    return spikes


def train(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    epochs: int,
    batch: int = 64,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.1,
    change: Callable[[torch.Tensor], torch.Tensor] = lambda values: values,
) -> None:
    """Train `model` on (samples, ...) values `x`; cross entropy of its scores.

    change  what happens to the values of each batch first
    """
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    loss_of = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            loss = loss_of(scores(model, change(x[rows])), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        schedule.step()
        print(f"epoch {epoch + 1}/{epochs}: loss {total / len(x):.3f}", flush=True)
    model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Share of samples whose label has the largest score."""
    right = sum(int((scores(model, xs).argmax(1) == ys).sum())
                for xs, ys in zip(x.split(BATCH), y.split(BATCH), strict=True))
    return right / len(y)


def scores(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """(samples, classes): what the model gives, or its output spikes in units of LEAD.

    Spikes (steps, samples, classes) come alone or first.
    """
    result = model(x)
    values: torch.Tensor = result if isinstance(result, torch.Tensor) else result[0]
    return values if values.dim() == 2 else LEAD * values.sum(0)


def save(
    model: nn.Module,
    folder: Path,
    name: str,
    splits: dict[str, tuple[torch.Tensor, torch.Tensor]],
    whole: bool = True,
) -> None:
    """Write `name`.pt, and each split as `name`_<split>.npz with x and y.

    whole  false writes the parameters only, for modules that cannot be pickled
    snnTorch keeps the states of the last forward in the module: one on a single sample leaves
    little of them in the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        model(next(iter(splits.values()))[0][:1])
    torch.save(model if whole else model.state_dict(), folder / f"{name}.pt")
    for split, (x, y) in splits.items():
        np.savez_compressed(folder / f"{name}_{split}.npz", x=x.numpy(), y=y.numpy())

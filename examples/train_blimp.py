"""Train the network of blimp.py to act as a controller does; writes blimp.pt."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import snntorch
import torch
from torch import nn

try:
    from blimp import NEURONS_UP, SCALE, STEPS, controller, scaled, thrust
    from training import surrogate_gradient
except ImportError:  # imported as a module of the installed package
    from nmcompile_examples.blimp import NEURONS_UP, SCALE, STEPS, controller, scaled, thrust
    from nmcompile_examples.training import surrogate_gradient

HIDDEN = 160 - 2 * NEURONS_UP
BATCH, PERIODS = 64, 8  # series, and periods of each
SETTLE = 2  # periods until the network is held to its target


class BlimpNet(nn.Module):
    """Error and velocity, from -1 to 1, to neurons that drive a motor up and down."""

    def __init__(self) -> None:
        super().__init__()
        neuron = {"reset_mechanism": "zero", "spike_grad": surrogate_gradient}
        self.fc1 = nn.Linear(2, HIDDEN)
        self.lif1 = snntorch.Leaky(beta=0.8, **neuron)
        self.fc2 = nn.Linear(HIDDEN, 2 * NEURONS_UP)
        self.lif2 = snntorch.Leaky(beta=0.8, **neuron)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output spikes (steps, samples, 20) for series (samples, steps, 2)."""
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes = []
        for values in x.unbind(1):
            spk1, mem1 = self.lif1(self.fc1(values), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


def series(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (BATCH, PERIODS * STEPS, 2) that drift, and the controller's thrust (PERIODS, BATCH).

    Half of them lie near the goal, where the network has to be finest.
    """
    reach = np.where(np.arange(BATCH) % 2, 1.5, 0.2)[:, None, None]
    start = rng.uniform(-1, 1, (BATCH, 1, 2))
    drift = rng.normal(0, 0.03, (BATCH, PERIODS, 2)).cumsum(axis=1)
    observed = reach * (start + drift) * SCALE
    wanted = controller(observed[..., 0], observed[..., 1]).T
    x = np.repeat(scaled(observed), STEPS, axis=1)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(wanted, dtype=torch.float32)


def main() -> None:
    """Train, report the error of the thrust, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--batches", type=int, default=600)
    options = parser.parse_args()
    torch.manual_seed(0)
    rng, model = np.random.default_rng(0), BlimpNet()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.batches)
    for batch in range(options.batches):
        x, wanted = series(rng)
        spikes = model(x).reshape(PERIODS, STEPS, BATCH, -1).transpose(0, 1)
        error = thrust(spikes)[SETTLE:] - wanted[SETTLE:]
        optimizer.zero_grad()
        error.square().mean().backward()
        optimizer.step()
        schedule.step()
        if batch % 50 == 49:
            print(f"batch {batch + 1}: thrust within {error.abs().mean():.4f}", flush=True)
    model.eval()
    model.example_input_array = series(rng)[0]
    with torch.no_grad():
        model(model.example_input_array[:1])  # its states are kept in the file
    options.output.mkdir(parents=True, exist_ok=True)
    torch.save(model, options.output / "blimp.pt")


if __name__ == "__main__":
    main()

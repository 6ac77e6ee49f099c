"""Train a network of lablif's neurons on scikit-learn's digits; writes net.pt and two data files.

python examples/plugins/refractory_net.py
"""

from __future__ import annotations

import numpy as np
import torch
from nmc_lablif.neuron import RefractoryLeaky
from sklearn.datasets import load_digits
from torch import nn

STEPS, TRAINED, CALIBRATION = 20, 1400, 64


class Net(nn.Module):
    """64 pixels, 32 neurons that are deaf for a step after a spike, 10 that are not."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 32), RefractoryLeaky(decay=0.9, refractory=1)
        self.fc2, self.lif2 = nn.Linear(32, 10), RefractoryLeaky(decay=0.9, refractory=0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Spikes (samples, steps, 10) of pixels that fire, (samples, steps, 64)."""
        self.lif1.reset()
        self.lif2.reset()
        return torch.stack([self.lif2(self.fc2(self.lif1(self.fc1(step))))
                            for step in x.unbind(1)], dim=1)


def main() -> None:
    """Train for some seconds, and write the weights, calibration data and test data."""
    torch.manual_seed(0)
    rng, digits = np.random.default_rng(0), load_digits()
    rates = np.repeat(digits.data[:, None] / 16, STEPS, axis=1)
    x, y = (rng.random(rates.shape) < rates).astype(np.float32), digits.target
    net, data, labels = Net(), torch.tensor(x[:TRAINED]), torch.tensor(y[:TRAINED])
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-2)
    for _ in range(80):
        loss = nn.functional.cross_entropy(net(data).sum(1), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(net.state_dict(), "net.pt")
    np.savez("calibration.npz", x=x[:CALIBRATION], y=y[:CALIBRATION])
    np.savez("test.npz", x=x[TRAINED:], y=y[TRAINED:])


if __name__ == "__main__":
    main()

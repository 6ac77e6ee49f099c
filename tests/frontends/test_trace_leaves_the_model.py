"""A model is given back as it was, whatever its forward assigns or writes into."""

from __future__ import annotations

import numpy as np
import snntorch
import torch
from torch import nn

from nmcompile.frontends.interface import Request
from nmcompile.frontends.torch_file import FRONTEND


class Counting(nn.Module):
    """Keeps a buffer that it assigns, one that it writes into, a tensor, a list and a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("gain", torch.ones(()))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.unknown = torch.full((2,), torch.nan)
        self.last, self.seen, self.named = torch.zeros(2), [torch.zeros(1)], {"calls": 0}
        self.fc, self.lif = nn.Linear(8, 5), snntorch.Leaky(beta=0.8, threshold=0.4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.gain = self.gain * 2
        self.calls += 1
        self.last.add_(1)
        self.last.data[0] = 7
        self.seen.append(self.last)
        self.seen[0] += 1
        self.named["calls"] += 1
        mem, spikes = self.lif.reset_mem(), []
        for step in x:
            spike, mem = self.lif(self.fc(step * self.gain), mem)
            spikes.append(spike)
        return torch.stack(spikes)


def test_what_the_forward_writes_is_undone_between_readings_and_at_the_end() -> None:
    model = Counting()
    gain, last, seen, named = model.gain, model.last, model.seen, model.named
    sample = (np.random.default_rng(0).random((6, 20, 8)) < 0.5).astype(np.float32)
    traced = FRONTEND.load(Request(model=model, sample=sample))
    scaled, = (p for p in traced.network.projections if p.target == "lif")
    expected = 2 * model.fc.weight.detach().numpy()
    np.testing.assert_allclose(scaled.map.apply(np.eye(8)).T, expected, rtol=1e-6)
    assert model.gain is gain
    assert model.last is last
    assert model.seen is seen
    assert model.named is named
    assert (float(gain), int(model.calls), last.tolist()) == (1.0, 0, [0.0, 0.0])
    assert ([t.tolist() for t in seen], named) == ([[0.0]], {"calls": 0})

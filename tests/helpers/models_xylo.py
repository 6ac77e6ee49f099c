"""Rockpool networks of the size of Xylo's, and data for them."""

from __future__ import annotations

import numpy as np
import rockpool.nn.modules as rp
import torch
from rockpool.nn.combinators import Sequential
from rockpool.parameters import Constant

TAUS = {"tau_mem": Constant(16e-3), "tau_syn": Constant(8e-3)}


def rockpool_net(seed: int, recurrent: bool = False) -> torch.nn.Module:
    """8 channels, two hidden layers, 4 outputs that fire once a step; biases behind the synapse."""
    torch.manual_seed(seed)
    one = Constant(1.0)
    model = Sequential(
        rp.LinearTorch((8, 24), has_bias=False),
        rp.LIFTorch(24, threshold=one, has_rec=recurrent, **TAUS),
        rp.LinearTorch((24, 20), has_bias=False),
        rp.LIFTorch(20, threshold=one, bias=Constant(0.02), **TAUS),
        rp.LinearTorch((20, 4), has_bias=False),
        rp.LIFTorch(4, threshold=one, bias=Constant(0.013), max_spikes_per_dt=1, **TAUS))
    for name, tensor in torch.nn.Module.named_parameters(model):
        if name.endswith("weight"):
            torch.nn.init.uniform_(tensor, -0.05, 0.06)
        elif name.endswith("w_rec"):
            torch.nn.init.uniform_(tensor, -0.06, 0.05)
    return model


def counted_spikes(samples: int, steps: int = 40) -> np.ndarray:
    """(samples, steps, 8) of up to 3 spikes in a step, more in one channel than in the others."""
    rng = np.random.default_rng(0)
    rate = 0.1 + 0.4 * np.eye(8)[np.arange(samples) % 8][:, None]
    return (rng.integers(1, 4, (samples, steps, 8)) * (
        rng.random((samples, steps, 8)) < rate)).astype(np.float32)

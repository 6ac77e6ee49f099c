"""The seconds of one step come from the neurons that say them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nmcompile.frontends.interface import Request
from nmcompile.frontends.torch_file import FRONTEND
from nmcompile.ir import Network

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries


def network_of(model: nn.Module) -> Network:
    torch.manual_seed(0)
    sample = (np.random.default_rng(0).random((3, 12, 8)) < 0.5).astype(np.float32)
    return FRONTEND.load(Request(model=model, sample=sample)).network


def test_norse_s_dt_is_the_network_s() -> None:
    norse = pytest.importorskip("norse.torch")
    model = norse.SequentialState(nn.Linear(8, 6), norse.LIF(dt=0.002), nn.Linear(6, 4),
                                  norse.IAF())
    assert network_of(model).dt == 0.002


def test_rockpool_s_dt_is_the_network_s() -> None:
    modules = pytest.importorskip("rockpool.nn.modules")
    combinators = pytest.importorskip("rockpool.nn.combinators")
    model = combinators.Sequential(modules.LinearTorch((8, 6)), modules.LIFTorch(6, dt=5e-3))
    assert network_of(model).dt == 5e-3


def test_time_steps_that_differ_are_told_and_none_is_taken() -> None:
    norse = pytest.importorskip("norse.torch")
    model = norse.SequentialState(nn.Linear(8, 6), norse.LIF(dt=0.002), nn.Linear(6, 4),
                                  norse.LIF())
    network = network_of(model)
    assert network.dt is None
    assert "the neurons' time steps differ: 0.002 s (1), 0.001 s (3)" in network.notes

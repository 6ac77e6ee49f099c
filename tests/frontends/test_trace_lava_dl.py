"""lava-dl's blocks: what cannot be compiled, what the user is told, and what a run leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.slayer import slayer
from torch import nn

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request
from nmcompile.frontends.torch_file import FRONTEND
from nmcompile.ir import run
from nmcompile.ir.maps import Dense, Grid

pytestmark = pytest.mark.filterwarnings("ignore")
CUBA = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.1}
CHANGES = {"threshold": 0.1, "activation": torch.nn.functional.relu}
cuba, sdnn = slayer.block.cuba, slayer.block.sigma_delta


def given(*shape: int) -> np.ndarray:
    return (np.random.default_rng(0).random(shape) < 0.4).astype(np.float32)


def blocks(*made: nn.Module) -> nn.Module:
    return nn.Sequential(*made)


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "adrf": (lambda: blocks(slayer.block.adrf.Dense({
        "threshold": 1, "threshold_step": 0.1, "period": 7, "decay": 0.1, "threshold_decay": 0.1,
        "refractory_decay": 0.1}, 8, 5)),
        "0.neuron: lava-dl's adrf neurons cannot be compiled. lava-dl's CUBA, ALIF, sigma-delta "
        "and resonate-and-fire neurons are supported."),
    "graded": (lambda: blocks(cuba.Dense({**CUBA, "graded_spike": True}, 8, 5)),
               "0.neuron: graded spikes cannot be compiled, but those of sigma-delta neurons."),
    "affine": (lambda: blocks(cuba.Affine({**CUBA}, 8, 5)),
               "0: lava-dl's Affine with dynamics cannot be compiled. Use dynamics=False, or "
               "Dense."),
    "norm": (lambda: blocks(cuba.Dense(
        {**CUBA, "norm": slayer.neuron.norm.WgtScaleBatchNorm}, 8, 5)),
        "0.neuron: a norm of class WgtScaleBatchNorm cannot be compiled. Train with "
        "MeanOnlyBatchNorm."),
    "norm in a loop": (lambda: blocks(cuba.Recurrent(
        {**CUBA, "norm": slayer.neuron.norm.MeanOnlyBatchNorm}, 8, 5)),
        "0.neuron: a norm in a neuron that keeps its state from call to call cannot be compiled."),
    "activation": (lambda: blocks(sdnn.Input({**CHANGES}), sdnn.Dense(
        {**CHANGES, "activation": torch.tanh}, 8, 5)),
        "1.neuron: its activation is neither ReLU nor the identity."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compiled_is_refused_by_name(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(NmcError) as error:
        FRONTEND.load(Request(model=make(), sample=given(2, 20, 8)))
    assert str(error.value) == message


def test_an_input_block_is_no_population_for_a_sample_on_its_grid_and_says_so() -> None:
    model = blocks(sdnn.Input({**CHANGES}), sdnn.Output({**CHANGES}, 8, 5))
    network = FRONTEND.load(Request(model=model, sample=given(2, 20, 8))).network
    assert [p.neuron.kind for p in network.populations] == ["sigma-delta", "li"]
    assert network.notes == ("0 rounds and bounds its input, which leaves the sample as it is; "
                             "other values are taken unrounded",)
    between = given(2, 20, 8) + np.float32(0.01)
    network = FRONTEND.load(Request(model=model, sample=between)).network
    assert [p.neuron.kind for p in network.populations] == [
        "activation", "activation", "sigma-delta", "li"]
    assert network.notes == ()


def test_the_8_bits_of_the_weights_stay_with_them() -> None:
    model = blocks(cuba.Dense({**CUBA}, 8, 5))
    (projection,) = FRONTEND.load(Request(model=model, sample=given(2, 20, 8))).network.projections
    assert isinstance(projection.map, Dense)
    grid = projection.map.grid
    assert isinstance(grid, Grid)
    assert (grid.bits, float(grid.step)) == (8, 1 / 32)
    levels = projection.map.weight * 32
    assert np.array_equal(levels, np.rint(levels))


def test_a_model_that_was_traced_still_runs_as_before() -> None:
    torch.manual_seed(0)
    model = blocks(cuba.Recurrent({**CUBA}, 8, 12), cuba.Dense({**CUBA}, 12, 5)).eval()
    x = torch.from_numpy(np.moveaxis(given(3, 20, 8), 1, -1).copy())
    FRONTEND.load(Request(model=model, sample=given(2, 50, 8)))
    with torch.no_grad():
        before = model(x)
    traced = FRONTEND.load(Request(model=model, sample=given(3, 20, 8)))
    records: dict[str, Any] = run(traced.network, traced.inputs).records
    assert before.sum() > 0
    spikes = np.moveaxis(records["1.neuron"]["spikes"], 1, -1)
    assert np.array_equal(spikes[..., :-1], before.numpy()[..., 1:])

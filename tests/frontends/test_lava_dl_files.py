"""`.net` files that lava-dl's slayer writes give the spikes that slayer itself computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from helpers.slayer import slayer

from nmcompile.frontends.interface import Request
from nmcompile.frontends.lava_file import FRONTEND
from nmcompile.ir import run

STEPS = 60
CUBA = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03}
NORMED = {**CUBA, "norm": slayer.neuron.norm.MeanOnlyBatchNorm}
ADAPTS = {"threshold": 0.75, "threshold_step": 0.5, "current_decay": 0.6, "voltage_decay": 0.5,
          "threshold_decay": 0.05, "refractory_decay": 0.3}
CHANGES = {"threshold": 0.1, "activation": torch.nn.functional.relu}
TURNS = {"threshold": 0.6, "period": 7, "decay": 0.1}
cuba, sdnn = slayer.block.cuba, slayer.block.sigma_delta


def stored(block: Any) -> Any:
    """A block without the extra step that it takes in training, which files do not hold."""
    block.delay_shift = False
    return block


def resonators(family: Any) -> list[Any]:
    return [stored(family.Dense(TURNS, 8, 12, weight_scale=3)),
            stored(family.Dense(TURNS, 12, 5, weight_scale=4))]


# Shape of a step's input, and the blocks; a file without an input layer takes spikes.
MODELS = {
    "CUBA dense": ((8,), lambda: [
        stored(cuba.Dense(CUBA, 8, 12, weight_scale=4, weight_norm=True)),
        stored(cuba.Dense(NORMED, 12, 5, weight_scale=4))]),
    "CUBA, own decays": ((8,), lambda: [stored(cuba.Dense(
        {**CUBA, "shared_param": False, "current_decay": (0.1, 0.9), "voltage_decay": (0.01, 0.5)},
        8, 12, weight_scale=4))]),
    "CUBA recurrent": ((8,), lambda: [stored(cuba.Recurrent(CUBA, 8, 12, weight_scale=4))]),
    "CUBA conv and pool": ((2, 9, 9), lambda: [
        stored(cuba.Input(CUBA, weight=1.5, bias=0.25)),
        stored(cuba.Conv(NORMED, 2, 4, 3, padding=1, weight_scale=4)),
        stored(cuba.Pool(CUBA, 2)), cuba.Flatten(),
        stored(cuba.Dense(CUBA, 100, 6, weight_scale=6))]),
    "ALIF": ((8,), lambda: [
        stored(slayer.block.alif.Dense(ADAPTS, 8, 12, weight_scale=4)),
        stored(slayer.block.alif.Dense(ADAPTS, 12, 5, weight_scale=4))]),
    "sigma-delta": ((2, 8, 8), lambda: [
        stored(sdnn.Input({**CHANGES, "activation": torch.nn.Identity}, weight=0.75, bias=-0.125)),
        stored(sdnn.Conv(CHANGES, 2, 4, 3, stride=2, weight_scale=2)), sdnn.Flatten(),
        stored(sdnn.Dense({**CHANGES, "norm": slayer.neuron.norm.MeanOnlyBatchNorm}, 36, 8,
                          weight_scale=2)),
        sdnn.Output(CHANGES, 8, 5, weight_scale=2)]),
    "RF": ((8,), lambda: resonators(slayer.block.rf)),
    "RF, Izhikevich": ((8,), lambda: resonators(slayer.block.rf_iz)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_a_file_gives_the_spikes_of_the_blocks_that_wrote_it(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    shape, make = MODELS[name]
    blocks = make()
    x = torch.rand(3, *shape, STEPS)
    x = x if name == "sigma-delta" else (x < 0.4).float()
    outputs = []
    with torch.no_grad():
        for block in blocks:
            block.eval()
            for module in block.modules():
                if isinstance(module, slayer.neuron.norm.MeanOnlyBatchNorm):
                    module.running_mean = torch.rand(module.num_features or 1) * 0.2
            outputs.append(block(outputs[-1] if outputs else x))
    with h5py.File(tmp_path / "m.net", "w") as file:
        for position, block in enumerate(blocks):
            block.export_hdf5(file.create_group(f"layer/{position}"))
    network = FRONTEND.load(Request(path=tmp_path / "m.net")).network
    given = torch.round(x * 32) / 32 if name == "sigma-delta" else x  # as slayer's input blocks do
    records = run(network, {"input": np.moveaxis(given.numpy(), -1, 1)}).records
    layers = [o for b, o in zip(blocks, outputs, strict=True) if hasattr(b, "neuron")]
    assert len(layers) == len(network.populations)
    for population, output in zip(network.populations, layers, strict=True):
        found = records[population.name]["spikes" if population.neuron.spiking else "v"]
        unit = 1 if population.neuron.spiking and not population.neuron.graded else 64
        wanted = np.moveaxis(output.numpy(), -1, 1) * unit
        assert np.count_nonzero(wanted) > 10
        np.testing.assert_array_equal(found.reshape(wanted.shape), wanted, population.name)

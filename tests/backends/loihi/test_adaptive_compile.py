"""lava-dl's ALIF on Loihi 2: its own spikes from trained integers, nearly its own from others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.slayer import slayer
from nmcompile_backends.loihi.legalize import legalize
from nmcompile_backends.loihi.misfits import misfits
from torch import nn

from nmcompile import api
from nmcompile.backend import Layer
from nmcompile.errors import NmcError
from nmcompile.ir import Input, Network, Output, Population, Projection, WeightWidth
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import ALIF, ATRLIF, Reset
from nmcompile.stages import Compiled
from nmcompile.target import load_target

pytestmark = pytest.mark.filterwarnings("ignore")
NEURON = {"threshold": 0.75, "threshold_step": 0.5, "current_decay": 0.6, "voltage_decay": 0.5,
          "threshold_decay": 0.05, "refractory_decay": 0.3}


def compiled(target: str = "loihi2", **options: Any) -> Compiled:
    """30 inputs, 40 and 10 adaptive neurons; 12 samples of 60 steps."""
    torch.manual_seed(3)
    block = slayer.block.alif.Dense
    model = nn.Sequential(block({**NEURON}, 30, 40, **options), block({**NEURON}, 40, 10,
                                                                      **options)).eval()
    for made in model:
        nn.init.uniform_(made.synapse.weight, -0.3, 0.5)
    sample = (np.random.default_rng(0).random((12, 60, 30)) < 0.2).astype(np.float32)
    return api.compile(model, target=target, sample=sample)


def figures(found: Compiled) -> dict[str, dict[str, Any]]:
    return {check.arrow: check.figures for check in found.checks}


def test_weights_trained_as_integers_give_lava_dls_own_spikes_and_membranes() -> None:
    found = compiled()
    told = figures(found)
    assert told["trace"]["spikes_differing"] == 0
    assert told["quantize"]["spikes_integer"] == told["quantize"]["spikes_float"] > 3000
    assert [(layer.kept, layer.error) for layer in found.layer_errors] == [("as trained", 0.0)] * 2
    assert told["map"]["spikes_differing"] == told["map"]["states_differing"] == 0
    assert {p.neuron.kind for p in found.program.network.populations} == {"loihi-adaptive"}


def test_other_weights_lose_little() -> None:
    found = compiled(pre_hook_fx=lambda weight: weight)
    told = figures(found)["quantize"]
    assert abs(told["spikes_integer"] - told["spikes_float"]) < 0.005 * told["spikes_float"]
    assert told["decisions_equal"] == 1
    for layer in found.layer_errors:
        assert 0 < layer.error < 0.02
        assert layer.overflows == {"u": 0, "v": 0}


def one_layer(neuron: ALIF | ATRLIF) -> Network:
    layer = Population(name="a", shape=(3,), bias=np.zeros((), np.float32), neuron=neuron)
    link = Dense(weight=np.ones((3, 2), np.float32), in_shape=(2,), out_shape=(3,))
    return Network(inputs=(Input(name="in", shape=(2,)),), populations=(layer,),
                   projections=(Projection(source="in", target="a", map=link, delay=1),),
                   outputs=(Output(name="out", population="a"),))


HALF = np.full((), 0.5, np.float32)
ADAPTIVE = ATRLIF(current_decay=HALF, decay=HALF, threshold=HALF, adaptation_decay=HALF,
                  refractory_decay=HALF, threshold_step=HALF)
SINABS = ALIF(decay=HALF, threshold=HALF, adaptation_decay=HALF, adaptation_step=HALF,
              adaptation_scale=HALF, reset=Reset.SUBTRACT)


@pytest.mark.parametrize(
    ("neuron", "target", "message"),
    [
        (ADAPTIVE, "loihi1", "a: loihi1 has no 'atrlif' neuron."),
        (replace(ADAPTIVE, b_init=HALF), "loihi2",
         "a: threshold and refractoriness begin at rest on loihi2. Start the model from a "
         "threshold that has not risen."),
        (SINABS, "loihi2",
         "a: loihi2 has no 'alif' neuron. The one of Loihi 2 whose threshold adapts is lava-dl's "
         "ALIF: a spike holds twice the threshold against it, and resets nothing."),
    ],
)
def test_what_the_chip_lacks_is_refused(neuron: ALIF | ATRLIF, target: str, message: str) -> None:
    with pytest.raises(NmcError) as error:
        legalize(one_layer(neuron), load_target(target))
    assert str(error.value) == message


def test_a_bias_ahead_of_the_current_is_followed_from_the_first_step() -> None:
    torch.manual_seed(3)
    norm = slayer.neuron.norm.MeanOnlyBatchNorm
    model = nn.Sequential(slayer.block.alif.Dense({**NEURON, "norm": norm}, 30, 40)).eval()
    nn.init.uniform_(model[0].synapse.weight, -0.3, 0.5)
    model[0].neuron.norm.running_mean = torch.full((1,), -0.25)
    sample = (np.random.default_rng(0).random((12, 60, 30)) < 0.2).astype(np.float32)
    found = api.compile(model, target="loihi2", sample=sample)
    told = figures(found)["quantize"]
    assert abs(told["spikes_integer"] - told["spikes_float"]) < 0.005 * told["spikes_float"]
    assert found.layer_errors[0].error < 0.005
    assert np.all(found.program.network.populations[0].neuron.u_init < 0)


def test_a_refractoriness_too_slow_for_its_register_is_told() -> None:
    slow = replace(ADAPTIVE, refractory_decay=np.full((), 0.9999, np.float32))
    network = one_layer(slow)
    layer = Layer(population=network.populations[0], projections=network.projections, units=(1.0,),
                  peaks={}, width=WeightWidth(bits=8))
    (found,) = misfits(layer, load_target("loihi2"), 1000)
    assert found.what == ("the refractoriness keeps 0.9999 of itself each step, loihi2 holds steps "
                          "of 1/4096")
    assert (found.nearest, found.effect) == (
        "1", "without any leak in place of a time constant of 9,998 steps")
    assert found.legal is not None
    assert found.legal.neuron.refractory_decay == 1

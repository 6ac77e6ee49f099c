"""What shares the weights' scale and leaves them none is told with the nearest legal value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.models_snntorch import TimeFirst
from helpers.networks import scalar

from nmcompile import api
from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, run_aligned
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import LIF, CubaLIF, Neuron, Reset, ResetAt
from nmcompile.ir.neurons.lif import UNBOUNDED
from nmcompile.lowering import Legalisation, Lowered, lower
from nmcompile.passes.quantize import Calibration, quantize
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.target import load_target

CHIPS = ("loihi1", "loihi2", "xylo_a2", "xylo_a3", "xylo_imu", "speck2f", "truenorth")
FULL = {"loihi": 254, "xylo": 127, "speck": 127, "truenorth": 7}
N_IN, STEPS = 12, 30
Sent = dict[str, np.ndarray]


def shaped(chip: str, n: int) -> tuple[int, ...]:
    return (n, 1, 1) if chip == "speck2f" else (n,)


def neuron(chip: str, threshold: float, **fields: object) -> Neuron:
    """A neuron as the chip has it, without leak but for Xylo's."""
    reset = Reset.ZERO if chip == "loihi1" else Reset.SUBTRACT
    many = {"speck2f": UNBOUNDED}.get(chip, 31 if "xylo" in chip else 1)
    values = {"decay": scalar(1), "threshold": scalar(threshold), "reset": reset,
              "spikes_per_step": many, "fires_at_threshold": many > 1}
    if "xylo" in chip:
        values |= {"decay": scalar(0.99), "current_decay": scalar(0.5)}
    return (CubaLIF if "xylo" in chip else LIF)(**{**values, **fields})


def layers(
    chip: str, threshold: float = 1.0, bias: float = 0.0, **fields: object
) -> tuple[Network, Sent]:
    """Positive weights of up to 0.7 into `a`, whose neurons have the threshold, and on to `b`."""
    rng = np.random.default_rng(0)
    sizes = {"input": N_IN, "a": 8, "b": 4}

    def link(source: str, target: str) -> Projection:
        weight = np.abs(rng.normal(0, 0.3, (sizes[target], sizes[source]))).astype(np.float32)
        return Projection(source=source, target=target, map=Dense(
            weight=weight, in_shape=shaped(chip, sizes[source]),
            out_shape=shaped(chip, sizes[target])))

    network = Network(
        inputs=(Input(name="input", shape=shaped(chip, N_IN)),),
        populations=(
            Population(name="a", shape=shaped(chip, 8), bias=scalar(bias),
                       neuron=neuron(chip, threshold, **fields)),
            Population(name="b", shape=shaped(chip, 4), neuron=neuron(chip, 1.0))),
        projections=(link("input", "a"), link("a", "b")),
        outputs=(Output(name="output", population="b"),))
    sent = (rng.random((4, STEPS, *shaped(chip, N_IN))) < 0.3).astype(np.float32)
    return network, {"input": sent}


def lowered(chip: str, given: tuple[Network, Sent], nearest: bool = False) -> Lowered:
    target = load_target(chip)
    return lower(given[0], target, backend(target.family), given[1], Legalisation(nearest=nearest))


def refusal(chip: str, given: tuple[Network, Sent]) -> str:
    with pytest.raises(NmcError) as error:
        lowered(chip, given)
    return str(error.value)


def stored(chip: str, found: Lowered, sent: Sent) -> tuple[np.ndarray, int, Neuron]:
    """Weights into `a`, their exponent and the neurons of `a`, in integers."""
    target = load_target(chip)
    trace = run_aligned(found.network, found.latency, sent)
    calibration = Calibration(inputs=sent, trace=trace, latency=found.latency)
    net = quantize(found.network, target, backend(target.family), calibration)[0]
    link = net.incoming("a")[0]
    return link.map.weights(), link.format.exponent, net.population("a").neuron


@pytest.mark.parametrize("chip", CHIPS)
def test_a_threshold_that_leaves_the_weights_no_scale_is_lowered_on_request(chip: str) -> None:
    given = layers(chip, threshold=1e8, bias=1e7)
    assert refusal(chip, given).startswith(f"a: a threshold of 1e+08, {chip} holds ")
    found = lowered(chip, given, nearest=True)
    legal = found.network.population("a").neuron.threshold
    assert 1e4 < legal < 2e7
    assert f"(a: a threshold of 1e+08 -> {float(legal):.4g}" in found.checks[1].text
    weights, _, _ = stored(chip, found, given[1])
    assert np.abs(weights).max() > 0


@pytest.mark.parametrize("chip", CHIPS)
def test_a_threshold_that_would_become_zero_is_raised_on_request(chip: str) -> None:
    given = layers(chip, threshold=1e-6)
    assert refusal(chip, given).startswith(f"a: a threshold of 1e-06, {chip} holds ")
    found = lowered(chip, given, nearest=True)
    assert found.checks[1].figures["changes"] == 1
    weights, _, model = stored(chip, found, given[1])
    assert np.abs(weights).max() > FULL[load_target(chip).family] // 2
    assert 1 <= int(np.max(model.threshold)) <= 5


def test_what_is_refused_is_told_with_the_nearest_value_and_what_it_would_change() -> None:
    assert refusal("xylo_a2", layers("xylo_a2", threshold=0.001)) == (
        "a: a threshold of 0.001, xylo_a2 holds 0.01098 or more at the scale of its weights and "
        "states; the nearest is 0.01098, its neurons would fire at 11 times their level. Change "
        "the model, or add --legalise to take the nearest.")
    assert refusal("truenorth", layers("truenorth", threshold=1e4, bias=1e3)) == (
        "a: a bias of 1000, truenorth holds 177.9 or less beside weights of up to 0.6975; the "
        "nearest is 177.9, its neurons would get 0.178 of it. Change the model, or add --legalise "
        "to take the nearest.")


@pytest.mark.parametrize("threshold", [1e3, 1e6, 1e8])
@pytest.mark.parametrize("chip", CHIPS)
def test_a_threshold_out_of_reach_costs_the_weights_no_bits(chip: str, threshold: float) -> None:
    given = layers(chip, threshold=threshold)
    found = lowered(chip, given)
    assert [check.arrow for check in found.checks] == ["lower"]
    weights, _, _ = stored(chip, found, given[1])
    assert np.abs(weights).max() > 0.7 * FULL[load_target(chip).family]


def test_a_lower_bound_out_of_reach_costs_the_weights_no_bits() -> None:
    for chip in ("speck2f", "truenorth"):
        given = layers(chip, v_min=scalar(-1e6))
        weights, _, _ = stored(chip, lowered(chip, given), given[1])
        assert np.abs(weights).max() > 0.7 * FULL[load_target(chip).family]


def test_loihi_makes_low_thresholds_fine_with_the_weights_exponent() -> None:
    given = layers("loihi2", threshold=0.01)
    weights, exponent, model = stored("loihi2", lowered("loihi2", given), given[1])
    real = given[0].projections[0].map.weight
    scale = (weights.reshape(real.shape) * 2.0**exponent).sum(axis=1) / real.sum(axis=1)
    assert exponent > 1
    np.testing.assert_allclose(model.threshold / scale, 0.01, rtol=0.05)


@pytest.mark.parametrize(("chip", "said"), [
    ("xylo_a2", "a: the membrane keeps 1 of itself each step, xylo_a2 keeps 1 - 1/2**15 at most, "
     "and loses at least a unit of its registers each step; the nearest is 0.999969, with a time "
     "constant of 32,768 steps in place of none."),
    ("truenorth", "a: the membrane keeps 0.9 of itself each step, truenorth leaks by a constant and "
     "not by a factor; the nearest is 1, without any leak in place of a time constant of 10 steps."),
    ("speck2f", "a: the membrane keeps 0.9 of itself each step, speck2f leaks by a constant and "
     "not by a factor; the nearest is 1, without any leak in place of a time constant of 10 steps."),
])
def test_a_leak_that_the_chip_does_not_have_is_told_with_the_nearest(chip: str, said: str) -> None:
    slow = "xylo" in chip
    network, sent = layers(chip, decay=scalar(1 if slow else 0.9))
    sent = {"input": np.tile(sent["input"], (1, 7, *[1] * (sent["input"].ndim - 2)))}
    assert refusal(chip, (network, sent)).startswith(said)
    found = lowered(chip, (network, sent), nearest=True)
    legal = found.network.population("a").neuron
    assert legal.decay == np.float32(1 - 2**-15 if slow else 1)
    assert found.checks[1].figures["spikes_differing"] > 0


def test_a_subtraction_behind_a_leak_becomes_one_at_the_spike_with_it() -> None:
    given = layers("truenorth", decay=scalar(0.9), reset_at=ResetAt.INPUT)
    legal = lowered("truenorth", given, nearest=True).network.population("a").neuron
    assert (float(legal.decay), legal.reset_at) == (1.0, ResetAt.SPIKE)


def test_a_leak_that_no_run_would_notice_is_no_misfit() -> None:
    given = layers("truenorth", decay=scalar(0.9999999))
    assert [check.arrow for check in lowered("truenorth", given).checks] == ["lower"]


def test_quantize_takes_the_nearest_of_a_trained_models_leak_on_request() -> None:
    torch.manual_seed(0)
    model = TimeFirst(beta=0.99995)
    sample = (np.random.default_rng(0).random((2, 200, 8)) < 0.3).astype(np.float32)
    with pytest.raises(NmcError) as error:
        api.quantize(model, target="loihi2", sample=sample)
    assert "keeps 0.99995 of itself each step" in str(error.value)
    found = api.quantize(model, target="loihi2", sample=sample, legalise=True)
    assert [check.arrow for check in found.stage.checks] == [
        "trace", "lower", "legalise", "quantize"]


def test_a_layer_whose_weights_all_vanish_for_another_reason_is_refused() -> None:
    network, sent = layers("speck2f", threshold=2e4)
    first = network.populations[0]
    start = replace(first.neuron, v_init=scalar(-1e6), v_min=scalar(-1e7))
    network = replace(network, populations=(replace(first, neuron=start), network.populations[1]))
    traced = Traced(network=network, inputs=sent, expected=run(network, sent).records)
    with pytest.raises(NmcError) as error:
        compile_stage(traced, load_target("speck2f"))
    assert str(error.value) == (
        "a: all of its 96 weights, of up to 0.6975, become 0 at the scale that its other values "
        "leave on speck2f. Bring them nearer to its threshold, bias and first states, or set them "
        "to 0.")

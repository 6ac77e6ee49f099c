"""What a chip's formats cannot hold is told with its nearest legal value, and changed on request."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import dense, scalar
from nmcompile_backends.loihi import BACKEND

from nmcompile.errors import NmcError
from nmcompile.ir import Input, Network, Output, Population, Projection, run, run_aligned
from nmcompile.ir.neurons import LIF, CubaLIF, Neuron
from nmcompile.lowering import Legalisation, Lowered, lower
from nmcompile.passes.quantize import Calibration, quantize
from nmcompile.target import Target, load_target

TARGET = load_target("loihi2")
STEPS = 200


def two_layers(
    neuron: Neuron, delay: int = 0, bias: float = 0
) -> tuple[Network, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    fast = LIF(decay=scalar(0.5), threshold=scalar(1))
    network = Network(
        inputs=(Input(name="input", shape=(6,)),),
        populations=(Population(name="a", shape=(8,), neuron=fast),
                     Population(name="b", shape=(4,), neuron=neuron, bias=scalar(bias))),
        projections=(Projection(source="input", target="a", map=dense(rng, 6, 8, 2.0)),
                     Projection(source="a", target="b", map=dense(rng, 8, 4), delay=delay),
                     Projection(source="a", target="b", map=dense(rng, 8, 4))),
        outputs=(Output(name="output", population="b"),))
    return network, {"input": (rng.random((3, STEPS, 6)) < 0.3).astype(np.float32)}


def lowered(
    neuron: Neuron, delay: int = 0, bias: float = 0, target: Target = TARGET, **allowed: bool
) -> Lowered:
    network, inputs = two_layers(neuron, delay, bias)
    return lower(network, target, BACKEND, inputs, Legalisation(**allowed))


def refusal(neuron: Neuron, delay: int = 0, bias: float = 0, target: Target = TARGET) -> str:
    with pytest.raises(NmcError) as error:
        lowered(neuron, delay, bias, target)
    return str(error.value)


def quantized(found: Lowered, inputs: dict[str, np.ndarray]) -> Network:
    trace = run_aligned(found.network, found.latency, inputs)
    calibration = Calibration(inputs=inputs, trace=trace, latency=found.latency)
    return quantize(found.network, TARGET, BACKEND, calibration)[0]


FIRING = LIF(decay=scalar(0.9), threshold=scalar(1))


def test_a_leak_too_slow_for_12_bits_is_refused_with_the_nearest_value() -> None:
    assert refusal(LIF(decay=scalar(0.99995), threshold=scalar(1))) == (
        "b: the membrane keeps 0.99995 of itself each step, loihi2 holds steps of 1/4096; the "
        "nearest is 1, without any leak in place of a time constant of 19,997 steps. Change the "
        "model, or add --legalise to take the nearest.")


@pytest.mark.parametrize(("chip", "bias"), [("loihi1", 0.0), ("loihi2", 0.05)])
def test_a_current_that_may_not_last_for_ever_gets_the_slowest_decay_on_request(
    chip: str, bias: float
) -> None:
    target = load_target(chip)
    neuron = CubaLIF(current_decay=scalar(1), decay=scalar(0.9), threshold=scalar(40))
    assert refusal(neuron, 0, bias, target).startswith(
        f"b: the synaptic current keeps 1 of itself each step, {chip} holds steps of 1/4096; the "
        "nearest is 0.999756, with a time constant of 4,096 steps in place of none.")
    found = lowered(neuron, 0, bias, target, nearest=True)
    assert found.network.population("b").neuron.current_decay == np.float32(4095 / 4096)
    assert [check.arrow for check in found.checks] == ["lower", "legalise"]
    assert found.checks[1].text.startswith(f"1 value became the nearest that {chip} holds (b: the "
                                           "synaptic current keeps 1 of itself each step -> 0.99")
    assert found.checks[1].figures["spikes_differing"] > 0


def test_a_synaptic_current_that_never_decays_is_one_of_loihi2() -> None:
    neuron = CubaLIF(current_decay=scalar(1), decay=scalar(0.9), threshold=scalar(40))
    found = lowered(neuron)
    assert [check.arrow for check in found.checks] == ["lower"]
    _, inputs = two_layers(neuron)
    chip = quantized(found, inputs).population("b").neuron
    assert int(chip.du) == -1
    state = {"u": np.array([[12345]]), "v": np.array([[0]]), "hold": np.array([[0]])}
    assert chip.step(state, np.array([[0]]))[0]["u"].tolist() == [[12345]]
    assert refusal(replace(neuron, current_decay=scalar(0.99995))).startswith(
        "b: the synaptic current keeps 0.99995 of itself each step, loihi2 holds steps of 1/4096; "
        "the nearest is 1, without any leak in place of a time constant of 19,997 steps.")


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9997, 0.99986, 0.9999997, 1.0])
def test_decays_that_registers_hold_nearly_are_left_to_quantization(decay: float) -> None:
    found = lowered(LIF(decay=scalar(decay), threshold=scalar(1)))
    assert found.network.population("b").neuron.decay == np.float32(decay)
    assert [check.arrow for check in found.checks] == ["lower"]


def test_a_delay_beyond_62_steps_is_refused_with_both_ways_out() -> None:
    said = refusal(FIRING, delay=100)
    assert said == (
        "a -> b: a delay of 101 steps, loihi2 has at most 62; the nearest is 62 steps, its spikes "
        "would arrive 39 steps early. Change the model, or add --legalise to take the nearest, or "
        "--relay-delays, which keeps the spikes and takes relay neurons.")
    found = lowered(FIRING, delay=100, nearest=True)
    assert max(p.delay for p in found.network.projections) == 62
    assert "a -> b: delay 101 -> 62" in found.checks[1].text


@pytest.mark.parametrize("delay", [62, 63, 100, 124, 180])
def test_relay_neurons_make_any_delay_and_keep_every_spike(delay: int) -> None:
    network, inputs = two_layers(FIRING, delay)
    found = lower(network, TARGET, BACKEND, inputs, Legalisation(relay_delays=True))
    assert max(p.delay for p in found.network.projections) <= 62
    wanted = run(network, inputs)
    relayed = run_aligned(found.network, found.latency, inputs)
    assert wanted.spikes("b").sum() > 20
    for name in ("a", "b"):
        assert np.array_equal(relayed.spikes(name), wanted.spikes(name))
    stages = -(-(delay + 2) // 62) - 1
    added = [p for p in found.network.populations if ".later" in p.name]
    assert len(added) == stages
    assert (f"{8 * stages} relay neurons" in " ".join(found.notes)) == (stages > 0)

"""What a chip's formats cannot hold is told with its nearest legal value, and changed on request."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.networks import dense, scalar
from nmcompile_backends.loihi import BACKEND

from nmcompile.errors import NmcError
from nmcompile.ir import Input, Network, Output, Population, Projection, run, run_aligned
from nmcompile.ir.neurons import LIF, CubaLIF, Neuron
from nmcompile.lowering import Legalisation, Lowered, lower
from nmcompile.target import load_target

TARGET = load_target("loihi2")
STEPS = 200


def two_layers(neuron: Neuron, delay: int = 0) -> tuple[Network, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    fast = LIF(decay=scalar(0.5), threshold=scalar(1))
    network = Network(
        inputs=(Input(name="input", shape=(6,)),),
        populations=(Population(name="a", shape=(8,), neuron=fast),
                     Population(name="b", shape=(4,), neuron=neuron)),
        projections=(Projection(source="input", target="a", map=dense(rng, 6, 8, 2.0)),
                     Projection(source="a", target="b", map=dense(rng, 8, 4), delay=delay),
                     Projection(source="a", target="b", map=dense(rng, 8, 4))),
        outputs=(Output(name="output", population="b"),))
    return network, {"input": (rng.random((3, STEPS, 6)) < 0.3).astype(np.float32)}


def lowered(neuron: Neuron, delay: int = 0, **allowed: bool) -> Lowered:
    network, inputs = two_layers(neuron, delay)
    return lower(network, TARGET, BACKEND, inputs, Legalisation(**allowed))


def refusal(neuron: Neuron, delay: int = 0) -> str:
    with pytest.raises(NmcError) as error:
        lowered(neuron, delay)
    return str(error.value)


FIRING = LIF(decay=scalar(0.9), threshold=scalar(1))


def test_a_leak_too_slow_for_12_bits_is_refused_with_the_nearest_value() -> None:
    assert refusal(LIF(decay=scalar(0.99995), threshold=scalar(1))) == (
        "b: the membrane keeps 0.99995 of itself each step, loihi2 holds steps of 1/4096; the "
        "nearest is 1, without any leak in place of a time constant of 19,997 steps. Change the "
        "model, or add --legalise to take the nearest.")


def test_a_synaptic_current_that_never_decays_gets_the_slowest_decay_on_request() -> None:
    neuron = CubaLIF(current_decay=scalar(1), decay=scalar(0.9), threshold=scalar(40))
    assert refusal(neuron).startswith(
        "b: the synaptic current keeps 1 of itself each step, loihi2 holds steps of 1/4096; the "
        "nearest is 0.999756, with a time constant of 4,096 steps in place of none.")
    found = lowered(neuron, nearest=True)
    assert found.network.population("b").neuron.current_decay == np.float32(4095 / 4096)
    assert [check.arrow for check in found.checks] == ["lower", "legalise"]
    assert found.checks[1].text.startswith("1 value became the nearest that loihi2 holds (b: the "
                                           "synaptic current keeps 1 of itself each step -> 0.99")
    assert found.checks[1].figures["spikes_differing"] > 0


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

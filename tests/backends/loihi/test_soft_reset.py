"""Loihi 1's soft reset: two compartments and a synapse, in integers and through the compiler."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from helpers import register_machine
from helpers.loihi_programs import network, payloads, port, program, projection, weights
from helpers.random_soft_reset import soft_reset, subtracting
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.loihi.arithmetic import LoihiNeuron
from nmcompile_backends.loihi.legalize import legalize
from nmcompile_backends.loihi.registers import write_registers
from nmcompile_backends.loihi.soft_reset import LoihiSoftReset

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, verify
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import LIF, CubaLIF, Reset, ResetAt
from nmcompile.pipeline import compile_stage
from nmcompile.report.figures import compiled_figures
from nmcompile.simulator import energy_by_slice, simulate
from nmcompile.stages import Compiled
from nmcompile.target import load_target

SHAPE = (3, 2)
ZERO = np.zeros((), np.int32)


def by_itself(rng: np.random.Generator, reach: int) -> tuple[Network, Network, dict]:
    """One layer of such neurons, the same in its parts, and what it receives."""
    layer = Population(name="a", shape=SHAPE, bias=ZERO, start=1, neuron=soft_reset(rng, SHAPE))
    whole = network((port((4,), 9),), (layer,), (
        projection("in", "a", Dense(weight=weights(rng, (6, 4)), in_shape=(4,), out_shape=SHAPE),
                   exponent=reach),))
    compartments, synapse = layer.neuron.parts(layer)
    parts = replace(whole, populations=(compartments,),
                    projections=(*whole.projections, synapse))
    return whole, verify(parts), payloads(whole, 40, rng, samples=2)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([-8, -2, 2, 7]))
def test_two_compartments_and_a_synapse_are_the_neuron_in_every_state(seed, reach):
    whole, parts, sent = by_itself(np.random.default_rng(seed), reach)
    wanted, found = run(whole, sent).records["a"], run(parts, sent).records["a"]
    for name in ("u", "v", "spikes"):
        np.testing.assert_array_equal(found[name], wanted[name])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([200, 4000, 2**18]))
def test_the_kernel_is_the_readable_step(seed, reach):
    rng = np.random.default_rng(seed)
    model = soft_reset(rng, SHAPE)
    model.verify("n", SHAPE)
    slow = model.initial_state((2, *SHAPE))
    fast = {name: values.reshape(2, 6).copy() for name, values in slow.items()}
    step = model.stepper(SHAPE)
    for _ in range(25):
        current = rng.integers(-reach, reach + 1, (2, *SHAPE)).astype(np.int32)
        slow, wanted = model.step(slow, current)
        spikes = np.zeros((2, 6), np.int32)
        step(fast, current.reshape(1, 2, 6), spikes[None])
        np.testing.assert_array_equal(spikes, wanted.reshape(2, 6))
        for name, values in slow.items():
            np.testing.assert_array_equal(fast[name], values.reshape(2, 6))


def test_a_synapse_of_the_threshold_is_loihi_2s_subtraction_behind_the_leak():
    rng = np.random.default_rng(0)
    plain = {"dv": np.array(300), "threshold": np.array(200), "bias_mantissa": np.array(5)}
    joined = LoihiSoftReset(**plain, reset_mantissa=np.array(100), reset_exponent=1)
    native = LoihiNeuron(**plain, du=np.array(4095), reset=Reset.SUBTRACT)
    states, fired = [model.initial_state((1, *SHAPE)) for model in (joined, native)], 0
    for _ in range(200):
        current = rng.integers(-200, 330, (1, *SHAPE))
        (states[0], spikes), (states[1], wanted) = (
            model.step(state, current) for model, state in zip((joined, native), states,
                                                               strict=True))
        np.testing.assert_array_equal(spikes, wanted)
        np.testing.assert_array_equal(states[0]["v"], states[1]["v"])
        fired += int(spikes.sum())
    assert fired > 200


def test_a_reset_beyond_a_synapse_is_refused():
    model = soft_reset(np.random.default_rng(0), SHAPE)
    with pytest.raises(NmcError) as error:
        replace(model, reset_mantissa=np.array(256), reset_exponent=1).verify("n", SHAPE)
    assert str(error.value) == ("n: its reset takes 256 to 256 times 2**1, a synapse of Loihi "
                                "integers of 0 to 255 times 2**0 to 2**7.")


@pytest.mark.parametrize("seed", range(6))
def test_the_registers_alone_join_and_inhibit_the_compartments(tmp_path: Path, seed: int) -> None:
    net, rng = subtracting(seed), np.random.default_rng(seed)
    write_registers(program(net, "loihi1", cut=2, rng_seed=seed), tmp_path)
    sent = payloads(net, 14, rng)
    found = register_machine.run(tmp_path, {name: x[0] for name, x in sent.items()}, 14)
    for name, record in run(net, sent).records.items():
        for variable in ("spikes", "v"):
            np.testing.assert_array_equal(found[name][variable], record[variable][0])
        assert record["spikes"].any()
    document = json.loads((tmp_path / "registers.json").read_text())
    schema = json.loads((tmp_path / "registers.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    cores = [core for chip in document["boards"][0]["chips"] for core in chip["cores"]]
    assert sum(core["compartments"] for core in cores) == 2 * (40 + 9)


def traced(**fields: object) -> Traced:
    """30 inputs, 40 neurons with these fields and 10 that are read, with real weights."""
    rng = np.random.default_rng(0)
    half = {"decay": np.full((), 0.9, np.float32), "threshold": np.full((), 1, np.float32)}
    neuron = LIF(**{**half, "reset": Reset.SUBTRACT, "reset_at": ResetAt.INPUT, **fields})
    layers = tuple(Population(name=name, shape=(n,), bias=np.zeros((), np.float32), neuron=neuron)
                   for name, n in (("a", 40), ("b", 10)))
    maps = [Dense(weight=rng.normal(0.08, 0.25, (n, m)).astype(np.float32), in_shape=(m,),
                  out_shape=(n,)) for m, n in ((30, 40), (40, 10))]
    net = Network(inputs=(Input(name="in", shape=(30,)),), populations=layers, projections=(
        Projection(source="in", target="a", map=maps[0], delay=0),
        Projection(source="a", target="b", map=maps[1], delay=0)),
        outputs=(Output(name="out", population="b"),))
    sample = (rng.random((12, 60, 30)) < 0.2).astype(np.float32)
    return Traced(network=verify(net), inputs={"in": sample}, expected={}, verified_by="")


def compiled(target: str = "loihi1", **fields: object) -> Compiled:
    return compile_stage(traced(**fields), load_target(target))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"reset_at": ResetAt.SPIKE},
        {"reset_at": ResetAt.LEAK, "decay": np.linspace(0.5, 1, 10).astype(np.float32)[:1]},
        {"reset": Reset.NONE},
        {"threshold": np.full((), 0.37, np.float32), "reset_at": ResetAt.SPIKE,
         "fires_at_threshold": True},
    ],
)
def test_loihi1_loses_hardly_more_than_loihi2_which_subtracts_by_itself(fields) -> None:
    found, native = compiled(**fields), compiled("loihi2", **fields)
    told = {check.arrow: check.figures for check in found.checks}
    before, after = (told["quantize"][f"spikes_{kind}"] for kind in ("float", "integer"))
    assert before > 2000
    assert abs(after - before) < 0.01 * before
    assert told["map"]["spikes_differing"] == told["map"]["states_differing"] == 0
    for layer, other in zip(found.layer_errors, native.layer_errors, strict=True):
        assert layer.error < 1.3 * other.error


def test_a_soft_reset_costs_two_compartments_a_synapse_and_an_axon_of_each_neuron() -> None:
    found = compiled()
    soft, sent = found.program, {"in": np.ones((1, 20, 30), np.int32)}
    hard = compiled(reset=Reset.ZERO)
    needs = [made.demand for made in (found, hard)]
    assert [int(need.neurons.sum()) for need in needs] == [100, 50]
    assert [int(need.input_axons.sum()) for need in needs] == [30 + 40 + 50, 30 + 40]
    assert [int(need.output_axons.sum()) for need in needs] == [40 + 50, 40]
    assert int(needs[0].synapse_bits.sum()) - int(needs[1].synapse_bits.sum()) == 50 * 64
    done = simulate(soft, sent)
    fired = done.counts.spikes[:-1]
    layers = {name: i for i, name in enumerate(p.name for p in soft.network.populations)}
    assert done.counts.events[layers["b"]] == 10 * fired[layers["a"]] + fired[layers["b"]]
    update = soft.target.energy_j.neuron_update.value
    spent = energy_by_slice(soft, done)["neuron"].sum()
    steps = done.step_s.size
    assert spent == pytest.approx(
        100 * steps * update + fired.sum() * soft.target.energy_j.spike_out.value)
    told = compiled_figures(soft, found.demand, found.checks)["layers"]
    assert [layer["neurons"] for layer in told if layer["name"] in ("a", "b")] == [40, 10]


def test_the_user_is_told_that_no_emulator_has_it() -> None:
    assert compiled().notes == (
        "a, b: a neuron that is not cleared by its spikes takes two compartments on loihi1, and a "
        "soft reset a synapse (NxTF, arXiv 2101.04261); no emulator has these, so they were "
        "compared with none",)
    assert compiled(reset=Reset.ZERO).notes == ()


def test_decisions_by_the_membrane_and_currents_that_keep_the_reset_are_refused() -> None:
    target, net = load_target("loihi1"), traced(reset_at=ResetAt.SPIKE).network
    with pytest.raises(NmcError) as error:
        legalize(replace(net, outputs=(Output(name="out", population="b", variable="v"),)), target)
    assert str(error.value) == (
        "b: the model decides by its membrane behind the subtraction, loihi1 holds the one ahead "
        "of it. Return the spikes first, or use reset_mechanism='none' in the readout.")
    half = np.full((), 0.5, np.float32)
    cuba = CubaLIF(decay=half, threshold=half, current_decay=half, reset=Reset.SUBTRACT)
    layers = tuple(replace(p, neuron=cuba) for p in net.populations)
    with pytest.raises(NmcError) as error:
        legalize(replace(net, populations=layers), target)
    assert str(error.value) == (
        "a: a soft reset behind a synaptic current does not exist on loihi1: what a spike takes "
        "comes through that current and would decay with it. Train without synaptic current, or "
        "compile for loihi2.")

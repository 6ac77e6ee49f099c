"""SpiNNaker 2 end to end: what its file says spikes as the integers do, what it cannot is named."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from helpers.networks import conv, dense, scalar, sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.spinnaker2.arithmetic import Spinnaker2Neuron
from nmcompile_backends.spinnaker2.encode import encode, natural_scale

from nmcompile.backend import Layer
from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import (
    Input,
    Network,
    Output,
    Population,
    Projection,
    WeightWidth,
    run,
    run_aligned,
    scores,
    verify,
)
from nmcompile.ir.neurons import LI, LIF, CubaLIF, Reset, ResetAt
from nmcompile.mapper import Recorded, map_network
from nmcompile.mapping.constraints import Constraints
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.simulator import simulate
from nmcompile.target import load_target

TARGET, BACKEND, STEPS = load_target("spinnaker2"), backend("spinnaker2"), 25


def lif(**fields):
    return LIF(**({"decay": scalar(0.9), "threshold": scalar(1)} | fields))


def network(seed=0, first=None, out=None, variable="spikes"):
    """An image, a convolution, a layer that feeds itself, an answer."""
    rng = np.random.default_rng(seed)
    image = conv(rng, (1, 6, 6), 3, stride=(2, 2), padding=(1, 1), gain=2.0)
    bias = rng.normal(0, 0.05, 12).astype(np.float32)
    link = Projection
    return verify(Network(
        inputs=(Input(name="image", shape=(1, 6, 6)),),
        populations=(
            Population(name="conv", shape=image.out_shape, neuron=first or lif(reset_at=ResetAt.LEAK),
                       bias=np.full((3, 1, 1), 0.03, np.float32)),
            Population(name="hidden", shape=(12,), bias=bias, neuron=lif(
                decay=rng.uniform(0, 1, 12).astype(np.float32), reset=Reset.SUBTRACT)),
            Population(name="out", shape=(4,), neuron=out or lif(fires_at_threshold=True))),
        projections=(
            link(source="image", target="conv", map=image),
            link(source="conv", target="hidden", map=dense(rng, 27, 12, 3.0)),
            link(source="hidden", target="hidden", delay=1, map=dense(rng, 12, 12, 0.6)),
            link(source="hidden", target="out", map=sparse(rng, 12, 4, 0.7))),
        outputs=(Output(name="out", population="out", variable=variable),)))


def inputs(seed=1, samples=4):
    rng = np.random.default_rng(seed)
    return {"image": (rng.random((samples, STEPS, 1, 6, 6)) < 0.4).astype(np.float32)}


def compiled(net):
    return compile_stage(Traced(network=net, inputs=inputs(), expected=run(net, inputs()).records),
                         TARGET)


@cache
def default():
    """`network` compiled."""
    return compiled(network())


def from_file(values, sent, steps):
    """Population -> (steps, n) spikes of the file's populations, in single precision throughout."""
    sizes = {p["name"]: p["size"] for p in (*values["inputs"], *values["populations"])}
    v = {p["name"]: np.full(p["size"], p["params"]["v_init"], np.float32)
         for p in values["populations"]}
    told = {name: np.zeros((steps, n), int) for name, n in sizes.items()}
    told["image"][: len(sent)] = sent
    for step in range(steps):
        for population in values["populations"]:
            name, params, q = population["name"], population["params"], np.zeros(population["size"])
            for link in values["projections"] if step else ():
                if link["post"] == name:
                    one = link["connections"]
                    np.add.at(q, one["post"], told[link["pre"]][step - 1][one["pre"]] * np.array(
                        one["weight"]))
            single = {k: np.array(x, np.float32) for k, x in params.items() if k != "reset"}
            now = (single["alpha_decay"] * v[name] + single["i_offset"]) + q.astype(np.float32)
            fired = now > single["threshold"]
            after = (single["v_reset"] if params["reset"] == "reset_to_v_reset"
                     else now - single["threshold"])
            v[name], told[name][step] = np.where(fired, after, now), fired
    return told


@pytest.mark.parametrize("seed", range(2))
def test_what_the_file_says_spikes_as_the_compiled_network(tmp_path, seed):
    program = compiled(network(seed)).program if seed else default().program
    assert list(BACKEND.emit(program, tmp_path)) == [
        "spinnaker2.json", "spinnaker2_run.py", "network.nir"]
    values = json.loads((tmp_path / "spinnaker2.json").read_text("utf-8"))
    sent, spikes = inputs(seed + 50)["image"].astype(np.int32), 0
    wanted = run_aligned(program.network, program.latency, {"image": sent}).records
    told = from_file(values, sent[0].reshape(STEPS, -1), STEPS + 5)
    for name in ("conv", "hidden", "out"):
        begin = program.latency[name]
        np.testing.assert_array_equal(told[name][begin : begin + STEPS],
                                      wanted[name]["spikes"][0].reshape(STEPS, -1), name)
        spikes += int(told[name].sum())
    assert spikes > 100
    listed = sorted(n for core in values["cores"] if core["population"] == "conv"
                    for n in core["neurons"])
    assert listed == list(range(27))


def mapped_anew(spikes=None, free=2):
    """`network` on the first `free` cores."""
    program = default().program
    few = Constraints(reserved=np.arange(free, TARGET.n_cores, dtype=np.int32))
    return map_network(
        program.network, TARGET, BACKEND, program.mapping.rates, few,
        Recorded(typical=spikes))[0]


def test_layers_share_no_core():
    assert len(np.unique(mapped_anew(free=3).mapping.slices.core)) == 3
    with pytest.raises(NmcError) as error:
        mapped_anew()
    assert str(error.value).startswith(
        "network: needs 3 cores, spinnaker2 has 144 (1 chips of 144), of which 2 are free;")


def test_a_search_is_refused():
    with pytest.raises(NmcError) as error:
        mapped_anew({node.name: np.ones((5, node.size), np.int32)
                     for node in default().program.network.nodes})
    assert str(error.value) == (
        "spinnaker2: has cores of one layer each, which --search lets layers share. Leave out "
        "--search.")


def test_a_core_of_two_slices_is_not_written(tmp_path):
    program = default().program
    slices = replace(program.mapping.slices, core=np.array([4, 7, 7], np.int32))
    shared = replace(program, mapping=replace(program.mapping, slices=slices))
    assert BACKEND.emit(shared, tmp_path)["spinnaker2.json"] == (
        "not written: core 7 holds several slices, a core of py-spinnaker2 runs one")
    assert [path.name for path in tmp_path.iterdir()] == ["network.nir"]


def test_quantization_keeps_nearly_all_spikes():
    seen = {check.arrow: check.figures for check in default().checks}["quantize"]
    assert seen["spikes_float"] > 300
    assert abs(seen["spikes_float"] - seen["spikes_integer"]) <= 0.03 * seen["spikes_float"]


def test_membranes_are_recorded_and_summed_in_single_precision():
    program = compiled(network(out=LI(decay=scalar(0.9)), variable="v")).program
    sent = {"image": inputs(7)["image"].astype(np.int32)}
    found = simulate(program, sent, record=("v", "spikes"))
    wanted = run_aligned(program.network, program.latency, sent)
    assert found.records["out"]["v"].dtype == np.float32
    np.testing.assert_array_equal(found.records["out"]["v"], wanted.records["out"]["v"])
    np.testing.assert_allclose(found.scores["out"], scores(program.network.outputs[0], wanted),
                               rtol=1e-12)
    assert not found.records["out"]["spikes"].any()


def refused(net):
    with pytest.raises(NmcError) as error:
        BACKEND.legalize(net, TARGET)
    return str(error.value)


@pytest.mark.parametrize(("neuron", "message"), [
    (lif(reset_at=ResetAt.INPUT), "conv: a reset to zero at 'input' does not exist on spinnaker2, "
     "which resets in the step of the spike. Train with that (in snnTorch reset_mechanism='zero')."),
    (lif(reset=Reset.SUBTRACT, reset_at=ResetAt.UNDELAYED),
     "conv: a reset to subtract at 'undelayed' does not exist on spinnaker2, which resets in the "
     "step of the spike. Train with that (in snnTorch reset_mechanism='zero')."),
    (lif(reset=Reset.NONE), "conv: reset 'none' does not exist on spinnaker2, which has zero, "
     "subtract. Train with one of these."),
    (lif(v_min=scalar(-1)), "conv: a lower bound of the membrane does not exist on spinnaker2. Train "
     "without it (in Sinabs min_v_mem=None)."),
    (lif(v_init=scalar(0.5)), "conv: its membrane starts from other values than 0, where spinnaker2 "
     "begins. Start the model from 0."),
    (lif(threshold=scalar(-1)), "conv: a threshold of -1 is below 0. Train with thresholds from 0 on."),
    (CubaLIF(decay=scalar(0.9), threshold=scalar(1), current_decay=scalar(0.5)),
     "conv: spinnaker2 has no 'cuba-lif' neuron. Use leaky integrate-and-fire neurons without a "
     "synaptic current."),
])
def test_a_neuron_that_lif_no_delay_is_not_is_refused_by_name(neuron, message):
    assert refused(network(first=neuron)) == message


def test_a_subtraction_behind_the_input_is_one_at_the_spike_where_nothing_leaks():
    neuron = lif(decay=scalar(1), reset=Reset.SUBTRACT, reset_at=ResetAt.INPUT)
    assert compiled(network(first=neuron)).checks[1].figures["spikes_differing"] == 0


def test_of_a_membrane_that_keeps_nothing_no_reset_is_one_to_zero():
    neuron = lif(decay=scalar(0), reset=Reset.NONE)
    assert compiled(network(first=neuron)).checks[1].figures["spikes_differing"] == 0


def test_a_decision_by_a_membrane_that_spikes_change_is_refused():
    assert refused(network(variable="v")) == (
        "out: the model decides by its membrane, which spikes change. Return the spikes first, or "
        "end the model in an integrator.")


def test_a_delay_of_two_steps_is_refused():
    net = network()
    skip = Projection(source="conv", target="out", map=dense(np.random.default_rng(0), 27, 4))
    with pytest.raises(NmcError) as error:
        compiled(verify(replace(net, projections=(*net.projections, skip))))
    assert str(error.value).startswith(
        "conv -> out: a delay of 2 steps, spinnaker2 has at most 1; the nearest is 1 steps")


def test_an_offset_that_fires_ahead_of_the_first_input_is_refused():
    chip = Spinnaker2Neuron(decay=scalar(1), threshold=scalar(10), offset=scalar(6), early=2)
    with pytest.raises(NmcError) as error:
        chip.verify("n", (3,))
    assert str(error.value) == ("n: its offset of 6 makes it fire within the 2 steps that it runs "
                                "before the first input reaches it. Lower the bias.")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([8, 4, 2]), st.floats(-6, 6), st.floats(1, 4),
       st.integers(0, 4))
def test_an_encoded_layer_is_near_its_real_values_and_starts_at_rest(seed, bits, power, clip, start):
    rng = np.random.default_rng(seed)
    neuron = lif(decay=rng.uniform(0, 1, 7).astype(np.float32), threshold=scalar(100),
                 fires_at_threshold=bool(rng.integers(2)))
    linear, bias = dense(rng, 11, 7), rng.normal(0, 1, 7).astype(np.float32)
    layer = Layer(
        population=Population(name="n", shape=(7,), neuron=neuron, bias=bias, start=start),
        projections=(Projection(source="in", target="n", map=linear),), units=(1.0,),
        peaks={"u": 4.0, "v": 4.0}, width=WeightWidth(bits=bits))
    found = encode(layer, natural_scale(layer, TARGET) * 2.0**power, clip, TARGET)
    stored, unit = found.projections[0].map.weights(), found.current_unit
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    assert low <= stored.min()
    assert stored.max() <= high
    inside = (linear.weights() / unit >= low) & (linear.weights() / unit <= high)
    assert np.abs(stored * unit - linear.weights())[inside].max(initial=0) <= 0.5001 * unit
    chip = found.population.neuron
    np.testing.assert_allclose(chip.threshold * unit, 100, rtol=1e-6)
    left = chip.initial_state((1, 7))["v"][0] * unit * neuron.decay
    np.testing.assert_allclose(left[bias >= 0], 0, atol=2e-3 * np.abs(bias).max())
    assert np.all(left[bias < 0] <= 2e-3 * np.abs(bias).max())
    assert np.all(left >= -2e-3 + np.minimum(bias, 0) * start)


@pytest.mark.parametrize("inclusive", [False, True])
def test_a_neuron_at_its_threshold_fires_where_the_models_does(inclusive):
    layer = Layer(
        population=Population(name="n", shape=(1,), neuron=lif(threshold=scalar(1),
                                                               fires_at_threshold=inclusive)),
        projections=(Projection(source="in", target="n", map=dense(np.random.default_rng(0), 1, 1)),),
        units=(1.0,), peaks={"v": 1.0}, width=WeightWidth(bits=8))
    weight = float(layer.projections[0].map.weight[0, 0])
    chip = encode(layer, 100.0, 1 / 0.01, TARGET).population.neuron
    assert abs(weight) > 0
    _, fired = chip.step(chip.initial_state((1, 1)), np.array([[100]]))
    assert bool(fired[0, 0]) == inclusive

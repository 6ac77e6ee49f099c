"""Speck behind the pipeline: what compiles, what is written, what is refused."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.speck import BACKEND, encode
from nmcompile_backends.speck.arithmetic import run as run_events
from nmcompile_backends.speck.convolution import as_convolution
from nmcompile_backends.speck.limits import Memory, assign
from torch import nn

import nmcompile as nmc
from nmcompile.errors import NmcError
from nmcompile.ir import Input, Network, Output, Population, Projection, run
from nmcompile.ir.maps import Conv, Dense
from nmcompile.ir.neurons import LIF, Reset, ResetAt
from nmcompile.ir.neurons.lif import UNBOUNDED
from nmcompile.target import load_target

sl = pytest.importorskip("sinabs.layers")
SHAPE = (2, 8, 6)


def sinabs_network(positive=False, bias=False):
    torch.manual_seed(1)
    iaf = {"min_v_mem": -1.0, "batch_size": 1}
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=bias), sl.IAFSqueeze(**iaf, spike_threshold=2.0),
        sl.SumPool2d(2), nn.Conv2d(4, 6, 3, bias=False), sl.IAFSqueeze(**iaf, spike_threshold=2.0),
        nn.Flatten(), nn.Linear(12, 5, bias=False), sl.IAFSqueeze(**iaf, spike_threshold=2.0))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data = parameter.data.abs() if positive else parameter.data * 3
    return model


@pytest.fixture(scope="module")
def frames():
    return (np.random.default_rng(0).random((8, 15, *SHAPE)) < 0.2).astype(np.float32)


def test_a_convolutional_network_of_sinabs_compiles(frames, tmp_path):
    compiled = nmc.compile(sinabs_network(), target="speck2f", sample=frames)
    arrows = {check.arrow: check.figures for check in compiled.checks}
    assert arrows["lower"]["spikes_differing"] == 0
    assert arrows["map"]["spikes_differing"] == arrows["map"]["states_differing"] == 0
    assert arrows["quantize"]["decisions_equal"] >= 0.75
    assert arrows["map"]["spikes"] > 1000
    assert set(BACKEND.emit(compiled.program, tmp_path)) == {"speck.json"}
    written = json.loads((tmp_path / "speck.json").read_text())
    kinds = [layer.get("dimensions", {}).get("kernel_size") for layer in written["cnn_layers"]]
    assert sorted(k for k in kinds if k) == [2, 3, 6]
    assert ["Speck has no time steps" in note for note in compiled.notes].count(True) == 1


def test_layers_share_no_core_and_are_not_cut_by_a_search(frames, tmp_path):
    (tmp_path / "few.toml").write_text('reserve = ["0-6"]')
    compiled = partial(nmc.compile, sinabs_network(), target="speck2f", sample=frames)
    with pytest.raises(NmcError) as error:
        compiled(constraints=tmp_path / "few.toml")
    assert str(error.value) == (
        "network: needs 3 cores, speck2f has 9 (1 chips of 9), of which 2 are free; largest layers: "
        "iafsqueeze_1 1, iafsqueeze_4 1, iafsqueeze_7 1. With --chips 2 it fits.")
    with pytest.raises(NmcError) as error:
        compiled(search=True)
    assert str(error.value) == (
        "speck2f: has cores that differ, which --search takes for alike. Leave out --search.")


def test_the_cores_of_a_program_without_negative_weights_fire_what_its_steps_say(frames):
    compiled = nmc.compile(sinabs_network(positive=True), target="speck2f", sample=frames)
    network = compiled.program.network
    chip = encode.cores(network)
    sent = frames[0].astype(np.int32)
    events, steps = np.argwhere(sent)[:, 1:], np.argwhere(sent)[:, 0]
    found = run_events(chip, events)
    flat = replace(network, projections=tuple(
        replace(p, delay=0) for p in network.projections), populations=tuple(
        replace(p, start=0) for p in network.populations))
    wanted = run(flat, {network.inputs[0].name: sent[None]})
    for index, population in enumerate(network.populations):
        counts = np.zeros((15, *chip.cores[index].out_shape), int)
        mine = found.events[found.events[:, 1] == index]
        np.add.at(counts, (steps[mine[:, 0]], *mine[:, 2:].T), 1)
        spikes = wanted.spikes(population.name)[0]
        np.testing.assert_array_equal(counts.reshape(spikes.shape), spikes)
        assert counts.sum() > 0


def test_a_bias_becomes_the_leak_of_each_feature_and_a_note(frames, tmp_path):
    compiled = nmc.compile(sinabs_network(bias=True), target="speck2f", sample=frames)
    first = encode.cores(compiled.program.network).cores[0]
    assert np.count_nonzero(first.leak) > 0
    assert any("slow clock" in note for note in compiled.notes)
    assert "the leak of iafsqueeze_1" in BACKEND.emit(compiled.program, tmp_path)["speck.json"]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3))
def test_dense_grouped_and_dilated_maps_are_the_same_as_convolutions(seed, height, width, dilation):
    rng = np.random.default_rng(seed)
    source = (4, height, width)
    x = rng.integers(-5, 6, (3, 4 * height * width))
    dense = Dense(weight=rng.integers(-128, 128, (6, x.shape[1])), in_shape=(x.shape[1],),
                  out_shape=(6,))
    maps = [dense]
    if min(height, width) > dilation:
        maps.append(Conv(weight=rng.integers(-128, 128, (6, 2, 2, 2)), in_shape=source, groups=2,
                         dilation=(dilation, dilation), stride=(2, 1), padding=(1, 0)))
    for linear in maps:
        conv = as_convolution(linear, source, "layer")
        assert (conv.groups, conv.dilation) == (1, (1, 1))
        assert conv.weight.shape[2] == conv.weight.shape[3]
        np.testing.assert_array_equal(conv.apply(x), linear.apply(x))


def small(projections=1, **neuron):
    values = {"decay": 1.0, "threshold": 1.0, "v_min": -1.0} | {
        k: v for k, v in neuron.items() if k in ("decay", "threshold", "v_min")}
    model = LIF(**{k: np.asarray(v, np.float32) for k, v in values.items()}, reset=neuron.get(
        "reset", Reset.SUBTRACT), reset_at=neuron.get("reset_at", ResetAt.SPIKE),
        fires_at_threshold=True, spikes_per_step=neuron.get("spikes_per_step", UNBOUNDED))
    link = Projection(source="in", target="a", map=Dense(
        weight=np.ones((3, 4), np.float32), in_shape=(4,), out_shape=(3,)))
    return Network(
        inputs=(Input(name="in", shape=(4,)),), projections=(link,) * projections,
        populations=(Population(name="a", shape=(3,), neuron=model,
                                bias=np.asarray(neuron.get("bias", 0.0), np.float32)),),
        outputs=(Output(name="out", population="a", variable=neuron.get("variable", "spikes")),))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (small(decay=-0.5), "a: a decay of -0.5 is below 0, which does not exist on Speck. Use "
         "Sinabs' IAF or IAFSqueeze."),
        (small(spikes_per_step=1), "a: it fires once a step at most; Speck's neurons fire as often "
         "as events let them. Use Sinabs' default spike_fn=MultiSpike."),
        (small(reset=Reset.NONE), "a: reset 'none' at 'spike' does not exist on Speck, which has "
         "zero and subtract at the spike. Use Sinabs' MembraneReset or MembraneSubtract."),
        (small(projections=2), "a: 2 projections end in it; a core of Speck has one kernel for all "
         "that it receives. Keep one source for each layer."),
        (small(threshold=[1, 2, 1]), "a: its neurons differ in threshold, Speck has one for a "
         "layer. Train with one value for the layer."),
        (small(variable="v"), "a: speck2f sends spikes alone, the model returns a membrane. Return "
         "the spikes of the last layer."),
    ],
)
def test_what_speck_does_not_have_is_refused_by_name(network, message):
    with pytest.raises(NmcError) as error:
        BACKEND.legalize(network, load_target("speck2f"))
    assert str(error.value) == message


def test_layers_that_compete_for_the_large_cores_are_named_with_their_memories():
    needs = {f"conv{i}": Memory(40 * 1024, 1024, 0) for i in range(3)}
    with pytest.raises(NmcError) as error:
        assign(needs)
    assert str(error.value) == (
        "network: 2 of its 3 layers find a core of their own on Speck's 9; words of kernel + "
        "neuron memory: conv0 40,960 + 1,024 (cores 5, 6), conv1 40,960 + 1,024 (cores 5, 6), "
        "conv2 40,960 + 1,024 (cores 5, 6). Make layers smaller that fit few cores.")


def test_a_layer_with_a_large_kernel_and_many_neurons_fits_no_core():
    with pytest.raises(NmcError) as error:
        assign({"conv": Memory(32 * 1024, 64 * 1024, 0)})
    assert str(error.value) == (
        "conv: needs 32,768 words of kernel and 65,536 of neuron memory: no core of Speck has "
        "both. Cores with large kernels have few neurons: shrink either.")
    with pytest.raises(NmcError, match=r"needs 131,072 words of kernel memory of at most 65,536"):
        assign({"conv": Memory(128 * 1024, 64, 0)})

"""SpiNNaker end to end: what compiles runs alike on the cores of its files, and what cannot is named."""

from __future__ import annotations

import weakref
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import scipy.sparse
from helpers import spinnaker_machine
from helpers.edges import at_edges
from helpers.networks import conv, dense, scalar, sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.spinnaker.dynamics import _FOUND, dynamics
from nmcompile_backends.spinnaker.encode import encode, natural_scale, room_of
from nmcompile_backends.spinnaker.rows import matrix_of, row_words

from nmcompile.backend import Layer
from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import (
    Input,
    Network,
    Output,
    Population,
    Projection,
    SynapseFormat,
    WeightWidth,
    run,
    run_aligned,
    verify,
)
from nmcompile.ir.formats import SPLIT
from nmcompile.ir.maps import Conv, Dense, from_matrix
from nmcompile.ir.neurons import LI, LIF, CubaLI, CubaLIF, Reset, ResetAt
from nmcompile.lowering import Legalisation
from nmcompile.mapper import map_network
from nmcompile.pipeline import Options, compile_stage
from nmcompile.registry import backend
from nmcompile.simulator import simulate
from nmcompile.target import load_target

TARGET, BACKEND = load_target("spinnaker1"), backend("spinnaker")
FILES = {"spinnaker.json", "rows.bin", "row_index.bin", "load.json", "sdram.bin", "tables.bin",
         "json_files/placements.json", "json_files/routing_tables.json", "json_files/keys.json",
         "pynn_network.py", "pynn_network.npz"}


def lif(**fields):
    return LIF(**({"decay": scalar(0.9), "threshold": scalar(1)} | fields))


def cuba(**fields):
    return CubaLIF(**({"decay": scalar(0.85), "current_decay": scalar(0.7),
                       "threshold": scalar(1.5)} | fields))


def network(seed=0, hidden=None, first=None, out=None):
    """An image, a convolution, a layer with synaptic currents that feeds itself, an answer, a skip."""
    rng = np.random.default_rng(seed)
    image = conv(rng, (1, 6, 6), 3, stride=(2, 2), padding=(1, 1), gain=2.0)
    bias = rng.normal(0, 0.05, 12).astype(np.float32)
    link = Projection
    return verify(Network(
        inputs=(Input(name="image", shape=(1, 6, 6)),),
        populations=(
            Population(name="conv", shape=image.out_shape, neuron=first or lif(), bias=np.full(
                (3, 1, 1), 0.03, np.float32)),
            Population(name="hidden", shape=(12,), bias=bias, neuron=hidden or cuba(
                decay=rng.uniform(0, 0.97, 12).astype(np.float32), reset_at=ResetAt.INPUT)),
            Population(name="out", shape=(4,), neuron=out or lif(reset_at=ResetAt.LEAK))),
        projections=(
            link(source="image", target="conv", map=image),
            link(source="conv", target="hidden", map=dense(rng, 27, 12, 3.0)),
            link(source="hidden", target="hidden", delay=1, map=dense(rng, 12, 12, 0.6)),
            link(source="hidden", target="out", map=sparse(rng, 12, 4, 0.7)),
            link(source="conv", target="out", delay=5, map=dense(rng, 27, 4, 1.0))),
        outputs=(Output(name="out", population="out"), Output(name="hidden", population="hidden"))))


def inputs(net, seed=1, samples=4, steps=25):
    rng = np.random.default_rng(seed)
    return {port.name: (rng.random((samples, steps, *port.shape)) < 0.4).astype(np.float32)
            for port in net.inputs}


def compiled(net, **legalisation):
    """As `default`, of another network."""
    sample = inputs(net)
    traced = Traced(network=net, inputs=sample, expected=run(net, sample).records)
    return compile_stage(traced, TARGET, options=Options(legalisation=Legalisation(**legalisation)))


@cache
def default():
    """`network` compiled."""
    return compiled(network())


def figures(found):
    return {check.arrow: check.figures for check in found.checks}


@pytest.mark.parametrize("seed", range(2))
def test_the_cores_of_a_compiled_network_compute_what_its_integers_do(tmp_path, seed):
    program = (compiled(network(seed)) if seed else default()).program
    assert set(BACKEND.emit(program, tmp_path)) == FILES
    sent = inputs(program.network, seed + 50)["image"].astype(np.int32)
    wanted, spikes = run_aligned(program.network, program.latency, {"image": sent}), 0
    told, *_ = spinnaker_machine.run(tmp_path, {"image": sent[0].reshape(25, -1)}, 25 + 8)
    for name in ("conv", "hidden", "out"):
        begin = program.latency[name]
        here = told[name][begin : begin + 25]
        assert not told[name][:begin, :, 4].any()
        for column, variable in ((0, "v"), (2, "exc"), (3, "inh"), (4, "spikes")):
            ours = wanted.records[name][variable][0].reshape(25, -1)
            np.testing.assert_array_equal(here[..., column], ours, f"{name} {variable}")
        spikes += int(here[..., 4].sum())
    assert spikes > 100


def test_quantization_keeps_nearly_all_spikes():
    seen = figures(default())["quantize"]
    assert seen["spikes_float"] > 500
    assert abs(seen["spikes_float"] - seen["spikes_integer"]) <= 0.01 * seen["spikes_float"]
    assert seen["decisions_equal"] == 1


@pytest.mark.parametrize(("make", "at"), [
    (lif, ResetAt.INPUT), (lif, ResetAt.UNDELAYED), (cuba, ResetAt.LEAK), (cuba, ResetAt.INPUT)])
def test_wherever_a_reset_to_zero_acts_the_chip_spikes_as_the_model(make, at):
    found = compiled(network(first=make(reset_at=at)))
    assert figures(found)["lower"]["spikes_differing"] == 0
    seen = figures(found)["quantize"]
    assert abs(seen["spikes_float"] - seen["spikes_integer"]) <= 0.01 * seen["spikes_float"]
    lost = at in (ResetAt.INPUT, ResetAt.UNDELAYED)
    assert int(found.program.network.population("conv").neuron.refractory) == int(lost)


@pytest.mark.parametrize(("reset", "at"), [(Reset.NONE, ResetAt.INPUT), (Reset.SUBTRACT, ResetAt.LEAK)])
def test_of_a_membrane_that_keeps_nothing_any_reset_is_one_to_zero(reset, at):
    found = compiled(network(first=lif(decay=scalar(0), reset=reset, reset_at=at)))
    seen = figures(found)
    assert seen["lower"]["spikes_differing"] == 0
    assert abs(seen["quantize"]["spikes_float"] - seen["quantize"]["spikes_integer"]) <= 5


@pytest.mark.parametrize("readout", [LI(decay=scalar(0.9)),
                                     CubaLI(decay=scalar(0.9), current_decay=scalar(0.5))])
def test_a_readout_is_a_neuron_that_never_fires_and_its_membranes_decide(readout):
    net = network(out=readout)
    net = replace(net, outputs=(Output(name="out", population="out", variable="v"),))
    found = compiled(net)
    assert figures(found)["quantize"]["decisions_equal"] == 1
    assert int(found.program.network.population("out").neuron.threshold) == 2**31 - 1


def test_a_synaptic_current_without_decay_has_delta_synapses():
    net = network(hidden=cuba(current_decay=scalar(0)))
    program = compiled(net).program
    assert program.network.population("hidden").neuron.delta
    assert program.network.population("conv").neuron.delta
    assert not default().program.network.population("hidden").neuron.delta


def refused(net):
    with pytest.raises(NmcError) as error:
        BACKEND.legalize(net, TARGET)
    return str(error.value)


@pytest.mark.parametrize(("neuron", "message"), [
    (lif(reset=Reset.SUBTRACT), "conv: reset 'subtract' does not exist on spinnaker1: sPyNNaker's "
     "neurons go to a value when they fire. Train with a reset to zero (in snnTorch "
     "reset_mechanism='zero')."),
    (cuba(reset=Reset.NONE), "conv: reset 'none' does not exist on spinnaker1: sPyNNaker's neurons "
     "go to a value when they fire. Train with a reset to zero (in snnTorch "
     "reset_mechanism='zero')."),
    (lif(decay=scalar(-0.5)), "conv: a decay of -0.5 is below 0, which does not exist on spinnaker1. "
     "Train with decays of 0 to 1."),
    (lif(v_min=scalar(-1)), "conv: a lower bound of the membrane does not exist on spinnaker1. Train "
     "without it (in Sinabs min_v_mem=None)."),
    (lif(spikes_per_step=3, fires_at_threshold=True),
     "conv: several spikes in one step do not exist on spinnaker1. Let the neurons fire once a step "
     "(in Sinabs spike_fn=SingleSpike, in Rockpool max_spikes_per_dt=1)."),
    (lif(threshold=scalar(0), fires_at_threshold=True),
     "conv: a threshold of 0 fires at rest on spinnaker1, in steps ahead of the first input too. "
     "Train with thresholds above 0."),
    (lif(v_init=scalar(2)), "conv: its v starts above its threshold, at 2, as after a spike that "
     "spinnaker1 did not see. Start the model from lower states."),
])
def test_a_neuron_that_spynnaker_has_not_is_refused_by_name(neuron, message):
    assert refused(network(first=neuron)) == message


def test_a_decision_by_a_membrane_that_spikes_clear_is_refused():
    net = replace(network(), outputs=(Output(name="out", population="out", variable="v"),))
    assert refused(net) == ("out: the model decides by its membrane, which is cleared at each spike. "
                            "Return the spikes first, or end the model in an integrator.")


@pytest.mark.parametrize(("fields", "message"), [
    ({"decay": scalar(0.99999)}, "the membrane keeps 0.99999 of itself each step, spinnaker1 keeps "
     "0.999939 at most; the nearest is 0.999939"),
    ({"current_decay": scalar(1)}, "the synaptic current keeps 1 of itself each step, spinnaker1 "
     "keeps 0.998718 at most; the nearest is 0.998718"),
])
def test_a_leak_too_slow_for_the_time_constants_is_told_where_it_matters(fields, message):
    layer = layer_of(cuba(**fields), dense(np.random.default_rng(0), 5, 3))
    found = [f"{m.what}; the nearest is {m.nearest}" for m in BACKEND.misfits(layer, TARGET, 1000)]
    assert found == [message]
    assert not list(BACKEND.misfits(layer, TARGET, 3))


@pytest.mark.parametrize(("fields", "bias", "what"), [
    ({"threshold": scalar(1e12)}, 0.0, "a threshold of 1e+12, spinnaker1 holds "),
    ({"threshold": scalar(1e-12)}, 0.0, "a threshold of 1e-12, spinnaker1 holds "),
    ({}, 1e9, "a bias of 1e+09, spinnaker1 holds "),
])
def test_what_leaves_the_weights_no_scale_is_told_with_the_nearest_value(fields, bias, what):
    layer = layer_of(lif(**fields), dense(np.random.default_rng(0), 5, 3), v=1e12 if bias == 0 else 4.0)
    layer = replace(layer, population=replace(layer.population, bias=scalar(bias)))
    (found,) = BACKEND.misfits(layer, TARGET, 20)
    assert found.what.startswith(what)
    legal = replace(layer, population=found.legal, peaks={"u": 4.0, "v": float(
        found.legal.neuron.threshold)})
    encoded = encode(legal, natural_scale(legal, TARGET), 1.0, TARGET)
    assert np.abs(encoded.projections[0].map.weights()).max() >= 1
    assert 1 <= int(np.min(encoded.population.neuron.threshold)) < 2**31


def test_delays_of_32_steps_compile_and_longer_ones_are_refused():
    def delayed(steps):
        net = network()
        last = replace(net.projections[-1], delay=steps - 2)
        return replace(net, projections=(*net.projections[:-1], last))

    assert max(p.delay for p in compiled(delayed(32)).program.network.projections) == 32
    with pytest.raises(NmcError) as error:
        compiled(delayed(33))
    assert str(error.value).startswith("conv -> out: a delay of 33 steps, spinnaker1 has at most 32;")
    relayed = compiled(delayed(33), relay_delays=True)
    assert figures(relayed)["lower"]["spikes_differing"] == 0
    assert len(relayed.program.network.populations) == 4


def layer_of(neuron, linear, bits=16, **peaks):
    """A layer in real numbers as quantization hands it on."""
    return Layer(
        population=Population(name="n", shape=linear.out_shape, neuron=neuron),
        projections=(Projection(source="in", target="n", map=linear),), units=(1.0,),
        peaks={"u": 4.0, "v": 4.0} | peaks, width=WeightWidth(bits=bits))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([16, 8, 4, 2]), st.floats(-6, 6),
       st.floats(1, 4), st.booleans())
def test_an_encoded_layer_keeps_within_its_words_and_near_its_real_values(
        seed, bits, power, clip, currents):
    rng = np.random.default_rng(seed)
    decay = rng.uniform(0, 0.9999, 7).astype(np.float32)
    threshold = rng.uniform(0.1, 3, 7).astype(np.float32)
    neuron = (cuba(decay=decay, threshold=threshold, current_decay=scalar(rng.uniform(0.01, 0.998)))
              if currents else lif(decay=decay, threshold=threshold))
    linear = dense(rng, 11, 7, float(2.0 ** rng.uniform(-4, 4)))
    layer = layer_of(neuron, linear, bits)
    natural = natural_scale(layer, TARGET)
    found = encode(layer, natural * 2.0**power, clip, TARGET)
    stored, high = found.projections[0].map.weights(), BACKEND.weight_levels(SynapseFormat(bits=bits))[1]
    found.population.neuron.verify("n", (7,))
    assert np.abs(stored).max() <= high
    assert found.current_unit * natural * clip >= 1 - 1e-9
    within = np.abs(linear.weights()) < high * found.current_unit
    assert np.abs(stored * found.current_unit - linear.weights())[within].max(initial=0) <= (
        0.5001 * found.current_unit)
    room = room_of(layer, dynamics(layer.population))
    assert room.values / found.current_unit * 2.0**found.population.neuron.shift_exc <= 2**31
    relative = np.abs(found.population.neuron.threshold * found.unit / threshold - 1)
    assert relative.max() < 1e-3 + 2 * float(np.max(found.unit)) / threshold.min()


def test_no_ring_buffer_overflows_at_the_natural_scale_though_all_sources_fire():
    rng = np.random.default_rng(3)
    layer = layer_of(lif(), dense(rng, 200, 20))
    found = encode(layer, natural_scale(layer, TARGET), 1.0, TARGET)
    weights = found.projections[0].map.weights().reshape(20, 200)
    fullest = max(np.maximum(weights, 0).sum(axis=1).max(), np.maximum(-weights, 0).sum(axis=1).max())
    assert 0.99 * 0xFFFF < fullest <= 0xFFFF + 100


def test_a_neurons_registers_are_found_once_for_each_shape_as_long_as_it_lives():
    neuron = cuba(decay=np.linspace(0.1, 0.9, 3).astype(np.float32))
    layer = Population(name="n", shape=(3,), neuron=neuron)
    found = dynamics(layer)
    assert dynamics(replace(layer, bias=np.ones(3, np.float32))) is found
    assert dynamics(replace(layer, shape=(2, 3))) is not found
    other = dynamics(replace(layer, neuron=replace(neuron, decay=scalar(0.5))))
    assert not np.array_equal(other.keeps, found.keeps)
    known, gone = len(_FOUND), weakref.ref(neuron)
    del layer, neuron
    assert gone() is None
    assert len(_FOUND) == known - 1


@pytest.mark.parametrize("kind", ["dense", "sparse", "conv"])
def test_rows_hold_each_weight_with_its_delay_type_and_neuron(kind):
    rng = np.random.default_rng(5)
    if kind == "conv":
        linear = conv(rng, (2, 4, 4), 3, padding=(1, 1))
    else:
        linear = dense(rng, 9, 40) if kind == "dense" else sparse(rng, 9, 40)
    linear = linear.with_weights(at_edges(rng, -0xFFFF, 0xFFFF, linear.weights().shape))
    neurons = rng.permutation(int(np.prod(linear.out_shape)))[:20]
    matrix = np.rint(linear.apply(np.eye(int(np.prod(linear.in_shape))))).astype(int)[:, neurons]
    words, index = row_words(matrix_of(linear), np.sort(neurons), 3)
    words, found, at = words.astype(np.int64), iter(index.tolist()), 0
    for source, row in enumerate(matrix[:, np.argsort(neurons)]):
        targets = np.flatnonzero(row)
        if not len(targets):
            continue
        assert next(found) == [source, at]
        assert words[at : at + 3].tolist() == [0, len(targets), 0]
        assert words[at + 3 : at + 3 + len(targets)].tolist() == [
            abs(int(row[t])) << 16 | 3 << 6 | int(row[t] < 0) << 5 | int(t) for t in targets]
        at += 3 + len(targets)
    assert at == len(words)
    assert next(found, None) is None


@cache
def small():
    """A program of one layer."""
    rng = np.random.default_rng(0)
    return compiled(Network(
        inputs=(Input(name="in", shape=(5,)),),
        populations=(Population(name="n", shape=(3,), neuron=cuba()),),
        projections=(Projection(source="in", target="n", map=dense(rng, 5, 3, 2.0)),),
        outputs=(Output(name="out", population="n"),))).program


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["dense", "sparse", "conv"]))
def test_the_simulator_splits_weights_by_sign_as_the_reference_does(seed, kind):
    rng, shape = np.random.default_rng(seed), (2, 4, 5) if kind == "conv" else (30,)
    if kind == "conv":
        linear = Conv(weight=at_edges(rng, -0xFFFF, 0xFFFF, (3, 2, 3, 3)).astype(np.int32),
                      in_shape=shape, padding=(1, 1))
    else:
        weight = at_edges(rng, -0xFFFF, 0xFFFF, (20, 30)).astype(np.int32)
        linear = (Dense(weight=weight, in_shape=(30,), out_shape=(20,)) if kind == "dense" else
                  from_matrix(scipy.sparse.csr_array(weight.T * (rng.random((30, 20)) < 0.4)),
                              (30,), (20,)))
    real = small()
    population = replace(real.network.population("n"), shape=linear.out_shape)
    link = replace(real.network.projections[0], map=linear)
    net = verify(replace(real.network, inputs=(replace(real.network.inputs[0], shape=shape),),
                         populations=(population,), projections=(link,)))
    sent = {"in": (rng.random((2, 12, *shape)) < 0.3).astype(np.int32)}
    program, _ = map_network(net, TARGET, BACKEND, np.full(
        sum(node.size for node in net.nodes), 0.1, np.float32))
    wanted = run_aligned(net, program.latency, sent).records["n"]
    found = simulate(program, sent, record=("spikes", "v", "exc", "inh"))
    assert link.format.sign == SPLIT
    for name, values in wanted.items():
        np.testing.assert_array_equal(found.records["n"][name], values)

"""TrueNorth end to end: what compiles runs alike on its cores, and what cannot is named."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import truenorth_machine
from helpers.fanning_truenorth import small_cores
from helpers.networks import conv, dense, scalar
from nmcompile_backends.truenorth.encode import PLACES, weight_levels

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, run_aligned, verify
from nmcompile.ir.neurons import LI, LIF, Reset, ResetAt
from nmcompile.pipeline import Options, compile_stage
from nmcompile.registry import backend
from nmcompile.target import load_target

TARGET = load_target("truenorth")


def fires(**fields):
    return LIF(**({"decay": scalar(1), "threshold": scalar(1), "reset": Reset.SUBTRACT} | fields))


def network(seed=0, **fields):
    """An image, a convolution, a dense layer that also feeds itself, an answer, and a skip."""
    rng = np.random.default_rng(seed)
    first = conv(rng, (1, 6, 6), 3, stride=(2, 2), padding=(1, 1), gain=2.0)
    bias = rng.normal(0, 0.05, 12).astype(np.float32)
    link = Projection
    return verify(Network(
        inputs=(Input(name="image", shape=(1, 6, 6)),),
        populations=(
            Population(name="conv", shape=first.out_shape, neuron=fires(**fields)),
            Population(name="hidden", shape=(12,), bias=bias,
                       neuron=fires(v_min=scalar(-0.7), fires_at_threshold=True)),
            Population(name="out", shape=(4,), neuron=fires(reset=Reset.ZERO))),
        projections=(
            link(source="image", target="conv", map=first),
            link(source="conv", target="hidden", map=dense(rng, 27, 12, 3.0)),
            link(source="hidden", target="hidden", delay=1, map=dense(rng, 12, 12, 0.4)),
            link(source="hidden", target="out", map=dense(rng, 12, 4, 2.0)),
            link(source="conv", target="out", delay=2, map=dense(rng, 27, 4, 1.0))),
        outputs=(Output(name="out", population="out"), Output(name="hidden", population="hidden"))))


def inputs(seed=1, samples=8, steps=25):
    rng = np.random.default_rng(seed)
    return {"image": (rng.random((samples, steps, 1, 6, 6)) < 0.4).astype(np.float32)}


def compiled(net):
    given = inputs()
    return compile_stage(Traced(network=net, inputs=given, expected=run(net, given).records),
                          TARGET)


@pytest.mark.parametrize("seed", range(4))
def test_the_cores_of_a_compiled_network_spike_as_its_integers_do(tmp_path, seed):
    program = compiled(network(seed)).program
    assert backend("truenorth").emit(program, tmp_path) == {
        "cores.json": "neurons, crossbars and targets of every core"}
    sent = {"image": inputs(seed + 50)["image"].astype(np.int32)}
    wanted, spikes = run_aligned(program.network, program.latency, sent), 0
    for sample in range(3):
        given = {"image": sent["image"][sample].reshape(25, -1)}
        heard = truenorth_machine.run(tmp_path, given, {"out": 4, "hidden": 12}, 25 + 5)
        for name in ("hidden", "out"):
            ours = wanted.records[name]["spikes"][sample]
            begin = program.latency[name]
            np.testing.assert_array_equal(heard[name][begin : begin + 25], ours)
            assert not heard[name][:begin].any()
            spikes += int(ours.sum())
    assert spikes > 50


def test_a_layer_that_feeds_two_cores_takes_more_of_its_own(tmp_path):
    program = compiled(network()).program
    slices = program.mapping.slices
    for population, axons_out in (("conv", 64), ("hidden", 64)):
        index = [p.name for p in program.network.populations].index(population)
        sizes = slices.sizes()[slices.population == index]
        reached = sum(len(np.unique(a.slice)) for p, a in zip(
            program.network.projections, program.mapping.axons, strict=True)
            if p.source == population)
        assert (sizes * reached <= axons_out).all()


def test_a_layer_that_feeds_more_lines_than_leave_a_core_gets_splitters_and_says_so():
    given, net = inputs(), network()
    target = small_cores(neurons=1, output_axons=14)
    found = compile_stage(
        Traced(network=net, inputs=given, expected=run(net, given).records), target)
    split = next(check for check in found.checks if check.arrow == "split")
    assert split.text == (
        f"0 of {split.figures['spikes']:,} spikes and 0 states differ with 39 splitter neurons "
        "behind conv, hidden; 1 step more from input to output")
    assert found.checks[-1].arrow == "map"
    assert found.program.network.population("hidden.split").size == 12


def test_a_search_that_would_need_splitters_is_refused():
    given, net = inputs(), network()
    with pytest.raises(NmcError) as error:
        compile_stage(Traced(network=net, inputs=given, expected=run(net, given).records),
                      small_cores(neurons=1, output_axons=8), options=Options(search=True))
    assert str(error.value).endswith("Leave out --search, which puts no splitters behind its neurons.")


def test_four_bits_on_the_four_types_are_the_weight():
    for weight in range(weight_levels(4)[0], weight_levels(4)[1] + 1):
        assert sum(p for axon, p in enumerate(PLACES) if weight >> axon & 1) == weight


def test_thresholds_of_more_than_and_of_at_least_differ_by_one_unit():
    strict, program = [], compiled(network()).program
    for name in ("conv", "hidden", "out"):
        neuron = program.network.population(name).neuron
        strict.append((int(neuron.v_init), int(neuron.reset_value)))
    assert strict == [(-1, -1), (0, 0), (-1, -1)]


@pytest.mark.parametrize("at", [ResetAt.SPIKE, ResetAt.LEAK, ResetAt.INPUT])
def test_a_subtraction_is_the_same_wherever_it_acts(at):
    assert compiled(network(reset_at=at)).checks[1].figures["spikes_differing"] == 0


def refused(net):
    with pytest.raises(NmcError) as error:
        backend("truenorth").legalize(net, TARGET)
    return str(error.value)


def test_a_factor_below_zero_is_refused():
    assert refused(network(decay=scalar(-0.5))) == (
        "conv: a decay of -0.5 is below 0, which does not exist on truenorth. Train "
        "integrate-and-fire neurons (in snnTorch beta=1).")


def test_a_reset_that_loses_an_input_is_refused():
    assert refused(network(reset=Reset.ZERO, reset_at=ResetAt.INPUT)) == (
        "conv: a reset to zero at 'input' loses the input of a step, which truenorth does not. Use "
        "reset_mechanism='subtract'.")


def test_a_membrane_as_the_answer_is_refused():
    net = network()
    out = Population(name="out", shape=(4,), neuron=LI(decay=scalar(1)))
    net = replace(net, populations=(*net.populations[:2], out),
                  outputs=(Output(name="out", population="out", variable="v"),))
    assert refused(net) == (
        "out: its membrane is the answer, which truenorth cannot send. End the model in neurons that "
        "fire, and return their spikes.")


def delayed(steps):
    """`network` with a skip that takes so many steps, two of them for the layers beside it."""
    net = network()
    last = replace(net.projections[-1], delay=steps - 2)
    return replace(net, projections=(*net.projections[:-1], last))


def test_a_delay_of_15_ticks_compiles_and_one_of_16_is_refused():
    assert max(p.delay for p in compiled(delayed(15)).program.network.projections) == 15
    with pytest.raises(NmcError) as error:
        compiled(delayed(16))
    assert str(error.value).startswith("conv -> out: a delay of 16 steps, truenorth has at most 15; "
                                       "the nearest is 15 steps, its spikes would arrive 1 step early.")


def test_more_lines_than_a_core_has_are_refused():
    net, rng = network(), np.random.default_rng(0)
    wide = conv(rng, (1, 6, 6), 9, stride=(2, 2), padding=(1, 1), gain=2.0)
    net = replace(net, populations=(replace(net.populations[0], shape=wide.out_shape),
                                    *net.populations[1:]),
                  projections=(replace(net.projections[0], map=wide),
                               replace(net.projections[1], map=dense(rng, 81, 12)),
                               *net.projections[2:4]))
    with pytest.raises(NmcError) as error:
        compiled(verify(net))
    assert str(error.value) == (
        "hidden: needs 95,232 synapse bits on one core, truenorth has 65,536 (published: "
        "core.synapse_bits). Split the inputs of hidden over 2 layers whose outputs it adds up.")

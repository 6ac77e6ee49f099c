"""Networks for Xylo: what is compiled, what is told, and what is refused by name."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.command import nmc as run_nmc
from helpers.models_xylo import counted_spikes, rockpool_net
from helpers.networks import conv, dense
from nmcompile_backends.xylo.arithmetic import XyloNeuron
from nmcompile_backends.xylo.legalize import input_format, legalize

import nmcompile as nmc
from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, verify
from nmcompile.ir.maps import Dense, Sparse
from nmcompile.ir.neurons import LIF, CubaLI, CubaLIF, Reset, ResetAt
from nmcompile.pipeline import compile_stage
from nmcompile.target import load_target

A2 = load_target("xylo_a2")
CODE = """
from rockpool.nn.combinators import Sequential
from rockpool.parameters import Constant
import rockpool.nn.modules as rp

TAUS = {"tau_mem": Constant(16e-3), "tau_syn": Constant(8e-3), "threshold": Constant(1.0)}

def Net():
    return Sequential(
        rp.LinearTorch((8, 24), has_bias=False), rp.LIFTorch(24, has_rec=True, **TAUS),
        rp.LinearTorch((24, 20), has_bias=False), rp.LIFTorch(20, bias=Constant(0.02), **TAUS),
        rp.LinearTorch((20, 4), has_bias=False),
        rp.LIFTorch(4, bias=Constant(0.013), max_spikes_per_dt=1, **TAUS))
"""


def number(value):
    return np.float32(value).reshape(())


def neuron(**fields):
    return CubaLIF(**{"current_decay": number(0.75), "decay": number(0.875), "threshold": number(1),
                      "reset": Reset.SUBTRACT, "fires_at_threshold": True, "spikes_per_step": 31}
                   | fields)


def last(**fields):
    return neuron(spikes_per_step=1, **fields)


def network(hidden=None, out=None, sizes=(4, 6, 3)):
    """Inputs, a recurrent hidden layer, outputs."""
    rng, (n_in, n, n_out) = np.random.default_rng(0), sizes
    return verify(Network(
        inputs=(Input(name="in", shape=(n_in,)),),
        populations=(Population(name="hidden", shape=(n,), neuron=hidden or neuron()),
                     Population(name="out", shape=(n_out,), neuron=out or last())),
        projections=(Projection(source="in", target="hidden", map=dense(rng, n_in, n, 1.0)),
                     Projection(source="hidden", target="hidden", delay=1,
                                map=dense(rng, n, n, 0.5)),
                     Projection(source="hidden", target="out", map=dense(rng, n, n_out, 1.0))),
        outputs=(Output(name="output", population="out"),)))


def refusal(net, target=A2):
    with pytest.raises(NmcError) as error:
        legalize(net, target)
    return str(error.value)


def compiled(net, target=A2, steps=30, samples=4):
    rng = np.random.default_rng(1)
    sent = {p.name: (rng.random((samples, steps, *p.shape)) < 0.4).astype(np.float32)
            for p in net.inputs}
    return compile_stage(Traced(network=net, inputs=sent, expected=run(net, sent).records), target)


def test_decays_that_are_shifts_compile_with_the_models_spikes_and_without_a_note():
    result = compiled(network())
    figures = {check.arrow: check.figures for check in result.checks}
    assert result.notes == ()
    assert abs(1 - figures["quantize"]["spikes_integer"] / figures["quantize"]["spikes_float"]) < 0.05
    assert figures["quantize"]["spikes_float"] > 100
    assert all(isinstance(p.neuron, XyloNeuron) for p in result.program.network.populations)
    assert [p.neuron.most for p in result.program.network.populations] == [31, 1]
    assert figures["map"]["cores"] == 1


def test_what_xylo_does_in_another_way_is_told():
    cuba = neuron(decay=number(0.9), current_decay=number(0.75), spikes_per_step=1)
    plain = LIF(decay=number(0.875), threshold=number(1), reset=Reset.SUBTRACT)
    assert legalize(network(cuba, plain), A2).notes == (
        "hidden: a membrane decay of 0.9 runs as 0.875 (dash 3)",
        "hidden: Xylo's neurons fire up to 31 times in a step here, the model's up to 1",
        "out: the model has no synaptic current; Xylo's decays by 0.5 a step")


def test_a_readout_of_membranes_keeps_them_below_a_threshold_that_is_out_of_reach():
    out = CubaLI(current_decay=number(0.75), decay=number(0.875))
    net = replace(network(out=out), outputs=(Output(name="output", population="out", variable="v"),))
    result = compiled(net)
    assert result.program.network.population("out").neuron.threshold == 32767
    (quantize,) = (c for c in result.checks if c.arrow == "quantize")
    assert quantize.figures["decisions_equal"] == 1


def test_a_convolution_becomes_a_list_of_synapses():
    rng = np.random.default_rng(0)
    kernel = conv(rng, (1, 1, 12), 2, kernel=(1, 3), gain=2.0)
    net = Network(
        inputs=(Input(name="in", shape=(1, 1, 12)),),
        populations=(Population(name="conv", shape=kernel.out_shape, neuron=neuron()),
                     Population(name="out", shape=(3,), neuron=last())),
        projections=(Projection(source="in", target="conv", map=kernel),
                     Projection(source="conv", target="out", map=dense(rng, 20, 3))),
        outputs=(Output(name="output", population="out"),))
    result = compiled(verify(net))
    maps = [p.map for p in result.program.network.projections]
    assert isinstance(maps[0], Sparse)
    assert isinstance(maps[1], Dense)
    assert len(maps[0].weight) == 3 * 20


@pytest.mark.parametrize(("fields", "message"), [
    ({"reset": Reset.ZERO, "spikes_per_step": 1},
     "hidden: reset 'zero' does not exist on xylo_a2, which has subtract. Train with a reset that "
     "subtracts the threshold."),
    ({"reset_at": ResetAt.INPUT, "spikes_per_step": 1},
     "hidden: a subtraction behind the next leak does not exist on xylo_a2, which subtracts in the "
     "step of the spike. Train with that (in snnTorch reset_delay=False)."),
    ({"v_min": number(-1)},
     "hidden: a lower bound of the membrane does not exist on xylo_a2. Train without it (in Sinabs "
     "min_v_mem=None)."),
    ({"threshold": number(-0.5), "spikes_per_step": 1},
     "hidden: a threshold of -0.5 does not exist on xylo_a2, where thresholds are above 0. "
     "Train with thresholds above 0."),
    ({"v_init": number(0.5)},
     "hidden: its states start from other values than 0, where xylo_a2 begins. Start the model "
     "from 0."),
    ({"current_decay": np.linspace(0.5, 0.9, 6, dtype=np.float32)},
     "hidden: its synaptic decays lie nearest to 0.5 up to 0.875; the one scale of a layer needs "
     "one. Train the layer with 0.875 for all."),
])
def test_a_neuron_that_xylo_does_not_have_is_refused_with_what_it_has(fields, message):
    assert refusal(network(neuron(**fields))) == message


def test_an_integrator_ahead_of_the_outputs_is_refused():
    silent = CubaLI(current_decay=number(0.75), decay=number(0.875))
    net = network()
    link = Projection(source="in", target="idle", map=dense(np.random.default_rng(0), 4, 3))
    net = replace(net, populations=(
        Population(name="idle", shape=(3,), neuron=silent), *net.populations),
        projections=(*net.projections, link))
    assert refusal(net) == ("in -> idle: inputs reach only hidden neurons on Xylo. Put a layer of "
                            "neurons between them.")


@pytest.mark.parametrize(("target", "sizes", "message"), [
    ("xylo_a2", (17, 6, 3), "network: needs 17 input channels, xylo_a2 has 16 (published). Give "
     "it data of fewer channels."),
    ("xylo_a2", (4, 1001, 3), "network: needs 1,001 hidden neurons, xylo_a2 has 1,000 (published). "
     "Make its layers smaller."),
    ("xylo_a2", (4, 6, 9), "network: needs 9 output neurons, xylo_a2 has 8 (published). Make its "
     "layers smaller."),
    ("xylo_a2", (4, 200, 3), "network: needs 40,000 weights between hidden neurons, xylo_a2 has "
     "32,000 (published). Make its layers smaller."),
    ("xylo_a3", (4, 129, 3), "network: needs 129 hidden neurons up to the last that inputs reach, "
     "xylo_a3 has 128 (published). Make its layers smaller."),
])
def test_more_than_a_chip_has_is_refused_with_both_numbers(target, sizes, message):
    assert refusal(network(sizes=sizes), load_target(target)) == message


def test_a_layer_that_is_returned_first_and_feeds_another_is_refused():
    hidden = Output(name="state", population="hidden")
    net = replace(network(), outputs=(hidden, *network().outputs))
    assert refusal(net) == ("hidden: the model returns it first and feeds it onward; Xylo's outputs "
                            "feed nothing. Return the last layer first.")
    legalize(replace(network(), outputs=(*network().outputs, hidden)), A2)


def test_inputs_travel_as_up_to_15_spikes():
    port = Input(name="in", shape=(1,))
    for values, scale in (([0, 1], 1), ([0, 3, 7], 1), ([0, 0.25, 1], 0.25), ([0, 30.0], 30),
                          ([0.123, 1], 1 / 15)):
        found = input_format(port, np.array(values), A2)
        assert (found.payload_bits, found.limit) == (5, 15)
        assert np.isclose(found.scale, scale)
    with pytest.raises(NmcError) as error:
        input_format(port, np.array([-0.5, 1]), A2)
    assert str(error.value) == ("input in: a value of -0.5 cannot be sent: xylo_a2 counts spikes. "
                                "Scale the data to 0 or above.")


@pytest.mark.parametrize("target", ["xylo_a2", "xylo_a3", "xylo_imu"])
def test_a_file_compiles_from_the_command_line_to_rockpools_specification(
    tmp_path, capsys, monkeypatch, target
):
    torch.save(rockpool_net(1, recurrent=True).state_dict(), tmp_path / "model.pt")
    (tmp_path / "net.py").write_text(CODE)
    np.savez(tmp_path / "data.npz", x=counted_spikes(4))
    outcome = run_nmc(
        capsys, monkeypatch, "compile", tmp_path / "model.pt", "--code", f"{tmp_path / 'net.py'}:Net",
        "--sample", tmp_path / "data.npz", "--target", target, "-o", tmp_path / "build")
    assert outcome.code == 0, outcome.err
    spec = json.loads((tmp_path / "build" / "config" / "xylo.json").read_text())
    shapes = {k: np.shape(v) for k, v in spec.items() if k.startswith("weights")}
    whole = target == "xylo_a2"
    assert shapes == {"weights_in": (8, 44 if whole else 24, 1), "weights_rec": (44, 44, 1),
                      "weights_out": (44 if whole else 20, 4)}
    assert 100 <= max(np.abs(spec[k]).max() for k in shapes) <= 128
    assert {len(spec[k]) for k in ("dash_mem", "dash_syn", "threshold", "bias")} == {44}
    assert set(spec["dash_mem"]) == {4}
    assert set(spec["dash_syn"]) == {3}
    outcome = run_nmc(capsys, monkeypatch, "simulate", tmp_path / "build", "--input",
                      tmp_path / "data.npz")
    assert outcome.code == 0, outcome.err


def test_an_snntorch_network_compiles_with_its_prompt_reset():
    snn = pytest.importorskip("snntorch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            options = {"reset_mechanism": "subtract", "reset_delay": False}
            self.fc1, self.fc2 = torch.nn.Linear(8, 20), torch.nn.Linear(20, 4)
            self.lif1 = snn.Synaptic(alpha=0.75, beta=0.875, **options)
            self.lif2 = snn.Synaptic(alpha=0.75, beta=0.875, **options)

        def forward(self, x):
            syn1, mem1 = self.lif1.init_synaptic()
            syn2, mem2 = self.lif2.init_synaptic()
            spikes = []
            for step in range(x.shape[1]):
                spike, syn1, mem1 = self.lif1(self.fc1(x[:, step]), syn1, mem1)
                spike, syn2, mem2 = self.lif2(self.fc2(spike), syn2, mem2)
                spikes.append(spike)
            return torch.stack(spikes, 1)

    torch.manual_seed(0)
    sample = (counted_spikes(4) > 0).astype(np.float32)
    result = nmc.compile(Net(), target="xylo_a2", sample=sample)
    assert {note.split(":")[0] for note in result.notes} == {"lif1", "lif2"}
    assert "lif1: its bias acts at once, the model's through the synaptic current" in result.notes

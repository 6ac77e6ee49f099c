"""How often states leave their registers on the data seen is counted, chip by chip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.loihi_programs import dense, neuron, projection
from helpers.networks import scalar
from nmcompile_backends.loihi.adaptive import LoihiAdaptive
from nmcompile_backends.loihi.relay import LoihiRelay
from nmcompile_backends.loihi.resonator import LoihiResonator
from nmcompile_backends.loihi.sigma_delta import LoihiSigmaDelta
from nmcompile_backends.speck import BACKEND as SPECK
from nmcompile_backends.speck.neuron import SpeckNeuron
from nmcompile_backends.truenorth.arithmetic import TrueNorthNeuron
from nmcompile_backends.xylo.arithmetic import XyloNeuron

from nmcompile.backend import EncodedLayer
from nmcompile.cli._quantize_tables import print_layers
from nmcompile.ir import Input, Network, Output, Population, Projection, run
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import LIF, Reset
from nmcompile.ir.neurons.lif import UNBOUNDED
from nmcompile.passes.legalize import compose
from nmcompile.passes.quantize import Calibration, LayerError, quantize
from nmcompile.passes.quantize.measure import Seen, overflows
from nmcompile.target import load_target

STEPS = 3


def whole(value: object) -> np.ndarray:
    return np.array(value, np.int32)


def counted(model: object, arriving: list[int], current: int | None = None) -> dict[str, int]:
    """Overflows of one neuron of `model` behind one synapse of weight 1 (into `current`)."""
    zero = whole(0)
    layer = Population(name="n", shape=(1,), neuron=model, bias=zero)
    link = replace(projection("in", "n", dense(np.ones((1, 1), np.int16))), current=current)
    sent = np.array(arriving, float).reshape(1, -1, 1)
    return overflows(
        EncodedLayer(population=layer, projections=(link,), unit=1.0, current_unit=1.0),
        Seen(arriving=(sent,), v=np.zeros(sent.shape), fired=np.zeros(sent.shape)))


XYLO = XyloNeuron(dash_syn=whole([1]), dash_mem=whole(4), threshold=whole(1000), bias=whole(0),
                  alias=whole(-1))
TRUENORTH = TrueNorthNeuron(leak=whole(0), threshold=whole(1000), floor=whole(2**18 - 1))
SPECK_NEURON = SpeckNeuron(threshold=whole(1000))
SUM = LoihiSigmaDelta(threshold=whole(64), offset=whole(0), rectified=False, shift=6)
RESONATOR = LoihiResonator(sin_decay=whole(0), cos_decay=whole(4096), threshold=whole(2**23 - 1))
ADAPTIVE = LoihiAdaptive(
    du=whole(0), dv=whole(4095), dtheta=whole(0), dr=whole(0), threshold=whole(4095),
    threshold_step=whole(0), bias_mantissa=whole(0))


@pytest.mark.parametrize(
    ("model", "calm", "loud", "found"),
    [
        (neuron(du=-1, dv=4095, threshold=131071), [9, -9, 9], [100_000, 100_000, -90_000],
         {"u": 2, "v": 0}),
        (neuron(dv=0, threshold=131071), [9, -9, 9], [-100_000, -100_000, 9], {"u": 0, "v": 1}),
        (LoihiRelay(), [9, 32767, -32767], [9, 32768, 2**23 + 1], {"v": 1, "message": 2}),
        (SUM, [9, -9, 9], [100_000, 100_000, -150_000], {"sigma": 1, "v": 1, "message": 3}),
        (ADAPTIVE, [9, -9, 9], [100_000, 100_000, 9], {"u": 1, "v": 0}),
        (replace(ADAPTIVE, dv=whole(0)), [9, -9, 9], [-100_000, 9, 9], {"u": 0, "v": 2}),
        (XYLO, [9, -9, 900], [40_000, 0, 0], {"u": 1, "v": 0, "spikes": 0}),
        (replace(XYLO, threshold=whole(100)), [9, -9, 3000], [32_000, 0, 0],
         {"u": 0, "v": 0, "spikes": 3}),
        (replace(XYLO, most=1), [9, -9, 1900], [8000, 0, 0], {"u": 0, "v": 0, "spikes": 3}),
        (replace(XYLO, dash_syn=whole([15])), [9, -9, 900], [-32_000, 0, 0],
         {"u": 0, "v": 2, "spikes": 0}),
        (TRUENORTH, [9, -9, 9], [2**19 - 1, 2**19, -(2**19)], {"v": 2}),
        (TRUENORTH, [9, -9, 9], [1 - 2**18, -1, 0], {"v": 1}),
        (replace(TRUENORTH, floor=whole(5)), [-9, -9, 9], [-(2**19) - 1, 0, 0], {"v": 1}),
        (SPECK_NEURON, [9, -9, 32_000], [32_768, -33_600, 1], {"v": 2}),
        (replace(SPECK_NEURON, v_min=whole(-5)), [-9, -9, 9], [-32_769, 0, 0], {"v": 1}),
    ],
)
def test_states_that_leave_their_registers_are_counted_by_name(
    model: object, calm: list[int], loud: list[int], found: dict[str, int]
) -> None:
    assert counted(model, loud) == found
    assert counted(model, calm) == dict.fromkeys(found, 0)


@pytest.mark.parametrize(("part", "found"), [(0, {"re": 1, "v": 0}), (1, {"re": 0, "v": 1})])
def test_each_part_of_a_resonator_is_counted(part: int, found: dict[str, int]) -> None:
    assert counted(RESONATOR, [100_000, 50_000, -9], part) == found
    assert counted(RESONATOR, [9, 9, -9], part) == {"re": 0, "v": 0}


def quantized_speck(n_in: int) -> LayerError:
    weight = np.ones((2, n_in), np.float32)
    model = LIF(decay=scalar(1), threshold=scalar(50), reset=Reset.SUBTRACT,
                spikes_per_step=UNBOUNDED, fires_at_threshold=True)
    network = Network(
        inputs=(Input(name="input", shape=(n_in, 1, 1)),),
        populations=(Population(name="a", shape=(2, 1, 1), neuron=model),),
        projections=(Projection(source="input", target="a", map=Dense(
            weight=weight, in_shape=(n_in, 1, 1), out_shape=(2, 1, 1))),),
        outputs=(Output(name="output", population="a"),))
    inputs = {"input": np.ones((1, STEPS, n_in, 1, 1), np.float32)}
    target = load_target("speck2f")
    network = SPECK.legalize(compose(network), target)
    calibration = Calibration(inputs=inputs, trace=run(network, inputs), latency={
        "input": 0, "a": 0})
    return quantize(network, target, SPECK, calibration)[1][0]


def test_a_layer_whose_sums_leave_16_bits_says_so_beside_its_error() -> None:
    assert quantized_speck(200).overflows == {"v": 0}
    loud = quantized_speck(400)
    assert loud.overflows == {"v": 2 * STEPS}


def test_the_table_of_layers_shows_what_overflows(capsys: pytest.CaptureFixture[str]) -> None:
    error = LayerError(population="a", width="8", weights=10, scale=1.0, error=0.5, trials=(),
                       kept="rounded to nearest", overflows={"u": 1200, "v": 0, "spikes": 7})
    print_layers((error,))
    assert "u 1,200, spikes 7" in capsys.readouterr().out

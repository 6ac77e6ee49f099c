"""BrainChip's software backend, given the emitted script, sends what our layers send.

NMC_AKIDA_PYTHON names the interpreter that `tools/oracles/make_env.py akida DIR` made.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.random_akida import as_network, random_layers
from nmcompile_backends.akida.akida_script import write_akida
from nmcompile_backends.akida.arithmetic import (
    HALF,
    INPUT_HALF,
    INPUT_STEP_LIMIT,
    STEP_LIMIT,
    AkidaNeuron,
)
from nmcompile_backends.akida.layer import AkidaLayer, Kind, Pooling

from nmcompile.ir import run

PYTHON = os.environ.get("NMC_AKIDA_PYTHON")
pytestmark = [
    pytest.mark.akida,
    pytest.mark.skipif(PYTHON is None, reason="NMC_AKIDA_PYTHON names no Python with akida"),
]
EVERY = """
import runpy, sys, pathlib, numpy
for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    sys.argv = ["akida_model.py", str(folder / "input.npy"), str(folder / "output.npz")]
    runpy.run_path(str(folder / "akida_model.py"), run_name="__main__")
"""
Case = tuple[tuple[AkidaLayer, ...], np.ndarray]


def sent_by_akida(cases: list[Case], folder: Path) -> list[dict[str, np.ndarray]]:
    """What each layer of each case sends, by its name; one process runs all."""
    for index, (layers, values) in enumerate(cases):
        place = folder / f"{index:04}"
        place.mkdir()
        bits = max(int(values.max()), 1).bit_length()
        write_akida(layers, 4 if bits > 2 else bits, place)
        np.save(place / "input.npy", values)
    subprocess.run([PYTHON, "-c", EVERY, folder], check=True, timeout=300)
    return [dict(np.load(folder / f"{i:04}" / "output.npz")) for i in range(len(cases))]


def require_equal(cases: list[Case], folder: Path) -> set[int]:
    """Every layer of every case sends the same; the values that were sent."""
    levels: set[int] = set()
    for (layers, values), found in zip(cases, sent_by_akida(cases, folder), strict=True):
        wanted = run(as_network(layers), {"in": values[:, None].astype(np.int32)})
        for layer in layers:
            ours = wanted.spikes(layer.name)[:, 0]
            np.testing.assert_array_equal(found[layer.name], ours, err_msg=f"{layer}")
            if layer.neuron.activation:
                levels |= set(np.unique(ours).tolist())
    return levels


@pytest.mark.parametrize("kind", Kind)
def test_forty_random_layers_of_each_kind_send_the_same(tmp_path: Path, kind: Kind) -> None:
    cases = [random_layers(seed, kind, 1) for seed in range(40)]
    assert require_equal(cases, tmp_path) == set(range(16))
    if kind is not Kind.FULLY_CONNECTED:
        assert {layers[0].pooling for layers, _ in cases} == set(Pooling)
        assert {(layers[0].same, layers[0].stride) for layers, _ in cases} == {
            (True, 1), (True, 2), (False, 1), (False, 2)}


@pytest.mark.parametrize("first", [Kind.INPUT_CONVOLUTIONAL, Kind.CONVOLUTIONAL])
def test_random_networks_of_four_layers_send_the_same_from_every_layer(
    tmp_path: Path, first: Kind
) -> None:
    assert require_equal([random_layers(seed, first, 4) for seed in range(12)],
                         tmp_path) == set(range(16))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_steps_in_sixteenths_act_alike_at_each_of_4001_sums(tmp_path: Path, bits: int) -> None:
    n = 4001
    values = np.array([1, 0], np.uint8).reshape(1, 2, 1, 1)
    cases = []
    for act_step in (1, 2, 5, 16, 23, 33, 47, 1601, 4007, STEP_LIMIT):
        model = AkidaNeuron(threshold=np.arange(-n + 52, 52, dtype=np.int32).reshape(n, 1, 1),
                            act_step=np.full((), act_step, np.int32), act_bits=bits, adds=True)
        layer = AkidaLayer(name="step", kind=Kind.FULLY_CONNECTED, in_shape=(2, 1, 1),
                           weight=np.tile(np.array([[1, 0]], np.int8), (n, 1)), weight_bits=4,
                           neuron=model)
        cases.append(((layer,), values))
    assert require_equal(cases, tmp_path) == set(range(2**bits))


@pytest.mark.parametrize("activation", [True, False])
def test_sums_beyond_20_bits_end_where_akidas_end(tmp_path: Path, activation: bool) -> None:
    rng = np.random.default_rng(0)
    fully = AkidaLayer(
        name="fully", kind=Kind.FULLY_CONNECTED, in_shape=(12000, 1, 1), weight_bits=4,
        weight=(rng.integers(4, 8, (8, 12000)) * rng.choice([-1, 1], (8, 1))).astype(np.int8),
        neuron=AkidaNeuron(threshold=np.full((8, 1, 1), -2**18, np.int32),
                           act_step=np.full((), 2**19, np.int32), act_bits=4, adds=True,
                           activation=activation))
    cases = [((fully,), rng.integers(8, 16, (2, 12000, 1, 1)).astype(np.uint8))]
    for seed in range(30):
        pixels = rng.integers(0, 256, (2, 3, 9, 7)) * (rng.random((2, 3, 9, 7)) < 0.5)
        average = AkidaLayer(
            name="average", kind=Kind.INPUT_CONVOLUTIONAL, in_shape=(3, 9, 7), weight_bits=8,
            weight=rng.integers(-128, 128, (4, 3, 3, 3)).clip(-127).astype(np.int8),
            pooling=Pooling.AVERAGE, same=bool(seed % 2),
            neuron=AkidaNeuron(threshold=np.full((4, 1, 1), -2**18, np.int32), adds=True,
                               act_step=np.full((), 2**19, np.int32), act_bits=4,
                               pool=63 if seed % 2 else 35, activation=activation,
                               at_input=True))
        cases.append(((average,), pixels.astype(np.uint8)))
    require_equal(cases, tmp_path)
    beyond = 0
    for (layer,), values in cases[1:]:
        places = layer.linear().apply(values.reshape(2, -1).astype(np.int64))
        running = places.reshape(2, -1, 4).cumsum(axis=1)
        beyond += int((np.abs(running) > 2**19).any(axis=1).sum())
    assert beyond > 40


def test_akida_cuts_a_step_between_two_sixteenths_down(tmp_path: Path) -> None:
    code = """
import akida, numpy
sums = numpy.arange(1, 4000)
for step in (0.078125, 0.3, 1.97, 10.3, 250.49):
    sent = []
    for s in (step, numpy.floor(step * 16) / 16, numpy.ceil(step * 16) / 16):
        model = akida.Model()
        model.add(akida.InputData(input_shape=(1, 1, 2), input_bits=4))
        model.add(akida.FullyConnected(units=len(sums), weights_bits=4, act_bits=4))
        layer = model.layers[1]
        layer.set_variable("weights", numpy.ones((1, 1, 2, len(sums)), numpy.int8))
        layer.set_variable("threshold", (1 - sums).astype(numpy.int32))
        layer.set_variable("act_step", numpy.full(len(sums), s, numpy.float32))
        sent.append(model.forward(numpy.array([[[[1, 0]]]], numpy.uint8)))
    print(int((sent[0] == sent[1]).all()), int((sent[0] == sent[2]).all()))
"""
    result = subprocess.run([PYTHON, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.split() == ["1", "0"] * 5


REGISTERS = """
import akida, numpy
def maps(first, threshold, step):
    model = akida.Model()
    if first:
        model.add(akida.InputConvolutional(input_shape=(16, 16, 3), kernel_size=(3, 3), filters=3,
                                           weights_bits=8, act_bits=4))
    else:
        model.add(akida.InputData(input_shape=(1, 1, 2), input_bits=4))
        model.add(akida.FullyConnected(units=3, weights_bits=4, act_bits=4))
    layer = model.layers[-1]
    layer.set_variable("weights", numpy.ones_like(layer.get_variable("weights")))
    layer.set_variable("threshold", numpy.full(3, threshold, numpy.int32))
    layer.set_variable("act_step", numpy.full(3, step, numpy.float32))
    try:
        model.map(akida.AKD1000(), hw_only=True)
    except RuntimeError as error:
        return 0
    return 1
for first, half, steps in ((False, HALF, STEPS), (True, INPUT_HALF, INPUT_STEPS)):
    print(*(maps(first, threshold, 1) for threshold in (-half - 1, -half, half - 1, half)))
    print(maps(first, 0, steps / 16), maps(first, 0, (steps + 1) / 16))
"""


def test_the_registers_end_where_akidas_mapping_says() -> None:
    known = f"HALF, STEPS, INPUT_HALF, INPUT_STEPS = {HALF, STEP_LIMIT, INPUT_HALF, INPUT_STEP_LIMIT}"
    result = subprocess.run([PYTHON, "-c", known + REGISTERS], check=True, capture_output=True,
                            text=True)
    assert result.stdout.splitlines() == ["0 1 1 0", "1 0"] * 2


WITH_REFUSALS = EVERY.replace("    runpy", "    try: runpy") + """
    except (RuntimeError, ValueError) as error:
        (folder / "refused.txt").write_text(str(error))
"""


def altered(arrays: dict[str, np.ndarray], kind: str, rng: np.random.Generator) -> None:
    """Turn one bit of a variable of the `kind`: of weights one above the lowest, of thresholds and
    steps (in sixteenths) one that is near the size of a step.
    """
    (name,) = [name for name in arrays if name.endswith(f"/{kind}")]
    (steps,) = [values for name, values in arrays.items() if name.endswith("/act_step")]
    values = arrays[name] = arrays[name].copy()
    entry = np.unravel_index(int(rng.integers(values.size)), values.shape)
    near = 1 << max(int(np.log2(steps.max())), 0)
    if kind == "act_step":
        values[entry] = ((int(values[entry] * 16)) ^ near * 8) / 16
    else:
        values[entry] ^= 2 if kind == "weights" else near


def test_one_altered_bit_of_the_arrays_sends_other_values_or_is_refused(tmp_path: Path) -> None:
    rng, kinds, folders = np.random.default_rng(0), [], []
    for seed in range(10):
        layers, values = random_layers(seed, Kind.CONVOLUTIONAL, 1)
        layers = (replace(layers[0], neuron=replace(layers[0].neuron, activation=True)),)
        for kind in ("whole", "weights", "threshold", "act_step"):
            folders.append(tmp_path / f"{seed:04}-{kind}")
            kinds.append(kind)
            folders[-1].mkdir()
            bits = max(int(values.max()), 1).bit_length()
            write_akida(layers, 4 if bits > 2 else bits, folders[-1])
            np.save(folders[-1] / "input.npy", values)
            if kind != "whole":
                arrays = dict(np.load(folders[-1] / "akida_layers.npz"))
                altered(arrays, kind, rng)
                np.savez(folders[-1] / "akida_layers.npz", **arrays)
    subprocess.run([PYTHON, "-c", WITH_REFUSALS, tmp_path], check=True, timeout=300)
    seen = []
    for folder, kind in zip(folders, kinds, strict=True):
        whole = dict(np.load(folder.with_name(f"{folder.name[:4]}-whole") / "output.npz"))
        found = {} if (folder / "refused.txt").exists() else dict(np.load(folder / "output.npz"))
        if not found or any(not np.array_equal(found[name], whole[name]) for name in whole):
            seen.append(kind)
    assert set(seen) == {"weights", "threshold", "act_step"}
    assert len(seen) > 15  # sends of one bit hide most changes

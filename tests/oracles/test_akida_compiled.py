"""What `nmc compile` writes for AKD1000: akida's software backend sends what we simulate, and
akida maps it onto its virtual AKD1000.

NMC_AKIDA_PYTHON names the interpreter that `tools/oracles/make_env.py akida DIR` made.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import brevitas.nn
import numpy as np
import pytest
import torch
from helpers.accepted import MAPS_TAKEN, TAKEN, taken
from helpers.akida_models import MODELS, SHAPE, SHAPES, made, pictures
from nmcompile_backends.akida import limits
from nmcompile_backends.akida.arithmetic import AkidaNeuron
from nmcompile_backends.akida.emit import layers_of
from nmcompile_backends.akida.layer import AkidaLayer, Kind
from nmcompile_backends.akida.processors import processors
from torch import nn

import nmcompile as nmc
from nmcompile.api import Asked, DataFile
from nmcompile.errors import NmcError
from nmcompile.ir import Network, run_aligned, scores
from nmcompile.passes.quantize import payloads
from nmcompile.registry import backend
from nmcompile.stages import Compiled

PYTHON = os.environ.get("NMC_AKIDA_PYTHON")
pytestmark = [
    pytest.mark.akida,
    pytest.mark.skipif(PYTHON is None, reason="NMC_AKIDA_PYTHON names no Python with akida"),
]
RUN_AND_MAP = """
import akida, json, pathlib, runpy, sys
import numpy
for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    script = runpy.run_path(str(folder / "akida_model.py"))
    values = numpy.load(folder / "input.npy")
    told = {}
    try:
        numpy.savez(folder / "output.npz", **script["run"](folder, values))
    except (RuntimeError, ValueError) as error:
        told["refused"] = str(error)
    for name, mode in (("spread", akida.MapMode.AllNps), ("least", akida.MapMode.Minimal)):
        if "refused" in told:
            break
        model = script["build"](folder)
        model.map(akida.AKD1000(), hw_only=True, mode=mode)
        told[name] = {layer.name: len(layer.mapping.nps) for sequence in model.sequences
                      for part in sequence.passes for layer in part.layers if layer.mapping}
    (folder / "told.json").write_text(json.dumps(told))
"""
NAMES = (*(kind.__name__ for kind in MODELS), "two bits", "trained",
         *sorted(TAKEN["akd1000"] | MAPS_TAKEN["akd1000"]))
Found = tuple[dict[str, np.ndarray], dict[str, dict[str, int]]]


class Trained(nn.Module):
    """Weights and activations of four bits, with Brevitas."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = brevitas.nn.QuantConv2d(1, 6, 3, padding=1, weight_bit_width=4)
        self.act1 = brevitas.nn.QuantReLU(bit_width=4)
        self.conv2 = brevitas.nn.QuantConv2d(6, 8, 3, padding=1, weight_bit_width=4)
        self.act2, self.pool = brevitas.nn.QuantReLU(bit_width=2), nn.MaxPool2d(2)
        self.conv3 = brevitas.nn.QuantConv2d(8, 8, 3, padding=1, weight_bit_width=2)
        self.act3 = brevitas.nn.QuantReLU(bit_width=4)
        self.fc = brevitas.nn.QuantLinear(8 * 6 * 5, 4, bias=True, weight_bit_width=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.act2(self.conv2(self.act1(self.conv1(x)))))
        return self.fc(self.act3(self.conv3(x)).flatten(1))


def trained() -> nn.Module:
    torch.manual_seed(0)
    model = Trained()
    model.train()
    with torch.no_grad():  # scales of activations are found on data
        model(torch.from_numpy(pictures(64)))
    return model.eval()


@cache
def compiled() -> dict[str, Compiled]:
    """Every kind of layer; what Akida takes of all that is tried on all chips; Brevitas' layers."""
    found = {kind.__name__: nmc.compile(made(kind), target="akd1000",
                                        sample=pictures(40, shape=SHAPES.get(kind, SHAPE)))
             for kind in MODELS}
    found["two bits"] = nmc.compile(made(MODELS[0]), target="akd1000", sample=pictures(40),
                                    bits="2")
    found["trained"] = nmc.compile(trained(), target="akd1000", sample=pictures(40))
    return found | taken("akd1000")


def given(net: Network, seed: int = 5) -> np.ndarray:
    """Samples for `net` in its integers, (samples, *shape)."""
    (port,) = net.inputs
    values = pictures(20, seed, port.shape) * port.format.scale * port.format.limit
    return payloads(port, values[:, None])[:, 0]


def emitted(made: Compiled, folder: Path) -> Path:
    folder.mkdir(parents=True)
    backend("akida").emit(made.program, folder)
    net = made.program.network
    values = given(net).reshape(-1, *layers_of(net)[0].in_shape)
    np.save(folder / "input.npy", values.astype(np.uint8))
    return folder


def run_by_akida(folder: Path) -> dict[str, Found]:
    """What each layer of each network in `folder` sends, and its processors."""
    subprocess.run([PYTHON, "-c", RUN_AND_MAP, folder], check=True, timeout=300)
    return {place.name: (dict(np.load(place / "output.npz")) if (place / "output.npz").exists()
                         else {}, json.loads((place / "told.json").read_text()))
            for place in folder.iterdir()}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    folder = tmp_path_factory.mktemp("akida")
    assert set(compiled()) == set(NAMES)
    for name, made_ in compiled().items():
        emitted(made_, folder / name)
    return run_by_akida(folder)


def ours(made: Compiled) -> dict[str, np.ndarray]:
    """What each population sends; of the last, what is read."""
    net = made.program.network
    trace = run_aligned(net, made.program.latency, {net.inputs[0].name: given(net)[:, None]})
    return {p.name: trace.records[p.name]["spikes" if p.neuron.sends else "v"][:, 0]
            for p in net.populations}


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_sends_what_akidas_software_backend_sends(
    theirs: dict[str, Found], name: str
) -> None:
    wanted, (found, told) = ours(compiled()[name]), theirs[name]
    assert "refused" not in told
    same = {key for key in found if key in wanted}
    assert compiled()[name].program.network.populations[-1].name in same
    assert all(key.endswith(".identity") for key in set(found) - same)
    for key in same:
        np.testing.assert_array_equal(found[key].reshape(wanted[key].shape), wanted[key], key)
    assert all(np.ptp(found[key]) > 0 for key in same)


@pytest.mark.parametrize("name", NAMES)
def test_akida_maps_all_layers_onto_akd1000_on_as_few_processors_as_we_count_or_fewer(
    theirs: dict[str, Found], name: str
) -> None:
    made_, (found, told) = compiled()[name], theirs[name]
    assert set(told["least"]) == set(told["spread"]) == set(found)
    slices = made_.program.mapping.slices
    pooling = len(made_.program.network.populations) - len(
        [key for key in found if not key.endswith(".identity")])
    assert sum(told["least"][key] for key in found if not key.endswith(".identity")) + pooling == (
        len(np.unique(slices.core)))


AT_LIMITS = """
import akida, json, sys
import numpy
def maps(layers):
    model = akida.Model()
    try:
        for kind, arguments in layers:
            enums = {"padding": akida.Padding, "pool_type": akida.PoolType}
            model.add(getattr(akida, kind)(**{
                name: getattr(enums[name], value) if name in enums else value
                for name, value in arguments.items()}))
        for layer in model.layers:
            for name in layer.get_variable_names():
                if name.startswith("weights"):
                    layer.set_variable(name, numpy.ones_like(layer.get_variable(name)))
        model.map(akida.AKD1000(), hw_only=True)
    except (RuntimeError, ValueError):
        return False
    return True
print(json.dumps([maps(layers) for layers in json.load(sys.stdin)]))
"""
COUNTED = """
import akida, json, sys
def count(layers):
    model = akida.Model()
    for kind, arguments in layers:
        enums = {"padding": akida.Padding, "pool_type": akida.PoolType}
        model.add(getattr(akida, kind)(**{
            name: getattr(enums[name], value) if name in enums else value
            for name, value in arguments.items()}))
    for layer in model.layers:
        for name in layer.get_variable_names():
            if name.startswith("weights"):
                values = layer.get_variable(name)
                values[:] = 1
                layer.set_variable(name, values)
    try:
        model.map(akida.AKD1000(), hw_only=True, mode=akida.MapMode.Minimal)
    except RuntimeError:
        return None
    return len(model.layers[-1].mapping.nps)
print(json.dumps([count(layers) for layers in json.load(sys.stdin)]))
"""
Layers = list[tuple[str, dict[str, Any]]]


def convolution(
    kind: str = "Convolutional", size: int = 3, filters: int = 4, bits: int = 4, stride: int = 1,
    **more: Any
) -> tuple[str, dict[str, Any]]:
    return kind, {"kernel_size": [size] * 2, "filters": filters, "weights_bits": bits,
                  "kernel_stride": [stride] * 2, "act_bits": 4, "pool_type": "NoPooling", **more}


def behind(
    channels: int, *layers: tuple[str, dict[str, Any]], columns: int = 8, rows: int = 8
) -> Layers:
    return [("InputData", {"input_shape": [columns, rows, channels], "input_bits": 4}), *layers]


def picture(
    size: int, channels: int = 1, filters: int = 4, rows: int = 16, stride: int = 1, **more: Any
) -> Layers:
    return [convolution("InputConvolutional", size, filters, 8, stride,
                        input_shape=[16, rows, channels], **more)]


def fully(units: int = 4) -> tuple[str, dict[str, Any]]:
    return "FullyConnected", {"units": units, "weights_bits": 4, "act_bits": 4}


def test_every_limit_is_the_last_that_akida_maps() -> None:
    pooled: dict[str, Any] = {
        "pool_type": "Max", "pool_size": [2, 2], "pool_stride": [2, 2]}
    averaged: dict[str, Any] = {"pool_type": "Average"}
    cases: list[tuple[bool, Layers]] = []

    def last(most: int, made: Callable[[int], Layers]) -> None:
        cases.extend([(True, made(most)), (False, made(most + 1))])

    for (size, channels), filters in limits.INPUT_FILTERS.items():
        last(filters, lambda n, s=size, c=channels: picture(s, c, n))
    for (size, bits), channels in limits.CHANNELS.items():
        last(channels, lambda n, s=size, b=bits: behind(n, convolution(size=s, bits=b)))
    for (size, bits), channels in limits.SEPARABLE_CHANNELS.items():
        last(channels, lambda n, s=size, b=bits: behind(n, convolution(
            "SeparableConvolutional", s, 512, b)))
    last(limits.FILTERS, lambda n: behind(4, convolution(filters=n)))
    last(limits.INPUT_ROWS, lambda n: picture(3, rows=n))
    last(limits.AVERAGE_INPUT_COLUMNS, lambda n: behind(4, convolution(**averaged), columns=n))
    last(limits.FULLY_CONNECTED, lambda n: behind(4, *[fully()] * n))
    last(limits.FEATURES, lambda n: [
        ("InputData", {"input_shape": [1, 1, n], "input_bits": 4}), fully()])
    cases += [(size in (3, 5, 7), picture(size)) for size in (1, 3, 5, 7, 9)]
    cases += [((size, stride) in limits.INPUT_WAYS, picture(size, stride=stride))
              for size in (3, 5, 7) for stride in (1, 2, 3, 4)]
    cases += [((size, stride) in limits.WAYS, behind(4, convolution(size=size, stride=stride)))
              for size in (1, 3, 5, 7) for stride in (1, 2, 3)]
    cases += [(rows >= limits.INPUT_LEAST, picture(3, rows=rows)) for rows in (4, 5)]
    cases += [(rows >= size + stride, picture(size, rows=rows, stride=stride, padding="Valid"))
              for size in (5, 7) for stride in (1, 2, 3)
              for rows in (size + stride - 1, size + stride)]
    cases += [(rows >= limits.AVERAGED_ROWS,
               behind(4, convolution(**averaged), rows=rows)) for rows in (2, 3)]
    cases += [(True, behind(4, convolution(**pooled), convolution())),
              (False, behind(4, convolution(**pooled), fully())),
              (False, behind(4, convolution(**pooled)))]
    done = subprocess.run([PYTHON, "-c", AT_LIMITS], check=True, timeout=300, text=True,
                          capture_output=True, input=json.dumps([layers for _, layers in cases]))
    found = json.loads(done.stdout.splitlines()[-1])
    assert [(layers, maps) for (_, layers), maps in zip(cases, found, strict=True)] == [
        (layers, wanted) for wanted, layers in cases]


def counted(
    kind: Kind, size: int, bits: int, channels: int, filters: int, rows: int, columns: int
) -> AkidaLayer:
    separable = kind is Kind.SEPARABLE
    shape = (channels, 1) if separable else (filters, channels)
    return AkidaLayer(
        name="layer", kind=kind, in_shape=(channels, rows, columns),
        weight=np.ones((*shape, size, size), np.int8), weight_bits=bits,
        pointwise=np.ones((filters, channels), np.int8) if separable else None,
        neuron=AkidaNeuron(threshold=np.zeros((), np.int32), act_step=np.ones((), np.int32),
                           act_bits=4))


@pytest.mark.slow
def test_akida_takes_as_many_processors_as_we_count_or_somewhat_fewer_where_it_splits() -> None:
    rng = np.random.default_rng(0)
    cases = list[tuple[AkidaLayer, bool, Layers]]()
    while len(cases) < 300:
        kind = Kind.CONVOLUTIONAL if rng.random() < 0.7 else Kind.SEPARABLE
        size, bits = int(rng.choice([1, 3, 5, 7])), int(rng.choice([2, 4]))
        channels, filters = int(rng.integers(4, 400)), int(rng.integers(1, 600))
        small = bool(rng.random() < 0.5)
        rows, columns = (int(n) for n in rng.integers(6, 17 if small else 130, 2))
        most = limits.CHANNELS[size, bits]
        if channels > most or (kind is Kind.SEPARABLE and size == 1):
            continue
        cases.append((counted(kind, size, bits, channels, filters, rows, columns), small, behind(
            channels, convolution(kind.value, size, filters, bits), columns=columns, rows=rows)))
    done = subprocess.run([PYTHON, "-c", COUNTED], check=True, timeout=300, text=True,
                          capture_output=True, input=json.dumps([case[2] for case in cases]))
    found = json.loads(done.stdout.splitlines()[-1])
    ours_ = [processors(layer) for layer, _, _ in cases]
    exact = [kind is Kind.CONVOLUTIONAL and small
             for kind, small in ((layer.kind, small) for layer, small, _ in cases)]
    for (layer, _, _), mine, theirs_, same in zip(cases, ours_, found, exact, strict=True):
        about = (layer.kind, layer.in_shape, layer.weight.shape, layer.weight_bits)
        if theirs_ is None:
            assert mine > 78, about
        else:
            assert theirs_ == mine if same else theirs_ <= mine <= 1.6 * theirs_, (
                about, mine, theirs_)
    assert sum(count is not None for count in found) > 150


def test_a_maximum_ahead_of_a_fully_connected_layer_goes_through_an_identity(
    theirs: dict[str, Found]
) -> None:
    found, _ = theirs["Strided"]
    np.testing.assert_array_equal(found["pool_3.identity"], found["pool_3"])


def test_integers_and_levels_that_were_trained_are_kept() -> None:
    made_ = compiled()["trained"]
    assert [error.kept.startswith("as trained") for error in made_.layer_errors] == [
        error.population != "pool_3" for error in made_.layer_errors]
    bits = {p.name: p.neuron.act_bits for p in made_.program.network.populations
            if p.neuron.activation}
    assert sorted(bits.values()) == [2, 4, 4]
    assert dict((check.arrow, check.text) for check in made_.checks)["levels"] == (
        "100.00 % of 40 decisions equal with activations of 4 bits in 0 layers, 3 as trained")


def test_the_simulated_accuracy_is_akidas(tmp_path: Path, theirs: dict[str, Found]) -> None:
    made_ = compiled()["Pooled"]
    net = made_.program.network
    sent = given(net)
    sums = theirs["Pooled"][0]["fc"].reshape(len(sent), -1) + np.array(net.outputs[0].offset)
    labels = sums.argmax(axis=1)
    labels[: len(labels) // 4] = (labels[: len(labels) // 4] + 1) % 4  # a quarter of them wrong
    build = nmc.write_build(made_, tmp_path / "build", {})
    data = DataFile(x=(sent * net.inputs[0].format.scale).astype(np.float32), y=labels)
    assert nmc.simulate(build, data).figures["accuracy"] == 0.75


@pytest.mark.parametrize("kind", ["weights", "threshold", "act_step"])
def test_one_altered_bit_of_the_arrays_sends_other_values_or_is_refused(
    tmp_path: Path, theirs: dict[str, Found], kind: str
) -> None:
    whole = theirs["Pooled"][0]
    layers = ("pool_3", "relu_2", "fc") if kind == "weights" else ("pool_3", "relu_2")
    for layer in layers:
        folder = emitted(compiled()["Pooled"], tmp_path / layer)
        arrays = dict(np.load(folder / "akida_layers.npz"))
        values, steps = (arrays[f"{layer}/{name}"] for name in (kind, "act_step"))
        filter_ = int(whole[layer].std(axis=(0, 2, 3)).argmax())
        largest = 1 << max(int(np.log2(steps[filter_])), 0)  # the bit that is worth about a step
        if kind == "weights":
            values[(0, 0, 0, filter_)] ^= 2
        elif kind == "threshold":
            values[filter_] ^= largest
        else:
            values[filter_] = ((int(values[filter_] * 16)) ^ 16 * largest) / 16
        np.savez(folder / "akida_layers.npz", **arrays)
    for layer, (found, told) in run_by_akida(tmp_path).items():
        assert "refused" in told or any(not np.array_equal(found[key], whole[key])
                                        for key in whole), layer


def test_scores_are_akidas_sums_and_the_offset_in_units_of_the_model() -> None:
    made_ = compiled()["Dense"]
    net = made_.program.network
    sent = given(net)
    trace = run_aligned(net, made_.program.latency, {net.inputs[0].name: sent[:, None]})
    model = made(MODELS[3])
    with torch.no_grad():
        real = model(torch.from_numpy((sent * net.inputs[0].format.scale).astype(np.float32)))
    ours_ = scores(net.outputs[0], trace)
    unit = float((real.numpy() * ours_).sum() / np.square(ours_).sum())
    assert np.sqrt(np.square(unit * ours_ - real.numpy()).mean()) < 0.1 * float(real.std())


def test_the_device_akida_software_tells_what_was_compiled(tmp_path: Path) -> None:
    build = nmc.write_build(compiled()["Pooled"], tmp_path / "build", {})
    told = nmc.validate(build, DataFile(x=pictures(6), y=None), "akida_software",
                        asked=Asked(batch=3))
    assert told["divergence"] is None
    rows = {row["name"]: row for row in told["populations"]}
    assert set(rows) == {"pool_3", "relu_2", "relu_3", "fc"}
    assert rows["relu_3"]["spikes_device"] == rows["relu_3"]["spikes_reference"] > 100
    assert rows["fc"]["states"]["v"]["differing"] == 0
    assert told["latency_s"] is told["energy_j"] is None


def test_a_weight_that_differs_on_the_device_is_found_and_named(tmp_path: Path) -> None:
    build = nmc.write_build(compiled()["Pooled"], tmp_path / "build", {})
    path = build.folder / "config" / "akida_layers.npz"
    arrays = dict(np.load(path))
    weights = arrays["fc/weights"]
    sent = nmc.simulate(build, DataFile(x=pictures(1), y=None), record=("relu_3:spikes",)).run.records
    source = int(np.flatnonzero(sent["relu_3"]["spikes"].reshape(-1))[0])
    changed = -1 if weights[0, 0, source, 2] > 0 else 1
    weights[0, 0, source, 2] += changed
    np.savez(path, **arrays)
    told = nmc.validate(build, DataFile(x=pictures(4), y=None), "akida_software")
    first = told["divergence"]
    assert (first["population"], first["neuron"], first["variable"]) == ("fc", 2, "v")
    assert first["explanations"][0]["rule"] == "weight"


def test_the_device_akida_refuses_where_no_chip_is(tmp_path: Path) -> None:
    build = nmc.write_build(compiled()["Dense"], tmp_path / "build", {})
    with pytest.raises(NmcError) as error:
        nmc.validate(build, DataFile(x=pictures(4), y=None), "akida")
    assert str(error.value) == ("--device akida: there is no AKD1000 on this machine. akida's "
                                "software backend is the device akida_software.")

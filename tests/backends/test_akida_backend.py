"""Akida's backend: what is refused by name, which layers are found, and what is not known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.akida_models import Dense, Pooled, made, normed, pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.akida import limits
from nmcompile_backends.akida.akida_device import AkidaSoftware
from nmcompile_backends.akida.akida_script import write_akida
from nmcompile_backends.akida.emit import layers_of
from nmcompile_backends.akida.geometry import geometry, spread
from nmcompile_backends.akida.layer import convolution
from torch import nn

import nmcompile as nmc
from nmcompile.errors import NmcError
from nmcompile.frontends.data_file import DataFile
from nmcompile.ir.maps import Conv
from nmcompile.stages import Compiled
from nmcompile.target import installed, load_target, parse_target


class Layers(nn.Module):
    """Modules one after the other, and what goes wrong with them in `forward`."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*modules)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4 * 64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv1(x))
        return self.fc(torch.relu(x + self.conv2(x)).flatten(1))


class Normalised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4 * 64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.conv((x - 0.3) / 0.2)).flatten(1))


def conv(c_in: int, c_out: int, size: int = 3, **options: object) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, size, **({"padding": size // 2} | options))  # type: ignore[arg-type]


def relu(*modules: nn.Module) -> tuple[nn.Module, ...]:
    return (*modules, nn.ReLU())


def end(features: int) -> tuple[nn.Module, ...]:
    return nn.Flatten(), nn.Linear(features, 3)


def zero(module: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(module.weight)
    return module


FIRST = relu(conv(1, 4))
# model -> the layer that is named, and a part of what is said
REFUSED: dict[str, tuple[nn.Module, str, str]] = {
    "residual": (Residual(), "relu_2", "adds what several layers send"),
    "kernel of 4": (Layers(*FIRST, *relu(conv(4, 4, 4)), *end(4 * 81)), "relu_3", "kernel of 4 x 4"),
    "no padding": (Layers(*FIRST, *relu(conv(4, 4, padding=0)), *end(4 * 36)), "relu_3",
                   "stride 1 and padding 0"),
    "torch's padding with a stride": (
        Layers(*FIRST, *relu(conv(4, 4, stride=2)), *end(4 * 16)), "relu_3",
        "ZeroPad2d((0, 1, 0, 1))"),
    "a stride of 3": (Layers(*FIRST, *relu(conv(4, 4, stride=3)), *end(4 * 9)), "relu_3", "stride 3"),
    "a window of 3": (Layers(*FIRST, nn.MaxPool2d(3, 2, 1), *relu(conv(4, 4)), *end(4 * 16)),
                      "maxpool2d_2_5", "windows are 2 x 2"),
    "two maxima in a row": (Layers(*FIRST, nn.MaxPool2d(2), nn.MaxPool2d(2), *end(16)), "maxpool2d_3_3",
                            "it pools what no convolution of its own gives"),
    "a maximum at the end": (Layers(*FIRST, nn.MaxPool2d(2)), "maxpool2d_2_3", "the end of the network"),
    "values below 0": (Layers(conv(1, 4), nn.Hardtanh(), *end(256)), "hardtanh_1", "below 0"),
    "a constant ahead of padding": (Normalised(), "relu", "differs from place to place"),
    "filters of the input layer": (Layers(*relu(conv(1, 97, 7)), *end(97 * 64)), "relu_1",
                                   "97 filters of 7 x 7 in the input layer"),
    "channels": (Layers(*relu(conv(1, 450)), *relu(conv(450, 3)), *end(3 * 64)), "relu_3",
                 "450 input channels of a kernel of 3 x 3 with weights of 4 bits"),
    "a narrow average": (
        Layers(*FIRST, nn.MaxPool2d(2), *relu(conv(4, 4)), nn.MaxPool2d(2), conv(4, 4),
               nn.AdaptiveAvgPool2d(1), nn.ReLU(), *end(4)), "relu_8", "averages 2 rows"),
    "part of a window without padding": (
        Layers(*relu(conv(1, 4, stride=2, padding=0)), nn.MaxPool2d(2, ceil_mode=True),
               *relu(conv(4, 4)), *end(16)), "maxpool2d_2_3",
        "takes in part of a window at the edge of 3 x 3 places"),
    "a row left out with padding": (
        Layers(*relu(conv(1, 4, stride=3)), nn.MaxPool2d(2), *relu(conv(4, 4)), *end(4)),
        "maxpool2d_2_3", "leaves out a row or column of 3 x 3 places"),
    "another activation": (
        Layers(*FIRST, conv(4, 4), nn.LeakyReLU(0.1), *end(256)), "linear_5",
        "the activation or pooling between layers.relu_1 and it is none that Akida v1 has"),
    "pooling of the input": (
        Layers(nn.MaxPool2d(2), *FIRST, *end(64)), "relu_2",
        "the activation or pooling between input and it is none that Akida v1 has"),
    "an average that is no layer": (
        Layers(*FIRST, nn.AvgPool2d(2), *relu(conv(4, 4)), *end(64)), "relu_4",
        "An average ahead of a convolution widens its kernel"),
    "an input layer of zeros": (Layers(*relu(zero(conv(1, 4))), *end(256)), "relu_1",
                                "all weights of its convolution of the input are 0"),
    "depthwise zeros": (
        Layers(*FIRST, zero(conv(4, 4, groups=4)), *relu(conv(4, 6, 1)), *end(6 * 64)), "relu_4",
        "all weights of its separable convolution are 0"),
    "pointwise zeros": (
        Layers(*FIRST, conv(4, 4, groups=4), *relu(zero(conv(4, 6, 1))), *end(6 * 64)), "relu_4",
        "all weights of its separable convolution are 0"),
    "channels of an identity": (
        Layers(*FIRST, *relu(conv(4, 897, 1)), nn.MaxPool2d(2), *end(897 * 16)), "maxpool2d_4_3",
        "897 channels of max pooling ahead of a fully connected layer"),
    "few rows without padding": (
        Layers(*relu(conv(1, 4, 7, stride=2, padding=0)), *end(4)), "relu_1",
        "on 8 rows; AKD1000 takes 9 or more"),
}


def compiled(model: nn.Module, values: np.ndarray | None = None, **options: object) -> Compiled:
    sample = pictures(12, shape=(1, 8, 8)) if values is None else values
    return nmc.compile(model.eval(), target="akd1000", sample=sample, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", REFUSED)
def test_what_v1_has_not_is_refused_by_its_layer(name: str) -> None:
    model, where, what = REFUSED[name]
    torch.manual_seed(0)
    with pytest.raises(NmcError) as error:
        compiled(model)
    assert what in str(error.value)
    assert error.value.where.rpartition(".")[2] == where


def test_values_below_0_are_refused_when_compiled_and_when_simulated(tmp_path: Path) -> None:
    values = pictures(8)
    with pytest.raises(NmcError, match=r"input input: values reach down to -0\.5, akd1000"):
        compiled(made(Pooled), values - 0.5)
    build = nmc.write_build(compiled(made(Pooled), values), tmp_path / "build", {})
    with pytest.raises(NmcError, match=r"values reach down to -0\.1"):
        nmc.simulate(build, DataFile(x=values - 0.1, y=None))


def test_nothing_is_written_of_a_network_that_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NmcError):
        nmc.write_build(compiled(Residual()), tmp_path / "build", {})
    assert list(tmp_path.iterdir()) == []


def test_times_and_energies_that_nobody_states_are_null(tmp_path: Path) -> None:
    build = nmc.write_build(compiled(made(Pooled), pictures(8)), tmp_path / "build", {})
    found = nmc.simulate(build, DataFile(x=pictures(8), y=None), save_figures=True,
                         output=tmp_path / "run.npz")
    report = json.loads((tmp_path / "build" / "report.json").read_text())
    for name in ("timing", "latency_s", "energy_j", "energy_range_j", "energy_per_sample_j",
                 "energy_by_core", "energy_by_constant"):
        assert report[name] is None
    assert all(layer["energy_j"] is layer["latency_s"] is None for layer in report["layers"])
    assert sum(layer["spikes"] for layer in report["layers"]) > 1000
    assert "BrainChip publishes neither" in report["outside"]["boundary"]
    assert "step_s" not in np.load(tmp_path / "run.npz")
    assert nmc.read_build(tmp_path / "build").figures == found.figures


@pytest.mark.parametrize(("wish", "said"), [
    ({"timeline": "t.json"}, "--timeline: shows times, and none are known of akd1000"),
])
def test_what_needs_times_is_refused(
    tmp_path: Path, wish: dict[str, str], said: str
) -> None:
    build = nmc.write_build(compiled(made(Pooled), pictures(8)), tmp_path / "build", {})
    with pytest.raises(NmcError, match=said):
        nmc.simulate(build, DataFile(x=pictures(8), y=None),
                     **{name: tmp_path / path for name, path in wish.items()})


def test_layers_that_need_more_processors_than_there_are_are_refused() -> None:
    torch.manual_seed(0)
    deep = [module for _ in range(12) for module in relu(conv(4, 4, 1))]
    with pytest.raises(NmcError, match=r"network: its layers need 85 neural processors, AKD1000 has "
                       r"78; largest layers: .* 7, .* 7, .* 7\. Take fewer"):
        compiled(Layers(*FIRST, *deep, *end(4 * 5 * 224)), pictures(3, shape=(1, 5, 224)))


def test_a_board_of_several_chips_is_refused() -> None:
    with pytest.raises(NmcError, match="akd1000: 2 chips; akida maps a model onto one"):
        compiled(made(Pooled), pictures(8), chips=2)


def test_a_search_for_the_least_energy_is_refused() -> None:
    with pytest.raises(NmcError, match="--search: makes energy times delay small"):
        compiled(made(Pooled), pictures(8), search=True)


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(5, 12), st.integers(5, 12)), kernel=st.integers(1, 5),
    stride=st.integers(1, 3), padding=st.integers(0, 3), dilation=st.integers(1, 2),
    seed=st.integers(0, 2**16))
def test_a_convolution_that_is_taken_is_the_one_that_akida_computes(
    size: tuple[int, int], kernel: int, stride: int, padding: int, dilation: int, seed: int
) -> None:
    if min(size) + 2 * padding < dilation * (kernel - 1) + 1:
        return
    rng = np.random.default_rng(seed)
    theirs = Conv(weight=rng.integers(-7, 8, (2, 3, kernel, kernel)).astype(np.int32),
                  in_shape=(3, *size), stride=(stride, stride), padding=(padding, padding),
                  dilation=(dilation, dilation))
    x = rng.integers(0, 16, (2, 3 * size[0] * size[1]))
    for ways, valid in ((limits.WAYS, False), (limits.INPUT_WAYS, True)):
        found = geometry(theirs, ways, valid)
        if found is not None:
            whole = convolution(spread(theirs, found), (3, *size), found.stride, found.same, 1)
            np.testing.assert_array_equal(whole.apply(x), theirs.apply(x))
        elif padding == kernel // 2 and kernel % 2 and stride == dilation == 1:
            raise AssertionError(f"{theirs} is padding Same")


@pytest.mark.parametrize("behind", [True, False])
@pytest.mark.parametrize(("pool", "stride"), [(2, 2), (2, 1)])
def test_max_pooling_is_found_on_both_sides_of_the_activation(
    behind: bool, pool: int, stride: int
) -> None:
    torch.manual_seed(0)
    padding = () if stride == 2 else (nn.ReplicationPad2d((0, 1, 0, 1)),)
    pooling = (*padding, nn.MaxPool2d(pool, stride))
    middle = (conv(4, 6), normed(6))
    layer = (*middle, nn.ReLU(), *pooling) if behind else (*middle, *pooling, nn.ReLU())
    model = Layers(*FIRST, *layer, *relu(conv(6, 4)), *end(4 * (64 // stride**2)))
    layers = layers_of(compiled(model).program.network)
    assert [(x.pooling.value, x.pool_size, x.pool_stride) for x in layers] == [
        ("NoPooling", 1, 1), ("Max", pool, stride), ("NoPooling", 1, 1), ("NoPooling", 1, 1)]


@pytest.mark.parametrize("size", [9, 10])
def test_whole_windows_are_pooled_behind_an_input_layer_without_padding(size: int) -> None:
    torch.manual_seed(0)
    pooled_ = (size - 2) // 2
    model = Layers(*relu(conv(1, 4, padding=0)), nn.MaxPool2d(2), *relu(conv(4, 4)),
                   *end(4 * pooled_**2))
    net = compiled(model, pictures(12, shape=(1, size, size))).program.network
    first = layers_of(net)[0]
    assert (first.same, first.pooling.value, first.out_shape) == (
        False, "Max", (4, pooled_, pooled_))
    assert first.out_shape == net.population(first.name).shape


def test_a_layer_may_be_named_as_what_akida_is_given(tmp_path: Path) -> None:
    layers = layers_of(compiled(made(Dense), pictures(8)).program.network)
    write_akida((*layers[:-1], replace(layers[-1], name="input")), 4, tmp_path)
    entries = json.loads((tmp_path / "akida_layers.json").read_text())
    assert [entry["name"] for entry in entries] == ["input_", "relu", "relu_2", "input"]


def test_black_and_white_pictures_calibrate_for_grey_ones() -> None:
    values = pictures(8)
    made_ = compiled(made(Pooled), (values > 0.5).astype(np.float32))
    assert made_.program.network.inputs[0].format.scale == pytest.approx(1 / 255)
    whole = np.rint(255 * values / values.max()).astype(np.float32)
    assert compiled(made(Pooled), whole).program.network.inputs[0].format.scale == 1


def test_kernels_of_zeros_are_a_layer_like_others() -> None:
    torch.manual_seed(0)
    for size in (1, 3):
        made_ = compiled(Layers(*FIRST, *relu(zero(conv(4, 4, size))), *end(256)))
        assert not np.any(layers_of(made_.program.network)[1].weight)


def test_an_average_behind_the_activation_goes_into_the_next_layer() -> None:
    torch.manual_seed(0)
    model = Layers(*FIRST, *relu(conv(4, 6)), nn.AdaptiveAvgPool2d(1), *end(6))
    layers = layers_of(compiled(model).program.network)
    assert [(x.kind.value, x.pooling.value) for x in layers][1:] == [
        ("Convolutional", "NoPooling"), ("FullyConnected", "NoPooling")]
    assert layers[-1].weight.shape == (3, 6 * 64)


def test_devices_of_akida_take_no_other_program(tmp_path: Path) -> None:
    program = SimpleNamespace(target=load_target("loihi2"))
    with pytest.raises(NmcError, match="runs programs for Akida, this one is for loihi2"):
        AkidaSoftware().load(program, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(NmcError, match="holds no akida_layers"):
        AkidaSoftware().load(compiled(made(Pooled), pictures(8)).program, tmp_path)


def test_a_target_knows_all_costs_or_none_and_says_why() -> None:
    text = installed()["akd1000"]
    watts = '[power_w]\nstatic = { value = 0.9, unit = "W", kind = "estimate", source = "nobody has measured it" }\n'
    for changed, said in (
        (f"{text}\n{watts}", "time_s is missing: give all of time_s, energy_j, power_w, or none"),
        (text.split("[io]")[0], "io.boundary says why its costs are not known"),
    ):
        with pytest.raises(NmcError) as error:
            parse_target(changed, "t.toml")
        assert said in str(error.value)


def test_levels_of_activations_are_a_stated_loss(tmp_path: Path) -> None:
    made_ = compiled(made(Pooled), pictures(40))
    told = {check.arrow: check for check in made_.checks}
    assert list(told) == ["trace", "lower", "levels", "quantize", "map"]
    assert told["levels"].figures["bits"] == 4
    assert 0.8 <= told["levels"].figures["decisions_equal"] <= 1  # type: ignore[operator]
    sent = [p.neuron.act_bits for p in made_.program.network.populations if p.neuron.activation]
    assert set(sent) == {4}

"""The examples train what they promise, and the chip keeps it."""

import json
import subprocess
import sys
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.command import nmc
from nmcompile_examples.train_digits_qat import QuantisedDigitsNet

from nmcompile.build import read_build

EXAMPLES = Path(str(files("nmcompile_examples")))
MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist10k.npz"


def trained(script, *arguments):
    """What an example prints."""
    command = [sys.executable, EXAMPLES / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def compiled_accuracy(run, model, code, folder, target="loihi2"):
    """Accuracy of `<model>_test.npz` on the chip, and the float network's from the compilation."""
    name = model.stem
    result = run("compile", model, "--target", target, "--code", code, "-o", folder / "build",
                 "--calibrate", folder / f"{name}_calibration.npz")
    assert result.code == 0, result.err
    result = run("simulate", folder / "build", "--input", folder / f"{name}_test.npz", "--json")
    return json.loads(result.out)["accuracy"]


def accuracy_in_words(output):
    return float(output.splitlines()[-1].removeprefix("test accuracy ").removesuffix(" %")) / 100


@pytest.fixture
def run(capsys, monkeypatch):
    return partial(nmc, capsys, monkeypatch)


@pytest.mark.slow
def test_digits_train_to_96_percent_and_lose_half_a_point_at_most(run, tmp_path):
    in_torch = accuracy_in_words(trained("train_digits.py", "--output", tmp_path))
    assert in_torch >= 0.96
    code = f"{EXAMPLES / 'train_digits.py'}:DigitsNet"
    assert compiled_accuracy(run, tmp_path / "digits.pt", code, tmp_path) >= in_torch - 0.005


@pytest.mark.slow
def test_weights_trained_at_4_bits_go_to_the_chip_as_they_are(run, tmp_path):
    in_torch = accuracy_in_words(trained("train_digits_qat.py", "--output", tmp_path))
    assert in_torch >= 0.96
    code = f"{EXAMPLES / 'train_digits_qat.py'}:QuantisedDigitsNet"
    assert compiled_accuracy(run, tmp_path / "digits_qat.pt", code, tmp_path) >= in_torch - 0.005
    model = QuantisedDigitsNet()
    model.load_state_dict(torch.load(tmp_path / "digits_qat.pt", weights_only=True))
    network = read_build(tmp_path / "build").program.network
    for layer, (projection,) in zip((model.conv1, model.conv2, model.fc), (
            network.incoming(name) for name in ("lif1", "lif2", "lif3")), strict=True):
        trained_as = layer.eval().quant_weight().int().numpy().astype(np.int64)
        stored = projection.map.weights().reshape(trained_as.shape).astype(np.int64)
        factors = np.unique(stored[trained_as != 0] / trained_as[trained_as != 0])
        assert len(factors) == 1
        assert np.log2(factors[0]) % 1 == 0
        assert not stored[trained_as == 0].any()


@pytest.mark.slow
def test_a_network_of_relu_and_max_pooling_loses_one_point_at_most_as_rates_or_changes(run, tmp_path):
    in_torch = accuracy_in_words(trained("train_digits_ann.py", "--output", tmp_path))
    assert in_torch >= 0.97
    code = f"{EXAMPLES / 'train_digits_ann.py'}:DigitsAnn"
    assert compiled_accuracy(run, tmp_path / "digits_ann.pt", code, tmp_path) >= in_torch - 0.01
    result = run("compile", tmp_path / "digits_ann.pt", "--target", "loihi2", "--code", code,
                 "-o", tmp_path / "changes", "--convert", "sigma-delta", "--json",
                 "--calibrate", tmp_path / "digits_ann_test.npz")
    chain = {check["arrow"]: check["figures"] for check in json.loads(result.out)["checks"]}
    assert chain["convert"]["accuracy_after"] >= in_torch - 0.005
    assert chain["convert"]["tolerance"] > 0
    assert chain["convert"]["sent"] < 0.7
    assert chain["quantize"]["accuracy_integer"] >= in_torch - 0.005
    result = run("simulate", tmp_path / "changes", "--input", tmp_path / "digits_ann_test.npz",
                 "--steps", "1", "--json")
    assert json.loads(result.out)["accuracy"] >= in_torch - 0.005


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.exists(), reason="there is no ../shared/data/mnist10k.npz")
@pytest.mark.parametrize(("bits", "epochs", "least", "loss"), [
    ("32", "4", 0.95, 0.003), ("2", "2", 0.88, 0.003)])
def test_mnist_keeps_its_accuracy_on_2000_digits_at_every_width(
    run, tmp_path, bits, epochs, least, loss
):
    in_torch = accuracy_in_words(trained(
        "train_mnist.py", MNIST, "--bits", bits, "--output", tmp_path, "--epochs", epochs))
    assert in_torch >= least
    with np.load(tmp_path / f"mnist{bits}_test.npz") as test:
        assert test["x"].shape == (2000, 784)
    network = "MnistNet" if bits == "32" else f"MnistNet{bits}"
    code = f"{EXAMPLES / 'train_mnist.py'}:{network}"
    on_chip = compiled_accuracy(run, tmp_path / f"mnist{bits}.pt", code, tmp_path)
    assert on_chip >= in_torch - loss


def test_the_blimps_network_learns_to_act_as_its_controller(tmp_path):
    printed = trained("train_blimp.py", "--output", tmp_path, "--batches", "50")
    errors = [float(line.rsplit(" ", 1)[1]) for line in printed.splitlines()]
    assert errors[-1] < 0.2  # of a thrust from -1 to 1; untrained 0.57
    assert (tmp_path / "blimp.pt").is_file()

"""Bad input: one clear line, exit code 2, nothing left behind."""

import os
import pickle
import zipfile
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from helpers.command import nmc, refusal

from nmcompile.encode import Encoded

EXAMPLES = Path(str(files("nmcompile_examples")))
MODEL = EXAMPLES / "digits.pt"
CODE = f"{EXAMPLES / 'train_digits.py'}:DigitsNet"


@pytest.fixture
def refused(capsys, monkeypatch, tmp_path):
    """Run `nmc compile` and return its one line of error, with nothing written."""

    def compile_(model, *options, target="loihi2"):
        output = tmp_path / "out" / "build"
        result = nmc(capsys, monkeypatch, "compile", model, "--target", target, "-o", output,
                     *options)
        assert result.code == 2
        assert result.out == ""
        assert not (tmp_path / "out").exists() or not os.listdir(tmp_path / "out")
        return refusal(result.err).replace(str(model), "FILE")

    return compile_


def test_a_truncated_model_file(refused, tmp_path):
    (tmp_path / "cut.pt").write_bytes(MODEL.read_bytes()[:9000])
    assert refused(tmp_path / "cut.pt").startswith("FILE: is a damaged archive, perhaps cut short")


def test_a_text_file(refused, tmp_path):
    (tmp_path / "text.pt").write_text("this is no model\n")
    assert refused(tmp_path / "text.pt") == (
        "FILE: is a text file, no model of a known kind. Known kinds, by content: lava, nir, onnx, torch.")


def test_a_missing_file_a_folder_and_an_empty_file(refused, tmp_path):
    assert refused(tmp_path / "none.pt") == "FILE: No such file or directory."
    assert refused(tmp_path) == "FILE: is a folder, expected a file."
    (tmp_path / "empty.pt").write_bytes(b"")
    assert refused(tmp_path / "empty.pt") == (
        "FILE: is an empty file, no model of a known kind. Known kinds, by content: lava, nir, onnx, torch.")


def test_a_pickle_that_would_run_code_does_not_run_it(refused, tmp_path):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {marker}",)

    import torch

    torch.save(Evil(), tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil()))
    for name in ("evil.pt", "plain.pt"):
        assert refused(tmp_path / name).startswith("FILE: ")
    assert not marker.exists()


def test_a_model_with_an_unsupported_layer(refused, tmp_path):
    import snntorch
    import torch

    model = torch.nn.Sequential(
        torch.nn.Linear(6, 5), torch.nn.LSTM(5, 5), snntorch.Leaky(
            beta=0.9, init_hidden=True, surrogate_disable=True))
    torch.save(model, tmp_path / "lstm.pt")
    assert "LSTM" in refused(tmp_path / "lstm.pt")


def test_a_sample_of_the_wrong_shape(refused, tmp_path):
    np.save(tmp_path / "sample.npy", np.ones((4, 3, 9, 9), np.float32))
    message = refused(MODEL, "--code", CODE, "--sample", tmp_path / "sample.npy")
    assert "4 x 3 x 9 x 9 values do not go through the model" in message


def test_a_network_too_large_for_the_target(refused, tmp_path):
    text = (files("nmcompile_targets") / "loihi2.toml").read_text("utf-8")
    small = text.replace("chips = { value = 8", "chips = { value = 1").replace(
        "neurons = { value = 8192", "neurons = { value = 2")
    (tmp_path / "small.toml").write_text(small)
    assert refused(MODEL, "--code", CODE, target=tmp_path / "small.toml") == (
        "network: needs 773 cores, loihi2 has 128 (1 chips of 128); largest layers: lif1 512, "
        "lif2 256, lif3 5. With --chips 7 it fits.")


def test_a_target_that_does_not_exist(refused):
    assert refused(MODEL, target="loihi7") == (
        "target: 'loihi7' is not known. Did you mean 'loihi2'? Known: akd1000, loihi1, "
        "loihi1_sanafe, loihi2, speck2f, spinnaker1, spinnaker1_4chips, spinnaker2, truenorth, "
        "xylo_a2, xylo_a3, xylo_imu.")


def test_an_output_folder_that_cannot_be_written_or_is_not_a_build(
        capsys, monkeypatch, tmp_path):
    run = partial(nmc, capsys, monkeypatch, "compile", MODEL, "--target", "loihi2", "--code", CODE)
    (tmp_path / "file").write_text("x")
    result = run("-o", tmp_path / "file" / "build")
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert "cannot be written" in result.err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    result = run("-o", tmp_path / "mine")
    assert result.code == 2
    assert "is not a build of nmcompile" in result.err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"
    (tmp_path / "mine" / "manifest.json").write_text('{"name": "a web app"}')
    assert run("-o", tmp_path / "mine").code == 2
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"


def test_a_new_build_keeps_what_the_user_put_beside_the_old_one(capsys, monkeypatch, tmp_path):
    run = partial(nmc, capsys, monkeypatch, "compile", MODEL, "--target", "loihi2", "--code", CODE,
                  "-o", tmp_path / "build")
    assert run().code == 0
    (tmp_path / "build" / "run.npz").write_text("kept")
    assert run().code == 0
    assert (tmp_path / "build" / "run.npz").read_text() == "kept"
    assert os.listdir(tmp_path) == ["build"]


def test_a_folder_that_is_no_build_and_options_that_do_not_exist(capsys, monkeypatch, tmp_path):
    run = partial(nmc, capsys, monkeypatch)
    result = run("simulate", tmp_path, "--input", tmp_path / "x.npz")
    assert result.code == 2
    assert "holds no program.h5" in result.err
    assert run("compile", MODEL).code == 2
    assert run("fly").code == 2
    assert run("simulate", tmp_path, "--input", "x", "--encode", "morse").code == 2


def test_a_zip_that_is_no_torch_archive(refused, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert refused(tmp_path / "a.pt").startswith("FILE: ")


def test_a_run_that_the_memory_does_not_hold(capsys, monkeypatch, tmp_path):
    build = tmp_path / "build"
    assert nmc(capsys, monkeypatch, "compile", MODEL, "--target", "loihi2", "--code", CODE, "-o",
               build).code == 0

    def batch(self, samples):
        return np.empty((1 << 40, self.steps))

    monkeypatch.setattr(Encoded, "__getitem__", batch)
    result = nmc(capsys, monkeypatch, "simulate", build, "--input", EXAMPLES / "digits_test.npz")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("nmc: error: memory: this machine has too little for the input (")
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [
    ("simulate", "x", "--input", "y", "--seed", "-1"), ("simulate", "x", "--steps", "many"),
    ("simulate", "x", "--input", "y", "--steps", "0"), ("conpile", "x"), ("compile",)])
def test_options_that_are_none_get_one_line(capsys, monkeypatch, arguments):
    result = nmc(capsys, monkeypatch, *arguments)
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("nmc: error: ")
    assert "--help" in result.err


def test_options_of_a_conversion_that_do_not_exist(refused):
    assert refused(MODEL, "--code", CODE, "--convert", "latency") == (
        "convert: is 'latency'. Take one of rate, sigma-delta.")
    assert refused(MODEL, "--code", CODE, "--balance", "90") == (
        "balance: is '90'. Take one of auto, max, 99.99, 99.9, 99, layer-wise.")
    assert refused(MODEL, "--code", CODE, "--tolerance", "1.5") == (
        "tolerance: is 1.5. Give a share of 0 to 1.")

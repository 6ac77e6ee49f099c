"""Sound as data of the verbs: what the chip runs is what an array of its features gives."""

import json
from functools import partial

import numpy as np
import pytest
import soundfile
from helpers.command import nmc

import nmcompile

NETWORK = """
import snntorch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(20, 3)
        self.lif = snntorch.Leaky(beta=0.9, threshold=0.5, init_hidden=True)

    def forward(self, x):
        return self.lif(self.fc(x))
"""
HEARD = {"rate": "8kHz", "mels": 20, "window": "32ms", "normalise": "-40,20"}
OPTIONS = ("--audio-rate", "8kHz", "--mels", "20", "--window", "32ms", "--normalise", "-40,20")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A folder for each of three classes with two recordings each, and the features as an array."""
    folder, draw = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    for kind in range(3):
        (folder / "by_class" / str(kind)).mkdir(parents=True)
        for i in range(2):
            tone = np.sin(2 * np.pi * 400 * (1 + kind) * np.arange(4000) / 16_000)
            sound = 0.3 * tone + 0.01 * draw.standard_normal(4000)
            soundfile.write(folder / "by_class" / str(kind) / f"{i}.wav", sound, 16_000)
    data = nmcompile.read_data(folder / "by_class", nmcompile.AudioOptions(**HEARD))
    np.savez(folder / "same.npz", x=data.x, y=data.y)
    return folder


@pytest.fixture
def run(capsys, monkeypatch):
    return partial(nmc, capsys, monkeypatch)


@pytest.fixture
def build(run, sounds, tmp_path):
    """The network compiled for Loihi 2 on the sounds."""
    import torch

    from nmcompile.frontends.loading.code_file import load_code

    (tmp_path / "net.py").write_text(NETWORK)
    code = f"{tmp_path / 'net.py'}:Net"
    torch.manual_seed(3)
    torch.save(load_code(code)[1]().state_dict(), tmp_path / "net.pt")
    result = run("compile", tmp_path / "net.pt", "--code", code, "--target", "loihi2",
                 "--calibrate", sounds / "by_class", *OPTIONS, "-o", tmp_path / "build")
    assert result.code == 0, result.err
    return tmp_path / "build"


def test_sounds_give_what_an_array_of_their_features_gives(run, build, sounds):
    heard = json.loads(run("simulate", build, "--input", sounds / "by_class", *OPTIONS,
                           "--json").out)
    same = json.loads(run("simulate", build, "--input", sounds / "same.npz", "--json").out)
    assert (heard["data"].pop("name"), same["data"].pop("name")) == ("by_class", "same.npz")
    assert heard == same
    assert heard["samples"] == 6
    assert heard["layers"][0]["spikes"] > 0


def test_changes_of_features_are_sent(run, build, sounds):
    """Ten mel bands are ten off and ten on spikes a step."""
    result = run("simulate", build, "--input", sounds / "by_class", *OPTIONS, "--mels", "10",
                 "--encode", "send-on-delta", "--threshold", "0.2", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["samples"] == 6


def test_a_device_is_held_against_sounds(run, build, sounds):
    result = run("validate", build, "--device", "sim", "--input", sounds / "by_class", *OPTIONS,
                 "--encode", "delta", "--off", "negative", "--gain", "0.5", "--fail-above", "0",
                 "--json")
    assert result.code == 0, result.err


def test_what_does_not_go_together_is_refused(run, build, sounds):
    def refusal(*arguments):
        result = run("simulate", build, "--input", *arguments)
        assert (result.code, result.out) == (2, "")
        return result.err

    one = sounds / "by_class" / "0" / "0.wav"
    assert "--bin: is for recordings of events" in refusal(one, "--bin", "1ms")
    assert "--mels: is for sound" in refusal(sounds / "same.npz", "--mels", "10")
    assert "--gain: is -1, expected a number above 0" in refusal(one, *OPTIONS, "--gain", "-1")
    assert "has shape (1, 22, 40)" in refusal(one, *OPTIONS, "--mels", "40")
    assert "'latency' encodes values" in refusal(one, *OPTIONS, "--encode", "latency")

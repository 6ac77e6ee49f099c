"""Data to calibrate on are sent as runs will send them."""

import json
from functools import partial

import numpy as np
import pytest
import snntorch
import torch
from helpers.command import nmc, refusal
from torch import nn

import nmcompile
from nmcompile.coding import Coding
from nmcompile.encode import as_traced, changes

BANDS, STEPS = 12, 30
CODING = Coding(how="send-on-delta", threshold=0.25)


def network():
    """Neurons that hear the changes of twelve bands, as off and on."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(2 * BANDS, 5), snntorch.Leaky(beta=0.9, threshold=0.5,
                                                                 init_hidden=True))


@pytest.fixture
def walks():
    """Samples (8, 30, 12) that rise and fall, and their classes."""
    draw = np.random.default_rng(0)
    x = np.cumsum(draw.normal(0, 0.2, (8, STEPS, BANDS)), axis=1).astype(np.float32)
    return x, draw.integers(0, 5, 8)


def test_scales_are_chosen_on_the_changes_that_runs_will_send(walks):
    spikes = changes(walks[0], CODING).reshape(8, STEPS, 2 * BANDS)
    coded, given, raw = (
        nmcompile.quantize(network(), target="loihi2", calibration=(x, walks[1]), encoding=coding)
        .stage.errors for x, coding in ((walks[0], CODING), (spikes, None), (spikes, Coding(gain=3))))
    assert coded == given != raw


def test_a_model_is_traced_on_the_form_that_it_will_be_given():
    x = np.random.default_rng(0).normal(size=(20, 6, 3, 4)).astype(np.float32)
    for values, shape in ((x[..., 0], (16, 6, 6)), (x, (16, 6, 2, 3, 4)),
                          (x[..., None], (16, 6, 6, 4, 1))):
        assert as_traced(values, CODING).shape == shape
    dropped = Coding(how="delta", off="drop")
    assert as_traced(x, dropped).shape == (16, 6, 3, 4)
    np.testing.assert_array_equal(as_traced(x, Coding(gain=2)), 2 * x[:16])


def test_the_command_line_takes_codings_and_the_build_tells_them(
    capsys, monkeypatch, walks, tmp_path
):
    run = partial(nmc, capsys, monkeypatch)
    (tmp_path / "net.py").write_text(
        "from torch import nn\nimport snntorch\n\n\ndef net():\n"
        "    return nn.Sequential(nn.Linear(24, 5), snntorch.Leaky(beta=0.9, init_hidden=True))\n")
    torch.save(network().state_dict(), tmp_path / "net.pt")
    np.savez(tmp_path / "data.npz", x=walks[0], y=walks[1])
    model = (tmp_path / "net.pt", "--code", f"{tmp_path / 'net.py'}:net", "--target", "loihi2")
    coded = ("--calibrate", tmp_path / "data.npz", "--encode", "send-on-delta",
             "--threshold", "0.25")
    found = run("compile", *model, *coded, "-o", tmp_path / "build", "--json")
    assert found.code == 0, found.err
    manifest = json.loads((tmp_path / "build" / "manifest.json").read_text())
    assert manifest["options"]["encode"] == "send-on-delta, threshold 0.25"
    assert run("check", *model, *coded).code == 0
    assert run("quantize", *model, *coded).code == 0


def test_a_coding_of_no_data_and_one_of_values_that_are_converted_are_refused(
    capsys, monkeypatch, tmp_path
):
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    x = np.random.default_rng(0).random((8, 6)).astype(np.float32)
    with pytest.raises(nmcompile.NmcError) as error:
        nmcompile.compile(model, target="loihi2", encoding="rate")
    assert str(error.value) == (
        "--encode: is 'rate', and there are no data to send so. Add --calibrate DATA, or give it "
        "to nmc simulate.")
    with pytest.raises(nmcompile.NmcError) as error:
        nmcompile.compile(model, target="loihi2", calibration=(x, None), encoding="rate")
    assert "a network of activations is converted on their values" in str(error.value)
    found = nmc(capsys, monkeypatch, "compile", tmp_path / "model.pt", "--target", "loihi2",
                "--off", "drop")
    assert found.code == 2
    assert refusal(found.err) == (
        "--off: is for --encode delta and send-on-delta. Leave it out.")

"""`program.validate`: a device held against a program from Python."""

from dataclasses import replace

import numpy as np
import pytest
from nmcompile_examples import __file__ as examples

import nmcompile as nmc
from nmcompile.devices.sim import SimDevice
from nmcompile.errors import DeviceLostError, NmcError

pytest.importorskip("pandas")
SAMPLES = 8


@pytest.fixture(scope="module")
def data():
    with np.load(examples.replace("__init__.py", "digits_test.npz")) as file:
        return file["x"][:SAMPLES], file["y"][:SAMPLES]


@pytest.fixture(scope="module")
def program():
    return nmc.compile(examples.replace("__init__.py", "digits.pt"), target="loihi2")


class WrongWeight(SimDevice):
    """A word of the last layer's weights is not what was loaded."""

    name = "wrong"

    def load(self, program, config):
        *others, last = program.network.projections
        weights = last.map.weights().astype(np.int32)
        weights[1234] += 40
        changed = replace(last, map=last.map.with_weights(weights))
        network = replace(program.network, projections=(*others, changed))
        super().load(replace(program, network=network), config)


class Unplugged(SimDevice):
    """Breaks for good after one batch."""

    name = "board"
    batches = 0

    def run(self, inputs, wanted, ran):
        self.batches += 1
        if self.batches > 1:
            raise DeviceLostError("board", "does not answer")
        return super().run(inputs, wanted, ran)


class PluggedIn(SimDevice):
    name = "board"


def test_the_simulator_is_equal_to_the_program_and_to_its_integer_network(program, data):
    for against in ("sim", "integer"):
        found = program.validate(*data, against=against, limits={"spikes": 0.0, "accuracy": 0.0})
        assert found.equal
        assert found.first == ""
        assert found.explanations.empty
        assert found.incoming.empty
        assert list(found.populations.index) == ["lif1", "lif2", "lif3"]
        assert not found.populations[["differing", "v_differing"]].to_numpy().any()
        assert [limit["exceeded"] for limit in found.figures["limits"]] == [False, False]
        assert "all that the device tells is what was compiled" in found._repr_html_()


def test_against_the_float_network_spikes_differ_and_no_rule_is_sought(program, data):
    found = program.validate(*data, against="float")
    assert found.populations.differing.sum() > 0
    assert "v_differing" not in found.populations
    assert found.first.startswith("sample ")
    assert found.explanations.empty


def test_a_wrong_weight_is_found_by_its_place_and_its_values(program, data):
    found = program.validate(*data, device=WrongWeight())
    assert not found.equal
    assert "population lif3, neuron 2: u " in found.first
    best = found.explanations.iloc[0]
    assert (best["rule"], best["explained"], best["alike"]) == ("weight", 1.0, 1)
    weights = program.program.network.projections[-1].map.weights()
    assert best["text"].endswith(
        f"from neuron {1234 % 512} to neuron {1234 // 512} is {weights[1234] + 40}, not {weights[1234]}")
    assert (found.incoming.projection == "lif2 -> lif3").all()
    assert best["text"].replace(">", "&gt;") in found._repr_html_()
    assert found.first in repr(found)


def test_a_run_that_was_written_is_read_as_a_device(program, data, tmp_path):
    program.validate(*data, device=WrongWeight(), output=tmp_path / "monday.npz")
    again = program.validate(*data, device=f"file:{tmp_path / 'monday.npz'}")
    assert again.figures["device"] == "file"
    assert again.explanations.rule[0] == "weight"


def test_a_run_that_broke_goes_on_in_its_folder(program, data, tmp_path, monkeypatch):
    monkeypatch.setattr("nmcompile.validation.session.PAUSE_S", 0)
    device = Unplugged()
    with pytest.warns(UserWarning, match="the device was lost"), pytest.raises(
            NmcError, match="board: does not answer, 3 times"):
        program.validate(*data, device=device, batch=4, folder=tmp_path / "build")
    found = program.validate(
        *data, device=PluggedIn(), batch=4, folder=tmp_path / "build", resume=True)
    assert found.equal
    assert found.figures["samples"] == SAMPLES
    assert not list((tmp_path / "build").glob("validate-*"))


def test_what_cannot_be_judged_or_is_no_device_is_refused(program, data):
    with pytest.raises(NmcError, match="the data have no labels y"):
        program.validate(data[0], limits={"accuracy": 0.0})
    with pytest.raises(NmcError, match="'simm' is not known"):
        program.validate(data[0], device="simm")
    with pytest.raises(NmcError, match="--device sim: has no address"):
        program.validate(data[0], device="sim:here")

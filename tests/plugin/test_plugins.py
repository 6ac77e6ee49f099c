"""Entry points of other distributions, by the names and values that they may have."""

import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import nmcompile.plugins
from nmcompile.errors import NmcError, PluginError
from nmcompile.frontends.adapters import adapters
from nmcompile.ir import Input, Network, Output, Population, Projection
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import LIF
from nmcompile.mapping.files import load_network, save_network
from nmcompile.plugins import plugin, plugins

PLUGINS = Path(__file__).parents[2] / "examples" / "plugins"


@dataclass(frozen=True, kw_only=True, eq=False)
class Quiet(LIF):
    """A neuron of another distribution."""


class Other:
    """As many classes may be called."""


Other.__name__ = "LIF"


@pytest.fixture
def installed(monkeypatch):
    """Makes (group, name, value) what is installed besides nmcompile."""
    def install(*entries):
        found = [EntryPoint(name=name, value=value, group=group) for group, name, value in entries]
        monkeypatch.setattr(nmcompile.plugins, "entry_points",
                            lambda group: [entry for entry in found if entry.group == group])
        monkeypatch.setitem(sys.modules, "quiet_neurons",
                            SimpleNamespace(Quiet=Quiet, Other=Other))
    return install


def network(neuron):
    """One neuron behind one input."""
    return Network(
        inputs=(Input(name="input", shape=(1,)),),
        populations=(Population(name="n", shape=(1,), neuron=neuron(
            decay=np.full((), 0.5, np.float32), threshold=np.ones((), np.float32))),),
        projections=(Projection(source="input", target="n", map=Dense(
            weight=np.ones((1, 1), np.float32), in_shape=(1,), out_shape=(1,))),),
        outputs=(Output(name="output", population="n"),))


def test_plug_ins_come_by_name_sorted(installed):
    installed(("nmcompile.passes", "second", "math:floor"), ("nmcompile.passes", "first", "math:ceil"))
    assert list(plugins("pass")) == ["first", "second"]
    assert plugin("pass", "first")(0.5) == 1


def test_an_unknown_name_lists_those_there_are(installed):
    installed(("nmcompile.devices", "board", "math:floor"))
    with pytest.raises(NmcError) as error:
        plugin("device", "bord")
    assert str(error.value) == "device: 'bord' is not known. Did you mean 'board'? Known: board."


def test_a_name_that_two_distributions_provide_is_refused(installed):
    installed(("nmcompile.devices", "board", "math:floor"), ("nmcompile.devices", "board", "math:ceil"))
    with pytest.raises(NmcError) as error:
        plugin("device", "board")
    assert str(error.value) == ("device board: two installed distributions provide it: math:floor and "
                                "math:ceil. Uninstall one of them.")


def test_a_plug_in_that_does_not_load_is_not_passed_over(installed):
    installed(("nmcompile.adapters", "mine", "no_such_module:THING"))
    with pytest.raises(NmcError) as error:
        plugins("adapter")
    assert str(error.value) == (
        "plug-in mine (no_such_module:THING): does not load: No module named 'no_such_module'.")


@pytest.mark.parametrize(("code", "said"), [
    ("raise RuntimeError('no board')", "RuntimeError: no board"),
    ("raise SystemExit", "SystemExit"),
    ("X = 1 +", "SyntaxError: invalid syntax (fails_at_import.py, line 1)")])
def test_a_plug_in_whose_module_fails_is_named(installed, tmp_path, monkeypatch, code, said):
    (tmp_path / "fails_at_import.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    installed(("nmcompile.adapters", "mine", "fails_at_import:X"))
    with pytest.raises(PluginError) as error:
        plugins("adapter")
    assert str(error.value) == f"plug-in mine (fails_at_import:X): does not load: {said}."


def test_a_build_holds_a_neuron_that_is_plugged_in(installed, tmp_path):
    save_network(network(Quiet), tmp_path / "float.h5")
    installed(("nmcompile.neurons", "quiet", "quiet_neurons:Quiet"))
    (population,) = load_network(tmp_path / "float.h5").populations
    assert type(population.neuron) is Quiet


def test_without_its_plug_in_the_neuron_of_a_build_is_not_made(installed, tmp_path):
    save_network(network(Quiet), tmp_path / "float.h5")
    installed()
    with pytest.raises(NmcError, match="is not a program of this version"):
        load_network(tmp_path / "float.h5")


def test_a_neuron_with_the_name_of_one_of_ours_is_refused(installed, tmp_path):
    save_network(network(LIF), tmp_path / "float.h5")
    installed(("nmcompile.neurons", "mine", "quiet_neurons:Other"))
    with pytest.raises(NmcError, match="neuron mine: its class is called LIF as one of nmcompile's is"):
        load_network(tmp_path / "float.h5")


def test_what_is_no_class_and_no_adapter_is_refused_by_its_name(installed, tmp_path):
    save_network(network(LIF), tmp_path / "float.h5")
    installed(("nmcompile.neurons", "mine", "math:pi"), ("nmcompile.adapters", "lab", "math:pi"))
    with pytest.raises(PluginError, match=r"^neuron mine: is a float, expected a class\."):
        load_network(tmp_path / "float.h5")
    with pytest.raises(PluginError, match=r"^adapter lab: is a float, expected an Adapter\."):
        adapters.__wrapped__()


def test_the_example_board_is_loihi2s_but_for_its_chips():
    ours = (files("nmcompile_targets") / "loihi2.toml").read_text("utf-8").splitlines()
    board = (PLUGINS / "target" / "nmc_oheo_gulch" / "oheo_gulch.toml").read_text("utf-8").splitlines()
    changed = [line.split(" = ")[0] for line, other in zip(board, ours, strict=True) if line != other]
    assert changed == ["name", "title", "chips"]

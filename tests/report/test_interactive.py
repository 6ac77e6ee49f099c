"""`nmc.compile(...)` in Python: runs, tables, named arrays and a page, without a folder."""

import numpy as np
import pytest
import torch
from nmcompile_examples import __file__ as examples

import nmcompile as nmc
from nmcompile.errors import NmcError

pandas = pytest.importorskip("pandas")
pytest.importorskip("xarray")
MODEL = examples.replace("__init__.py", "digits.pt")
SAMPLES = 24


@pytest.fixture(scope="module")
def data():
    with np.load(examples.replace("__init__.py", "digits_test.npz")) as file:
        return file["x"][:SAMPLES], file["y"][:SAMPLES]


@pytest.fixture(scope="module")
def program():
    return nmc.compile(MODEL, target="loihi2")


@pytest.fixture(scope="module")
def run(program, data):
    return program.simulate(*data, record=("spikes", "lif1:v"))


def test_a_run_in_memory_is_that_of_the_folder_that_it_saves(program, run, data, tmp_path):
    build = program.save(tmp_path / "build")
    assert build.manifest["model"] == "digits.pt"
    path = tmp_path / "data.npz"
    np.savez(path, x=data[0], y=data[1])
    again = nmc.simulate(build, nmc.read_data(path))
    assert again.figures == run.figures


def test_tensors_and_lists_are_data_as_well(program, run, data):
    tensor = torch.tensor(data[0], requires_grad=data[0].dtype.kind == "f")
    assert program.simulate(tensor, data[1].tolist()).figures == run.figures
    for wrong in (["a", "b"], np.float64(3.0), np.array([1 + 2j])):
        with pytest.raises(NmcError, match=r"x: holds .*, expected numbers"):
            program.simulate(wrong)


def test_the_tables_add_up_to_the_figures(run):
    layers = run.layers
    assert list(layers.index) == ["input", "lif1", "lif2", "lif3"]
    assert layers["total_j"].sum() == pytest.approx(run.figures["energy_j"]["total"])
    kinds = [f"{kind}_j" for kind in run.figures["energy_j"] if kind != "total"]
    right = int(run.confusion.values.trace())
    assert right == round(run.figures["accuracy"] * run.figures["samples"])
    np.testing.assert_array_equal(
        run.confusion.sum("label"), np.bincount(run.decisions, minlength=10))
    np.testing.assert_allclose(layers[kinds].sum(axis=1), layers["total_j"])
    assert run.constants["energy_j"].sum() == pytest.approx(run.figures["energy_j"]["total"])
    assert run.constants["source"].str.len().min() > 0


def test_arrays_have_their_axes_by_name_and_hold_what_ran(run, data):
    spikes = run.array("lif1")
    assert spikes.dims == ("sample", "step", "channel", "row", "column")
    assert spikes.attrs["units"] == "payloads"
    np.testing.assert_array_equal(spikes, run.run.records["lif1"]["spikes"])
    assert run.array("lif3").dims == ("sample", "step", "neuron")
    assert run.array("lif1", "v").attrs["units"] == "units of the chip"
    counts = run.array("lif3").sum("step").argmax("neuron")
    np.testing.assert_array_equal(run.decisions, counts)
    assert float((run.decisions == data[1]).mean()) == run.figures["accuracy"]
    np.testing.assert_array_equal(run.step_s, run.run.step_s)
    with pytest.raises(NmcError, match="'lif9' is not known"):
        run.array("lif9")
    with pytest.raises(NmcError, match="record lif3: 'v' is not known"):
        run.array("lif3", "v")


def test_a_notebook_shows_checks_figures_and_the_page_with_names_escaped(program, run, tmp_path):
    shown = run._repr_html_()
    assert f"<b>{100 * run.figures['accuracy']:.2f} %</b>" in shown
    assert program._repr_html_().count("<tr>") == len(program.checks)
    page = run.report(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8") == page.html
    assert "<script" not in page._repr_html_().replace("srcdoc", "")
    object.__setattr__(program, "name", "<b>x</b>")
    assert "<b>x</b>" not in program._repr_html_()
    object.__setattr__(program, "name", "digits.pt")


def test_what_a_chip_does_not_tell_is_in_no_table():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(),
                              torch.nn.Flatten(), torch.nn.Linear(256, 10))
    x = np.random.default_rng(0).random((8, 1, 8, 8), np.float32)
    run = nmc.compile(net, target="akd1000", sample=x).simulate(x)
    assert run.figures["look"]["steps"]["seconds"] is None
    assert not [name for name in run.layers if name.endswith(("_s", "_j", "hops"))]
    assert {row["hops"] for row in run.figures["layers"]} == {None}
    assert run.constants.empty
    assert "latency" not in run._repr_html_()
    assert "not known" in run.report().html

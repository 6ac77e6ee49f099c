"""`nmc.compare` and `nmc.quantize` in Python: runs and number formats as tables."""

import numpy as np
import pytest
import torch

import nmcompile as nmc
from nmcompile.errors import NmcError
from nmcompile.interactive import data_of

pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    x = random.random((48, 16), np.float32)
    return x, x.reshape(48, 4, 4).sum(2).argmax(1)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(16, 12), torch.nn.ReLU(), torch.nn.Linear(12, 4))


@pytest.fixture(scope="module")
def runs(net, data):
    return {name: nmc.compile(net, target=target, calibration=data, bits=bits).simulate(
                *data, encoding="rate")
            for name, target, bits in (("wide", "loihi2", "8"), ("narrow", "loihi2", "2"),
                                       ("other", "loihi1", "8"))}


def test_runs_stand_beside_each_other_with_their_changes_and_causes(runs):
    found = nmc.compare(runs)
    assert list(found.table.columns) == ["wide", "narrow", "other"]
    for name, run in runs.items():
        assert found.table.at["accuracy", name] == run.figures["accuracy"]
        assert found.table.at["energy_j", name] == run.figures["energy_per_sample_j"]
    expected = found.table.at["energy_j", "other"] / found.table.at["energy_j", "wide"] - 1
    assert found.changes.at["energy_j", "other"] == pytest.approx(expected)
    assert any(cause.startswith("bits of weights: ") for cause in found.causes["narrow"])
    assert "target loihi2 -> loihi1" in found.causes["other"]
    assert repr(found) == "comparison of wide, narrow, other"


def test_a_build_that_was_written_is_compared_like_its_run(runs, tmp_path):
    build = runs["wide"].compiled.save(tmp_path / "build")
    found = nmc.compare({"run": runs["wide"], "build": build})
    assert found.table.at["cores", "build"] == found.table.at["cores", "run"]
    assert np.isnan(found.table.at["energy_j", "build"])
    assert "<td>not known</td>" in found._repr_html_()


def test_the_comparison_is_written_as_a_page(runs, tmp_path):
    page = nmc.compare(runs).report(tmp_path / "compared.html")
    assert (tmp_path / "compared.html").read_text("utf-8") == page.html
    assert "narrow" in page.html


def test_gates_name_the_runs_that_break_them(runs):
    found = nmc.compare(runs, gates=("energy_j<=+0.5%", "cores>=1"))
    assert "other" in found.broken["energy_j<=+0.5%"]
    assert found.broken["cores>=1"] == []
    assert "cores&gt;=1: kept" in found._repr_html_()
    with pytest.raises(NmcError, match="compare: takes two builds or more"):
        nmc.compare({"wide": runs["wide"]})
    with pytest.raises(NmcError, match="'joules' is not known"):
        nmc.compare(runs, gates=("joules<1",))


def test_names_are_escaped_in_a_notebook(runs):
    shown = nmc.compare({"<b>x</b>": runs["wide"], "y": runs["other"]})._repr_html_()
    assert "<b>x</b>" not in shown
    assert "&lt;b&gt;x&lt;/b&gt;" in shown


def test_quantization_is_told_by_layer_and_by_number_format(net, data):
    found = nmc.quantize(net, target="loihi2", calibration=data, bits="2", compare=True)
    assert list(found.layers.bits) == ["2", "2"]
    assert list(found.layers.weights) == [16 * 12, 12 * 4]
    assert (found.layers.error > 0).all()
    formats = found.number_formats
    assert formats.at["float32", "decisions_equal"] == 1
    assert formats.at["int2", "memory_bits"] == 2 * (16 * 12 + 12 * 4)
    assert repr(found).startswith("trace ")
    assert "int2" in found._repr_html_()
    alone = nmc.quantize(net, target="loihi2", calibration=data)
    assert alone.number_formats.empty


def test_a_check_tells_of_each_target_whether_the_network_fits(net, data):
    fits, refused = nmc.check(net, targets=("xylo_a3", "truenorth"), calibration=data)
    assert fits.problem == ""
    assert refused.problem.endswith("End the model in neurons that fire, and return their spikes.")


def test_data_are_pairs_of_whatever_numpy_makes_arrays_of():
    x, y = torch.rand(3, 2, requires_grad=True), torch.tensor([0, 1, 1])
    found = data_of((x, y))
    np.testing.assert_array_equal(found.x, x.detach().numpy())
    assert found.y.tolist() == [0, 1, 1]
    assert data_of(found) is found
    assert data_of([[1, 2], [3, 4]]).y is None
    for wrong, message in ((np.zeros(2), "y has shape \\(2,\\), x has 3 samples"),
                           (np.array([0.5, 1, 2]), "values that are no class numbers")):
        with pytest.raises(NmcError, match=message):
            data_of((x, wrong))
    with pytest.raises(NmcError, match="x: holds <U1 of shape"):
        data_of(["a"])
    with pytest.raises(NmcError, match="x: is no array of numbers"):
        data_of([[1, 2], [3]])
    half = torch.tensor([[0.5, 2]], dtype=torch.bfloat16)
    assert data_of(half).x.dtype == np.float32
    assert data_of(half).x.tolist() == [[0.5, 2]]

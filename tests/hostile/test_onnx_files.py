"""ONNX files that lie about their sizes, their data or their order are refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers.command import nmc, refusal
from onnx import TensorProto, helper, numpy_helper

GOLDEN = Path(__file__).parents[1] / "goldens" / "onnx" / "torch_script_13.onnx"
Change = Callable[[onnx.ModelProto], None]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """What `nmc inspect` says of a good file after `change`."""
    def inspect(change: Change) -> str:
        model = onnx.load(GOLDEN)
        change(model)
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        result = nmc(capsys, monkeypatch, "inspect", tmp_path / "m.onnx")
        assert (result.code, result.out) == (2, "")
        return refusal(result.err).replace(str(tmp_path / "m.onnx"), "FILE")
    return inspect


def external(location: str, offset: int = 0, length: int | None = None) -> Change:
    """Let the first weight say that its data lie elsewhere."""
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        size = len(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", str(offset)),
                           ("length", str(size if length is None else length))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    return change


@pytest.mark.parametrize("location", ["/etc/passwd", "../m.onnx", "a/../../m.onnx", "", "a\0b",
                                      "x" * 5000])
def test_data_outside_of_the_folder_are_not_read(refused, location: str) -> None:
    said = refused(external(location))
    assert "outside of the folder of the model. Put the data file beside the model." in said


def test_data_behind_a_link_that_leads_out_are_not_read(refused, tmp_path: Path) -> None:
    (tmp_path / "data.bin").symlink_to("/etc/passwd")
    assert "outside of the folder of the model" in refused(external("data.bin"))


def test_data_that_do_not_exist_or_end_early(refused, tmp_path: Path) -> None:
    assert "its data file 'none.bin' does not exist" in refused(external("none.bin"))
    (tmp_path / "data.bin").write_bytes(b"\0" * 16)
    assert "bytes at 0 of data.bin" in refused(external("data.bin"))
    assert "bytes at -4 of data.bin" in refused(external("data.bin", offset=-4))
    assert "bytes at 0 of data.bin" in refused(external("data.bin", length=2**60))


def test_data_beside_the_model_are_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    onnx.save_model(onnx.load(GOLDEN), tmp_path / "m.onnx", save_as_external_data=True,
                    location="data.bin", size_threshold=0)
    assert (tmp_path / "data.bin").stat().st_size > 0
    beside, inside = (nmc(capsys, monkeypatch, "inspect", path).out
                      for path in (tmp_path / "m.onnx", GOLDEN))
    assert beside == inside


def shape_of_first(*dims: int) -> Change:
    return lambda model: model.graph.initializer[0].dims.__setitem__(slice(None), dims)


@pytest.mark.parametrize(("change", "text"), [
    (shape_of_first(2**40, 2**20), "exceed what is read of one file"),
    (shape_of_first(-3), "holds a tensor of shape [-3]"),
    (shape_of_first(7, 7), "holds a tensor whose data do not fit its shape"),
    (lambda m: setattr(m.graph.initializer[0], "data_type", 8), "of type STRING cannot be"),
    (lambda m: setattr(m.graph.initializer[0], "data_type", 99), "of type 99 cannot be compiled"),
    (lambda m: setattr(m.opset_import[0], "version", 7), "FILE: is of opset 7; 13 to "),
    (lambda m: setattr(m.opset_import[0], "version", 999), "FILE: is of opset 999; 13 to "),
    (lambda m: m.graph.node[0].input.__setitem__(0, m.graph.node[-1].output[0]),
     "which nothing before it gives"),
    (lambda m: m.graph.node[1].output.__setitem__(0, m.graph.node[0].output[0]), "a second time"),
    (lambda m: m.graph.input.add(name="more"), "FILE: has 2 inputs; one is supported"),
    (lambda m: setattr(m.graph.node[0], "op_type", "Loop"),
     "operator Loop cannot be compiled. Give the network itself"),
    (lambda m: setattr(m.graph.node[0], "domain", "ai.onnx.ml"), "of 'ai.onnx.ml' cannot be"),
    (lambda m: m.functions.add(name="f"), "FILE: holds local functions. Inline them"),
    (lambda m: m.graph.sparse_initializer.add(), "FILE: holds sparse initializers"),
    (lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[2], "dim_value", 2**40),
     "numbers, 4,000,000 can be traced"),
    (lambda m: m.graph.node[0].attribute.append(helper.make_attribute("dilations", [2**62] * 2)),
     "of 4,611,686,018,427,387,904 is out of range"),
])
def test_a_file_that_lies_is_refused_in_one_line(refused, change: Change, text: str) -> None:
    assert text in refused(change)


GROWING = {
    "ConstantOfShape": ([2**20, 2**20], "ConstantOfShape", ["s"]),
    "Expand": ([1, 2**20, 8, 8], "Expand", ["x", "s"]),
    "Tile": ([1, 2**20, 2**20, 1], "Tile", ["x", "s"]),
    "Pad": ([0, 0, 2**30, 2**20, 0, 0, 0, 0], "Pad", ["x", "s"]),
}


@pytest.mark.parametrize("name", GROWING)
def test_an_operator_that_would_fill_the_memory_is_not_run(refused, name: str) -> None:
    sizes, operator, inputs = GROWING[name]

    def change(model: onnx.ModelProto) -> None:
        graph = model.graph
        graph.initializer.append(numpy_helper.from_array(np.array(sizes, np.int64), "s"))
        inputs[0] = graph.input[0].name if inputs[0] == "x" else inputs[0]
        grown = helper.make_node(operator, inputs, ["grown"], name="grown")
        graph.node.insert(0, grown)
        graph.node[1].input[0] = "grown"

    assert refused(change).startswith("grown: ")

"""ONNX, QONNX and QCDQ files go in: the graph's own values, its integers unchanged.

The files in tests/goldens/onnx were written by the exporters of torch 2.13 and Brevitas 0.13 with
tools/oracles/export_onnx.py, beside what the torch module gave; single operators are compared with
the reference evaluator of the onnx package.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from nmcompile.checks import compare
from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request
from nmcompile.frontends.onnx_file import FRONTEND
from nmcompile.frontends.onnx_import.model import OnnxModel
from nmcompile.frontends.onnx_import.read import read_graph
from nmcompile.ir import Network, run
from nmcompile.ir.maps import Grid

GOLDENS = Path(__file__).parents[1] / "goldens" / "onnx"
FILES = sorted(path.stem for path in GOLDENS.glob("*.onnx"))
NEWEST = onnx.defs.onnx_opset_version()


def network_of(path: Path, x: np.ndarray) -> tuple[Network, np.ndarray]:
    """The network of a file, and its output on `x`; what it traced agrees with the graph."""
    traced = FRONTEND.load(Request(path=path, sample=x))
    found = run(traced.network, traced.inputs).records
    difference = compare(traced.network, traced.expected, found)
    assert difference.differing == 0
    assert difference.error <= 1e-5 * max(1.0, difference.largest)
    port = traced.network.outputs[0]
    return traced.network, found[port.population][port.variable][:, 0]


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_an_exporter_gives_what_the_torch_module_gave(name: str) -> None:
    with np.load(GOLDENS / f"{name}.npz") as golden:
        x, y = golden["x"], golden["y"]
    _, found = network_of(GOLDENS / f"{name}.onnx", x)
    np.testing.assert_allclose(found.reshape(y.shape), y, atol=2e-5)


@pytest.mark.parametrize("name", ["brevitas_qcdq", "brevitas_qonnx"])
def test_weights_and_activations_of_brevitas_keep_their_integers(name: str) -> None:
    network, _ = network_of(GOLDENS / f"{name}.onnx", np.load(GOLDENS / f"{name}.npz")["x"])
    grids = [link.grid for p in network.projections for link in getattr(p.map, "maps", (p.map,))
             if getattr(link, "grid", None)]
    assert [g.bits for g in grids] == [4, 4, 4]
    assert [g.step.size for g in grids] == [4, 6, 1]
    steps = [p.neuron for p in network.populations if getattr(p.neuron, "step_size", 0)]
    levels = [np.rint((n.high - n.low) / n.step_size) + 1 for n in steps]
    assert levels == [2**8, 2**3, 2**4]


def constant(name: str, values: object) -> TensorProto:
    array = np.asarray(values)
    kind = np.int64 if array.dtype.kind == "i" and array.dtype != np.int8 else array.dtype
    return numpy_helper.from_array(
        array.astype(np.float32 if array.dtype.kind == "f" else kind), name)


def write(path: Path, nodes: list[onnx.NodeProto], constants: list[TensorProto],
          shape: tuple[int, ...], opset: int = NEWEST) -> Path:
    """A file of `nodes` from "x" (samples, *shape) to "y"."""
    graph = helper.make_graph(
        nodes, "graph", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
    domains = {node.domain for node in nodes}
    imports = [helper.make_opsetid(d, opset if not d else 1) for d in sorted(domains | {""})]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=10), path)
    return path


rng = np.random.default_rng(0)


def uniform(*shape: int) -> np.ndarray:
    return rng.uniform(-1, 1, shape).astype(np.float32)


def node(operator: str, *inputs: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(operator, ["x", *inputs], ["y"], **attributes)


IMAGE = (4, 6, 5)
OPERATORS = {
    "Gemm": (node("Gemm", "w", "b", alpha=0.5, beta=2.0), {"w": uniform(6, 3), "b": uniform(3)},
             (6,)),
    "Gemm, transposed": (node("Gemm", "w", transB=1), {"w": uniform(3, 6)}, (6,)),
    "MatMul": (node("MatMul", "w"), {"w": uniform(5, 3)}, (4, 5)),
    "Conv, unequal pads": (node("Conv", "w", "b", pads=[0, 1, 2, 1], strides=[2, 1], group=2),
                           {"w": uniform(6, 2, 3, 2), "b": uniform(6)}, IMAGE),
    "Conv, SAME_UPPER": (node("Conv", "w", auto_pad="SAME_UPPER", strides=[2, 2]),
                         {"w": uniform(3, 4, 3, 2)}, IMAGE),
    "Conv, SAME_LOWER, dilated": (node("Conv", "w", auto_pad="SAME_LOWER", dilations=[2, 1]),
                                  {"w": uniform(3, 4, 2, 2)}, IMAGE),
    "Conv of one axis": (node("Conv", "w", pads=[1, 1]), {"w": uniform(3, 4, 3)}, (4, 7)),
    "Conv of three axes": (node("Conv", "w"), {"w": uniform(2, 3, 2, 2, 2)}, (3, 3, 4, 3)),
    "ConvTranspose": (node("ConvTranspose", "w", strides=[2, 2], pads=[1, 1, 1, 1],
                           output_padding=[1, 1]), {"w": uniform(4, 3, 3, 3)}, IMAGE),
    "BatchNormalization": (node("BatchNormalization", "s", "b", "m", "v", epsilon=1e-3),
                           {"s": uniform(4), "b": uniform(4), "m": uniform(4),
                            "v": uniform(4) + 2}, IMAGE),
    "AveragePool": (node("AveragePool", kernel_shape=[2, 2], strides=[2, 1]), {}, IMAGE),
    "AveragePool, padding not counted": (node("AveragePool", kernel_shape=[3, 3],
                                              pads=[1, 1, 1, 1]), {}, IMAGE),
    "AveragePool, padding counted": (node("AveragePool", kernel_shape=[2, 2], pads=[0, 1, 1, 0],
                                          count_include_pad=1), {}, IMAGE),
    "GlobalAveragePool": (node("GlobalAveragePool"), {}, IMAGE),
    "MaxPool": (node("MaxPool", kernel_shape=[2, 3], strides=[2, 1]), {}, IMAGE),
    "MaxPool, ceil_mode": (node("MaxPool", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1), {},
                           IMAGE),
    "MaxPool, dilated": (node("MaxPool", kernel_shape=[2, 2], dilations=[2, 3]), {}, IMAGE),
    "MaxPool of three axes": (node("MaxPool", kernel_shape=[2, 1, 2]), {}, (3, 3, 4, 3)),
    "LpPool of order 1": (node("LpPool", kernel_shape=[2, 3], strides=[2, 1], p=1), {}, IMAGE),
    "GlobalMaxPool": (node("GlobalMaxPool"), {}, IMAGE),
    "Flatten, axis 2": (node("Flatten", axis=1), {}, IMAGE),
    "Reshape, sizes kept": (node("Reshape", "s"), {"s": np.array([0, 6, -1])}, IMAGE),
    "Transpose": (node("Transpose", perm=[0, 3, 1, 2]), {}, IMAGE),
    "Concat": (helper.make_node("Concat", ["x", "x"], ["y"], axis=1), {},
               (3,)),
    "Slice": (node("Slice", "s", "e", "a", "t"), {
        "s": np.array([1, -4]), "e": np.array([3, 99]), "a": np.array([1, 2]),
        "t": np.array([1, 2])}, IMAGE),
    "Slice, backwards": (node("Slice", "s", "e", "a", "t"), {
        "s": np.array([3, -2]), "e": np.array([0, -99]), "a": np.array([1, 2]),
        "t": np.array([-1, -2])}, IMAGE),
    "Pad": (node("Pad", "p"), {"p": np.array([0, 0, 1, 0, 0, 0, 2, 1])}, IMAGE),
    "Pad, reflect, of some axes": (node("Pad", "p", "", "a", mode="reflect"), {
        "p": np.array([1, 2]), "a": np.array([3])}, IMAGE),
    "Gather": (node("Gather", "i", axis=2), {"i": np.array([3, 0, -1])}, IMAGE),
    "Gather of one": (node("Gather", "i", axis=1), {"i": np.array(2)}, IMAGE),
    "Unsqueeze": (node("Unsqueeze", "a"), {"a": np.array([1, -1])}, (3,)),
    "Squeeze": (node("Squeeze", "a"), {"a": np.array([2])}, (3, 1, 2)),
    "Add, Mul with constants": (node("Add", "c"), {"c": uniform(4, 1, 1)}, IMAGE),
    "Sub": (helper.make_node("Sub", ["c", "x"], ["y"]), {"c": uniform(5)}, IMAGE),
    "Div": (node("Div", "c"), {"c": uniform(1, 5) + 2}, IMAGE),
    "ReduceMean": (node("ReduceMean", "a", keepdims=0), {"a": np.array([-1, -2])}, IMAGE),
    "ReduceSum": (node("ReduceSum", "a"), {"a": np.array([2])}, IMAGE),
    "Resize": (node("Resize", "", "s", mode="nearest", nearest_mode="floor",
                    coordinate_transformation_mode="asymmetric"),
               {"s": np.array([1.0, 1.0, 2.0, 3.0])}, IMAGE),
    "Resize, linear": (node("Resize", "", "s", mode="linear",
                            coordinate_transformation_mode="half_pixel"),
                       {"s": np.array([1.0, 1.0, 2.0, 3.0])}, IMAGE),
    "Resize, linear, corners aligned": (
        node("Resize", "", "s", mode="linear", coordinate_transformation_mode="align_corners"),
        {"s": np.array([1.0, 1.0, 1.5, 2.0])}, IMAGE),
    "DepthToSpace": (node("DepthToSpace", blocksize=2), {}, IMAGE),
    "DepthToSpace, CRD": (node("DepthToSpace", blocksize=2, mode="CRD"), {}, IMAGE),
    "Einsum": (node("Einsum", "w", equation="nchw,cd->ndhw"), {"w": uniform(4, 2)}, IMAGE),
    "Relu": (node("Relu"), {}, (6,)),
    "Clip": (node("Clip", "l", "h"), {"l": np.array(-0.2), "h": np.array(0.6)}, (6,)),
    "Clip of one side": (node("Clip", "l"), {"l": np.array(0.1)}, (6,)),
    "LeakyRelu": (node("LeakyRelu", alpha=0.3), {}, (6,)),
    "PRelu": (node("PRelu", "s"), {"s": uniform(4, 1, 1)}, IMAGE),
    "HardSigmoid": (node("HardSigmoid", alpha=0.3, beta=0.4), {}, (6,)),
    "Abs": (node("Abs"), {}, (6,)),
    "Max": (node("Max", "c"), {"c": uniform(6)}, (6,)),
    "Split": (helper.make_node("Split", ["x"], ["u", "y"], axis=1, num_outputs=2), {}, (6,)),
    "Expand": (node("Expand", "s"), {"s": np.array([1, 4, 6])}, (1, 6)),
    "Tile": (node("Tile", "r"), {"r": np.array([1, 2, 3])}, (2, 3)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_gives_what_onnx_s_reference_gives(name: str, tmp_path: Path) -> None:
    operator, constants, shape = OPERATORS[name]
    path = write(tmp_path / "m.onnx", [operator], [constant(k, v) for k, v in constants.items()],
                 shape)
    x = uniform(3, *shape)
    (wanted,) = ReferenceEvaluator(str(path)).run(None, {"x": x})
    (found,) = OnnxModel(read_graph(path))(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in OPERATORS if n not in ("Expand", "Tile")])
def test_an_operator_behind_an_activation_goes_in(name: str, tmp_path: Path) -> None:
    operator, constants, shape = OPERATORS[name]
    first = helper.make_node("Relu", ["x"], ["r"])
    renamed = onnx.NodeProto()
    renamed.CopyFrom(operator)
    for index, given in enumerate(renamed.input):
        renamed.input[index] = "r" if given == "x" else given
    path = write(tmp_path / "m.onnx", [first, renamed],
                 [constant(k, v) for k, v in constants.items()], shape)
    x = uniform(7, *shape)
    (wanted,) = ReferenceEvaluator(str(path)).run(None, {"x": x})
    _, found = network_of(path, x)
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, atol=1e-5)


@pytest.mark.parametrize("opset", [13, 17, 21, NEWEST])
def test_quantised_layers_of_every_opset_give_what_the_reference_gives(
    opset: int, tmp_path: Path
) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["qx"]),
        helper.make_node("DequantizeLinear", ["qx", "sx", "zx"], ["dx"]),
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["dw"], axis=0),
        helper.make_node("Transpose", ["dw"], ["dwt"], perm=[1, 0]),
        helper.make_node("MatMul", ["dx", "dwt"], ["m"]),
        helper.make_node("Relu", ["m"], ["y"]),
    ]
    weight = rng.integers(-7, 8, (3, 6)).astype(np.int8)
    constants = [
        constant("sx", np.array(0.02)), constant("zx", np.array(5, np.int8)),
        constant("w", weight), constant("sw", np.array([0.1, 0.2, 0.05])),
        constant("zw", np.zeros(3, np.int8))]
    x = uniform(9, 6) * 3
    evaluated = write(tmp_path / "r.onnx", nodes, constants, (6,), max(opset, 19))
    (wanted,) = ReferenceEvaluator(str(evaluated)).run(None, {"x": x})
    path = write(tmp_path / "m.onnx", nodes, constants, (6,), opset)
    network, found = network_of(path, x)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    (projection,) = [p for p in network.projections if p.target == network.populations[-1].name]
    grid: Grid = getattr(projection.map, "maps", (projection.map,))[-1].grid
    assert grid.bits == 8
    np.testing.assert_array_equal(
        grid.integers(projection.map.weights().reshape(3, 6)), weight)


def test_a_mean_over_space_is_added_to_each_place(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["r"]),
             helper.make_node("ReduceMean", ["r", "a"], ["m"]),
             helper.make_node("Add", ["r", "m"], ["y"])]
    path = write(tmp_path / "m.onnx", nodes, [constant("a", np.array([2, 3]))], IMAGE)
    x = uniform(7, *IMAGE)
    (wanted,) = ReferenceEvaluator(str(path)).run(None, {"x": x})
    _, found = network_of(path, x)
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, atol=1e-5)


def test_a_sign_times_a_magnitude_is_what_it_was(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("MatMul", ["r", "w"], ["m"]),
             helper.make_node("Sign", ["m"], ["s"]), helper.make_node("Abs", ["m"], ["a"]),
             helper.make_node("Relu", ["a"], ["n"]), helper.make_node("Mul", ["s", "n"], ["y"])]
    path = write(tmp_path / "m.onnx", nodes, [constant("w", uniform(6, 3))], (6,))
    x = uniform(7, 6)
    (wanted,) = ReferenceEvaluator(str(path)).run(None, {"x": x})
    _, found = network_of(path, x)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_shapes_that_the_file_computes_with_a_remainder_go_in(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Mod", ["p", "q"], ["k"]),
             helper.make_node("Reshape", ["r", "k"], ["f"]),
             helper.make_node("MatMul", ["f", "w"], ["y"])]
    constants = [constant("p", np.array([7, -1])), constant("q", np.array([7, 25])),
                 constant("w", uniform(24, 3))]
    path = write(tmp_path / "m.onnx", nodes, constants, (4, 6))
    x = uniform(5, 4, 6)
    (wanted,) = ReferenceEvaluator(str(path)).run(None, {"x": x})
    _, found = network_of(path, x)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_file_for_one_sample_takes_many(tmp_path: Path) -> None:
    shape = constant("s", np.array([1, 24]))
    nodes = [helper.make_node("Relu", ["x"], ["r"]),
             helper.make_node("Reshape", ["r", "s"], ["f"]),
             helper.make_node("MatMul", ["f", "w"], ["y"])]
    path = write(tmp_path / "m.onnx", nodes, [shape, constant("w", uniform(24, 3))], (4, 6))
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, path)
    x = uniform(5, 4, 6)
    _, found = network_of(path, x)
    wanted = [ReferenceEvaluator(str(path)).run(None, {"x": row[None]})[0][0] for row in x]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_decisions_behind_a_softmax_are_taken_before_it(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("MatMul", ["r", "w"], ["m"]),
             helper.make_node("Softmax", ["m"], ["y"])]
    path = write(tmp_path / "m.onnx", nodes, [constant("w", uniform(6, 3))], (6,))
    network, _ = network_of(path, uniform(5, 6))
    assert any("the output is taken before" in note for note in network.notes)


@pytest.mark.parametrize(("operator", "text"), [
    (node("Softmax"), "Softmax"), (node("Sigmoid"), "it is no ReLU"),
    (node("LSTM", "w", "w"), "operator LSTM cannot be compiled. Give the network itself"),
    (helper.make_node("Foo", ["x"], ["y"], domain="mine"), "operator Foo of 'mine' cannot be"),
])
def test_what_cannot_go_in_is_refused_by_name(
    operator: onnx.NodeProto, text: str, tmp_path: Path
) -> None:
    operator.output[0] = "s"
    path = write(tmp_path / "m.onnx", [operator, helper.make_node("Relu", ["s"], ["r"]),
                                       helper.make_node("MatMul", ["r", "w"], ["y"])],
                 [constant("w", uniform(6, 6))], (6,))
    with pytest.raises(NmcError, match=text):
        FRONTEND.load(Request(path=path, sample=uniform(5, 6)))

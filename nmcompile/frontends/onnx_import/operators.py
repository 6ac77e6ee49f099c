"""The operators of ONNX that can be run, by name."""

from nmcompile.frontends.onnx_import.elementwise_operators import ELEMENTS
from nmcompile.frontends.onnx_import.linear_operators import LAYERS
from nmcompile.frontends.onnx_import.operator import Operator
from nmcompile.frontends.onnx_import.shape_operators import SHAPES

OPERATORS: dict[str, Operator] = {**LAYERS, **SHAPES, **ELEMENTS}
UNROLLED = "Give the network itself: nmc compile model.pt --code FILE.py:CLASS."
INTEGER = "Export in the QDQ form, with QuantizeLinear and DequantizeLinear."
NORMALISED = "Train with batch normalisation."
# What to do about operators that are met often.
REFUSED = {
    **dict.fromkeys(("If", "Loop", "Scan", "LSTM", "GRU", "RNN"), UNROLLED),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"), INTEGER),
    **dict.fromkeys(("LayerNormalization", "InstanceNormalization", "GroupNormalization"),
                    NORMALISED),
}

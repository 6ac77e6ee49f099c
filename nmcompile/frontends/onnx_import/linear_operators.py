"""Layers and pooling of ONNX in torch's functions. Semantics: onnx.ai/onnx/operators."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nmcompile.errors import UnsupportedLayerError
from nmcompile.frontends.onnx_import.operator import Attributes, Operator


def _axes(x: Tensor, name: str) -> int:
    """Axes of space of `x`, which is (samples, channels, space...)."""
    if not 3 <= x.dim() <= 5:
        raise UnsupportedLayerError(
            name, f"takes a tensor of {x.dim()} axes, expected samples, channels and 1 "
            "to 3 of space")
    return x.dim() - 2


def _window(a: Attributes, x: Tensor, kernel: list[int]) -> tuple[list[int], ...]:
    """Strides, dilations, and padding before and after each axis of space."""
    n = _axes(x, a.name)
    strides, dilations = a.numbers("strides", [1] * n), a.numbers("dilations", [1] * n)
    pads, mode = a.numbers("pads", [0] * 2 * n), a.text("auto_pad", "NOTSET")
    if len(kernel) != n or len(strides) != n or len(dilations) != n or len(pads) != 2 * n:
        raise UnsupportedLayerError(
            a.name, "its kernel, strides, dilations or pads do not fit its input")
    if min(*kernel, *strides, *dilations) < 1 or min(pads) < 0:
        raise UnsupportedLayerError(a.name, "kernels, strides and dilations start at 1, pads at 0")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        missing = [
            max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
            for size, s, k, d in zip(x.shape[2:], strides, kernel, dilations, strict=True)
        ]
        small, large = [m // 2 for m in missing], [m - m // 2 for m in missing]
        pads = [*small, *large] if mode == "SAME_UPPER" else [*large, *small]
    elif mode == "VALID":
        pads = [0] * 2 * n
    return strides, dilations, pads[:n], pads[n:]


def _padded(x: Tensor, before: list[int], after: list[int]) -> tuple[Tensor, list[int]]:
    """`x` with the padding that is not equal on both sides; what is left for the operation."""
    if before == after:
        return x, before
    sides = [n for pair in zip(before[::-1], after[::-1], strict=True) for n in pair]
    return functional.pad(x, sides), [0] * len(before)


def _convolution(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    strides, dilations, before, after = _window(a, x, list(w.shape[2:]))
    x, padding = _padded(x, before, after)
    function = (functional.conv1d, functional.conv2d, functional.conv3d)[x.dim() - 3]
    return function(x, w, b, strides, padding, dilations, a.number("group", 1))


def _transposed(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    strides, dilations, before, after = _window(a, x, list(w.shape[2:]))
    if before != after or a.numbers("output_shape", []) or a.text("auto_pad", "NOTSET") != "NOTSET":
        raise UnsupportedLayerError(
            a.name, "a transposed convolution needs equal pads on both sides and no "
            "output_shape")
    function = (functional.conv_transpose1d, functional.conv_transpose2d,
                functional.conv_transpose3d)[x.dim() - 3]
    more = a.numbers("output_padding", [0] * len(strides))
    return function(x, w, b, strides, before, more, a.number("group", 1), dilations)


def _gemm(a: Attributes, x: Tensor, w: Tensor, c: Tensor | None = None) -> Tensor:
    x = x.t() if a.number("transA", 0) else x
    alpha, beta = a.real("alpha", 1.0), a.real("beta", 1.0)
    weight = w if a.number("transB", 0) else w.t()
    if alpha == 1 and (c is None or (beta == 1 and c.shape == weight.shape[:1])):
        return functional.linear(x, weight, c)
    product = functional.linear(x, weight) * alpha
    return product if c is None else product + beta * c


def _normalised(
    a: Attributes, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    if a.number("training_mode", 0):
        raise UnsupportedLayerError(
            a.name, "a batch normalisation in training mode", "Export model.eval().")
    return functional.batch_norm(x, mean, variance, scale, bias, False, 0.0,
                                 a.real("epsilon", 1e-5))


def _average(a: Attributes, x: Tensor) -> Tensor:
    kernel = a.numbers("kernel_shape", [])
    strides, dilations, before, after = _window(a, x, kernel)
    counted = bool(a.number("count_include_pad", 0))
    if max(dilations) > 1 or (before != after and not counted):
        raise UnsupportedLayerError(
            a.name, "average pooling with dilations, or with unequal pads that are not "
            "counted")
    x, padding = _padded(x, before, after)
    function = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[x.dim() - 3]
    return function(x, kernel, strides, padding, bool(a.number("ceil_mode", 0)),
                    counted or not any(padding))


def _largest(a: Attributes, x: Tensor) -> Tensor:
    kernel = a.numbers("kernel_shape", [])
    strides, dilations, before, after = _window(a, x, kernel)
    if before != after or a.number("storage_order", 0):
        raise UnsupportedLayerError(
            a.name, "max pooling with unequal pads, or in another storage order")
    function = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[x.dim() - 3]
    return function(x, kernel, strides, before, dilations, bool(a.number("ceil_mode", 0)))


def _global_average(a: Attributes, x: Tensor) -> Tensor:
    return x.mean(tuple(range(2, 2 + _axes(x, a.name))), keepdim=True)


def _global_largest(a: Attributes, x: Tensor) -> Tensor:
    function: Any = (functional.adaptive_max_pool1d, functional.adaptive_max_pool2d,
                     functional.adaptive_max_pool3d)[_axes(x, a.name) - 1]
    return function(x, 1)


def _sum_of_sizes(a: Attributes, x: Tensor) -> Tensor:
    """LpPool of order 1: the sum of the magnitudes in each window."""
    kernel = a.numbers("kernel_shape", [])
    strides, dilations, before, after = _window(a, x, kernel)
    if a.number("p", 2) != 1 or max(dilations) > 1 or a.number("ceil_mode", 0):
        raise UnsupportedLayerError(
            a.name, "LpPool of another order than 1, with dilations or with ceil_mode",
            "Use average pooling, or LpPool with p=1.")
    x, padding = _padded(torch.abs(x), before, after)
    function = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[x.dim() - 3]
    return function(x, kernel, strides, padding) * float(prod(kernel))


def _resized(
    a: Attributes, x: Tensor, roi: Tensor | None = None, scales: Tensor | None = None,
    sizes: Tensor | None = None,
) -> Tensor:
    """Resize of space: to the nearest neighbour by whole factors, or linearly."""
    mode = a.text("mode", "nearest")
    at = a.text("coordinate_transformation_mode", "half_pixel")
    wanted = _wanted(a, x, scales, sizes)
    if mode == "nearest" and at in ("asymmetric", "half_pixel", "pytorch_half_pixel"):
        if any(m % n for m, n in zip(wanted, x.shape[2:], strict=True)):
            raise UnsupportedLayerError(
                a.name, "resizing to the nearest neighbour by something else than "
                "whole factors of space")
        return functional.interpolate(x, size=wanted, mode="nearest")
    exact = scales is None or not scales.numel() or all(
        abs(n * float(s) - m) < 1e-3
        for n, s, m in zip(x.shape[2:], scales[2:], wanted, strict=True))
    linear = ("linear", "bilinear", "trilinear")[_axes(x, a.name) - 1]
    corners = at == "align_corners"
    off_grid = at == "pytorch_half_pixel" and 1 in wanted
    if mode != "linear" or not exact or a.number("antialias", 0) or at not in (
            "half_pixel", "pytorch_half_pixel", "align_corners") or off_grid:
        raise UnsupportedLayerError(
            a.name, f"resizing of mode {mode[:20]} at {at[:30]}, or to sizes that are "
            "not whole", "Resize to the nearest neighbour or linearly, with half_pixel "
            "or align_corners.")
    return functional.interpolate(x, size=wanted, mode=linear, align_corners=corners)


def _wanted(
    a: Attributes, x: Tensor, scales: Tensor | None, sizes: Tensor | None
) -> list[int]:
    """Sizes of space after a Resize, which leaves samples and channels."""
    wanted = ([int(n * s) for n, s in zip(x.shape, scales.to(torch.float32), strict=True)]
              if scales is not None and scales.numel() else
              [int(n) for n in sizes] if sizes is not None else [])
    if len(wanted) != x.dim() or wanted[1] != x.shape[1] or a.numbers("axes", []):
        raise UnsupportedLayerError(a.name, "resizing of something else than space")
    return wanted[2:]


LAYERS: dict[str, Operator] = {
    "Conv": _convolution, "ConvTranspose": _transposed, "Gemm": _gemm,
    "MatMul": lambda a, x, y: torch.matmul(x, y),
    "BatchNormalization": _normalised, "AveragePool": _average, "MaxPool": _largest,
    "GlobalAveragePool": _global_average, "GlobalMaxPool": _global_largest, "Resize": _resized,
    "LpPool": _sum_of_sizes,
    "Einsum": lambda a, *x: torch.einsum(a.text("equation", ""), *x),
}

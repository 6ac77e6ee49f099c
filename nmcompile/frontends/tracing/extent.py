"""How large a result will be, asked before it takes memory."""

from __future__ import annotations

from itertools import zip_longest
from math import prod
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map_only

from nmcompile.errors import ModelSizeError

MAX_RESULT = 1 << 28  # elements of one result: 1 GiB of 32-bit numbers
MAX_PARTS = 100_000  # tensors of one result
# Operations whose results are as large as a number among their arguments says.
GROWING = frozenset("""
    _adaptive_avg_pool2d _adaptive_avg_pool3d arange constant_pad_nd
    convolution_overrideable empty expand eye full full_like im2col index_select linspace
    new_empty new_full new_ones new_zeros ones randn rand reflection_pad1d reflection_pad2d
    reflection_pad3d repeat replication_pad1d replication_pad2d replication_pad3d
    upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_nearest1d
    max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d
    upsample_nearest2d upsample_nearest3d zeros avg_pool2d avg_pool3d max_pool2d_with_indices
    pixel_shuffle as_strided
""".split())
PRODUCTS = frozenset(["mm", "addmm", "bmm", "baddbmm"])  # of their last two tensors
# Operations on single elements, whose result is as large as their tensors spread to one shape.
JOINING = frozenset("add div maximum minimum mul sub where pow eq gt ge lt le".split())
GATHERING = frozenset(["cat", "stack"])  # all that their tensors hold
MAKING = frozenset("arange empty eye full linspace ones rand randn zeros".split())  # out of nothing
POOLING = frozenset("""
    avg_pool2d avg_pool3d max_pool2d_with_indices max_pool3d_with_indices
""".split())
DIVIDING = frozenset(["unbind", "split", "chunk", "split_with_sizes", "tensor_split"])


def require_modest(
    name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], where: str
) -> None:
    """Raise NmcError where operation `name` would give more than can be followed."""
    if name in DIVIDING:
        parts = max((max(t.shape, default=0) for t in tree_leaves(args)
                     if isinstance(t, torch.Tensor)), default=0)
        if parts > MAX_PARTS:
            raise ModelSizeError(where, f"{name} of {parts:,} parts; {MAX_PARTS:,} are followed")
    if name in PRODUCTS or name in JOINING:
        _require_few(name, _joined(name, args), where)
    if name in GATHERING:
        _require_few(name, sum(t.numel() for t in tree_leaves(args)
                               if isinstance(t, torch.Tensor)), where)
    if name == "convolution":
        _require_few(name, _convolved(args), where)
    if name not in GROWING or (name in POOLING and _pooled_at_most(args) <= MAX_RESULT):
        return
    shadow = tree_map_only(torch.Tensor, lambda t: t.to("meta"), (args, kwargs))
    placed = "device" in kwargs or name in MAKING
    given = {**shadow[1], "device": torch.device("meta")} if placed else shadow[1]
    result = function(*shadow[0], **given)
    _require_few(
        name, sum(t.numel() for t in tree_leaves(result) if isinstance(t, torch.Tensor)), where)


def _require_few(name: str, elements: int, where: str) -> None:
    if elements > MAX_RESULT:
        raise ModelSizeError(
            where, f"{name} gives {elements:,} numbers; {MAX_RESULT:,} are followed",
            "Give fewer samples, or a smaller model.")


def _convolved(args: tuple[Any, ...]) -> int:
    """Elements of a convolution of (samples, channels, ...), as torch.nn.Conv2d gives its size.

    args  of aten.convolution; torch's own computation of it imports sympy
    """
    given, weight, _, *lists, transposed, output_padding, groups = args
    axes = given.dim() - 2
    strides, pads, gaps, more = (
        tuple(each) * (axes if len(each) == 1 else 1) for each in (*lists, output_padding))
    sizes = []
    for size, kernel, stride, pad, gap, added in zip(
            given.shape[2:], weight.shape[2:], strides, pads, gaps, more, strict=True):
        reach = gap * (kernel - 1) + 1
        sizes.append((size - 1) * stride - 2 * pad + reach + added if transposed
                     else (size + 2 * pad - reach) // stride + 1)
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    return int(given.shape[0] * channels * prod(max(0, size) for size in sizes))


def _pooled_at_most(args: tuple[Any, ...]) -> int:
    """Elements that a pooling, and its places, do not exceed: those of the padded tensor, twice.

    args  of the operation: the tensor, the size, the stride and the padding of its windows, ...
    """
    pads = tuple(args[3]) if len(args) > 3 else (0,)
    axes = args[0].shape[-len(args[1]):]
    padded = prod(size + 2 * pad for size, pad in zip(
        axes, pads * (len(axes) if len(pads) == 1 else 1), strict=True))
    return int(2 * prod(args[0].shape[: -len(axes)]) * padded)


def _joined(name: str, args: tuple[Any, ...]) -> int:
    """Elements of a product of matrices, or of tensors spread to the largest size of each axis."""
    shapes = [t.shape for t in args if isinstance(t, torch.Tensor)]
    if name in PRODUCTS:
        return prod(shapes[-2][:-1]) * shapes[-1][-1]
    axes = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    return prod(map(max, axes))

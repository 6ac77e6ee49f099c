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
    _adaptive_avg_pool2d _adaptive_avg_pool3d arange constant_pad_nd convolution
    convolution_overrideable empty expand eye full full_like im2col index_select linspace
    new_empty new_full new_ones new_zeros ones randn rand reflection_pad1d reflection_pad2d
    reflection_pad3d repeat replication_pad1d replication_pad2d replication_pad3d
    upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_nearest1d
    max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d
    upsample_nearest2d upsample_nearest3d zeros avg_pool2d avg_pool3d max_pool2d_with_indices
    pixel_shuffle cat stack as_strided
""".split())
PRODUCTS = frozenset(["mm", "addmm", "bmm", "baddbmm"])  # of their last two tensors
# Operations on single elements, whose result is as large as their tensors spread to one shape.
JOINING = frozenset("add div maximum minimum mul sub where pow eq gt ge lt le".split())
MAKING = frozenset("arange empty eye full linspace ones rand randn zeros".split())  # out of nothing
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
    if name not in GROWING:
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


def _joined(name: str, args: tuple[Any, ...]) -> int:
    """Elements of a product of matrices, or of tensors spread to the largest size of each axis."""
    shapes = [t.shape for t in args if isinstance(t, torch.Tensor)]
    if name in PRODUCTS:
        return prod(shapes[-2][:-1]) * shapes[-1][-1]
    axes = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    return prod(map(max, axes))

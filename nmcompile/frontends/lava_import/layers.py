"""The maps of a `.net` file's layers, as netx builds them (lava-dl netx/hdf5.py)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import scipy.sparse

from nmcompile.errors import ParameterError, UnsupportedLayerError
from nmcompile.frontends.lava_import.neurons import Shape, number
from nmcompile.frontends.lava_import.read import Layer, numbers_of
from nmcompile.ir.maps import Chain, Conv, Dense, Grid, LinearMap, from_matrix
from nmcompile.ir.neurons.base import Array

MAX_DELAYS = 63  # different ones; netx clamps at 62
MAX_WINDOW = 10**6


def shape_of(where: str, layer: Layer) -> Shape:
    """(features,) or (channels, rows, columns) as the file says."""
    shape = tuple(int(n) for n in np.atleast_1d(numbers_of(where, layer, "shape", 0)).reshape(-1))
    if not shape or len(shape) > 3 or min(shape) < 1 or prod(shape) > 10**8:
        raise UnsupportedLayerError(where, f"a shape of {shape} cannot be compiled")
    return shape


def dense(where: str, layer: Layer, name: str, n_in: int | None, n_out: int) -> Dense:
    """The weights `name` of a dense layer; complex ones lead to two currents."""
    parts = [part.reshape(n_out, -1) if part.ndim == 1 and part.size % n_out == 0 else part
             for part in _parts(where, layer, name)]
    for weight in parts:
        if weight.ndim != 2 or len(weight) != n_out or n_in not in (None, weight.shape[1]):
            raise ParameterError(where, f"its {name} has shape {weight.shape}, expected ({n_out}, "
                                 f"{'inputs' if n_in is None else n_in})")
    weight = parts[0] if len(parts) == 1 else _joined(where, name, parts)
    out = (n_out,) if len(parts) == 1 else (2, n_out)
    return Dense(weight=weight, in_shape=weight.shape[1:], out_shape=out, grid=_grid(weight))


def _grid(weight: Array) -> Grid | None:
    """The integers of a synapse: even ones of 8 bits as slayer trains them, or any of 9."""
    step = 1 if np.any(weight % 2) else 2
    bits = 9 if step == 1 else 8
    levels = weight / step
    if not levels.size or np.any(weight % 1) or levels.min() < -(2 ** (bits - 1)) or (
            levels.max() >= 2 ** (bits - 1)):
        return None
    return Grid(step=np.full((), step, np.float32), bits=bits)


def _parts(where: str, layer: Layer, name: str) -> list[Array]:
    """The weights, or their real and their imaginary part."""
    found = layer.get(name)
    if isinstance(found, dict):
        if set(found) != {"real", "imag"}:
            raise ParameterError(
                where, f"its {name} holds {', '.join(sorted(found))[:60]}, expected "
                "real and imag")
        return [numbers_of(where, found, part).astype(np.float32) for part in ("real", "imag")]
    return [numbers_of(where, layer, name).astype(np.float32)]


def _joined(where: str, name: str, parts: list[Array]) -> Array:
    if parts[0].shape != parts[1].shape:
        raise ParameterError(
            where, f"the real and the imaginary {name} have shapes {parts[0].shape} "
            f"and {parts[1].shape}")
    return np.concatenate(parts)


def delayed(where: str, layer: Layer, linear: Dense) -> list[tuple[int, LinearMap]]:
    """`linear` by the delays of its synapses: (steps, map) for each that there is."""
    if "delay" not in layer:
        return [(0, linear)]
    if len(linear.out_shape) > 1:
        raise UnsupportedLayerError(where, "delays before resonators cannot be compiled")
    delay, weight = numbers_of(where, layer, "delay"), linear.weight
    n_out, n_in = weight.shape
    forms = {1: (1, 1), n_out: (n_out, 1), n_in: (1, n_in), n_out * n_in: (n_out, n_in)}
    if delay.size not in forms or np.any(delay < 0) or np.any(delay != np.rint(delay)):
        raise ParameterError(
            where, f"its {delay.size} delays do not fit weights of {n_out} x {n_in}")
    each = np.broadcast_to(delay.reshape(forms[delay.size]), weight.shape)
    different = np.unique(each)
    if len(different) > MAX_DELAYS:
        raise UnsupportedLayerError(
            where, f"{len(different)} different delays; {MAX_DELAYS} can be compiled")
    if len(different) == 1:
        return [(int(different[0]), linear)]
    targets, sources = np.nonzero(weight)
    values, lags = weight[targets, sources], each[targets, sources]
    maps: list[tuple[int, LinearMap]] = []
    for steps in different:
        late = np.flatnonzero(lags == steps)
        synapses = scipy.sparse.coo_array((values[late], (sources[late], targets[late])),
                                          shape=(n_in, n_out))
        maps.append((int(steps), from_matrix(synapses, linear.in_shape, linear.out_shape)))
    return maps


def conv(where: str, layer: Layer, before: Shape) -> Conv:
    """A convolution; its kernel is stored as torch has it, with an axis of one at the end."""
    parts, groups = _parts(where, layer, "weight"), number(where, layer, "groups", 1)
    if len(parts) > 1 and groups > 1:
        raise UnsupportedLayerError(where, "a complex convolution in groups cannot be compiled")
    weight = parts[0] if len(parts) == 1 else _joined(where, "weight", parts)
    if weight.ndim == 5 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if weight.ndim != 4 or len(before) != 3:
        raise UnsupportedLayerError(
            where, f"a kernel of shape {weight.shape} over {before} is no convolution")
    return Conv(
        weight=np.ascontiguousarray(weight), in_shape=before, grid=_grid(weight),
        groups=groups, stride=_pair(where, layer, "stride"),
        padding=_pair(where, layer, "padding"), dilation=_pair(where, layer, "dilation"),
    )


def pool(where: str, layer: Layer, before: Shape) -> LinearMap:
    """A weighted sum over windows, behind the rows and columns of zeros that slayer adds."""
    if len(before) != 3:
        raise UnsupportedLayerError(where, f"pooling over {before} cannot be compiled")
    kernel = _pair(where, layer, "kernelSize")
    value = numbers_of(where, layer, "weight", 1).astype(np.float32)
    if not 0 < prod(kernel) <= MAX_WINDOW or min(kernel) < 1:
        raise UnsupportedLayerError(where, f"a window of {kernel} cannot be pooled")
    if value.size not in (1, prod(kernel)):
        raise UnsupportedLayerError(
            where, f"pooling a window of {kernel} with {value.size} weights cannot be "
            "compiled")
    window = np.broadcast_to(value.reshape(kernel if value.size > 1 else ()), kernel)
    weight = np.repeat(window[None, None], before[0], axis=0).astype(np.float32)
    fields: dict[str, Any] = {name: _pair(where, layer, name) for name in ("padding", "dilation")}
    stride = _pair(where, layer, "stride") if "stride" in layer else kernel
    larger = (before[0], *(size + size % k for size, k in zip(before[1:], kernel, strict=True)))
    linear = Conv(weight=weight, in_shape=larger, stride=stride, groups=before[0], **fields)
    return linear if larger == before else Chain(maps=(_embedded(before, larger), linear))


def _embedded(before: Shape, larger: Shape) -> LinearMap:
    """An image among zeros below and to the right of it (slayer/synapse/layer.py, Pool)."""
    targets = np.arange(prod(larger)).reshape(larger)[:, : before[1], : before[2]].reshape(-1)
    ones = scipy.sparse.coo_array((np.ones(prod(before), np.float32),
                                   (np.arange(prod(before)), targets)),
                                  shape=(prod(before), prod(larger)))
    return from_matrix(ones, before, larger)


def average(where: str, layer: Layer, before: Shape) -> LinearMap:
    """The mean over as many equal parts of what arrives as the layer has outputs."""
    n_in, n_out = prod(before), prod(shape_of(where, layer))
    if n_in % n_out:
        raise UnsupportedLayerError(where, f"{n_in} values do not divide into {n_out} means")
    each = n_in // n_out
    sources = np.arange(n_in)
    means = scipy.sparse.coo_array(
        (np.full(n_in, 1 / each, np.float32), (sources, sources // each)), shape=(n_in, n_out))
    return from_matrix(means, (n_in,), (n_out,))


def _pair(where: str, layer: Layer, name: str) -> tuple[int, int]:
    default = 0 if name == "padding" else 1
    values = np.atleast_1d(numbers_of(where, layer, name, default))
    if values.size not in (1, 2) or values.dtype.kind not in "iuf":
        raise ParameterError(where, f"its {name} is no pair of numbers")
    return int(values.reshape(-1)[0]), int(values.reshape(-1)[-1])

"""The neurons and maps of a `.net` file's layers, as netx builds them (lava-dl netx/hdf5.py).

Weights, biases and vThMant count in one unit, of which a Loihi state holds 64 parts. Decays are
12-bit: u keeps (4096 - iDecay) / 4096 of itself, v (4096 - vDecay) / 4096. Biases add to v.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import scipy.sparse

from nmcompile.errors import NmcError
from nmcompile.frontends.lava_import.read import Layer
from nmcompile.ir.maps import Conv, Dense, LinearMap, from_matrix
from nmcompile.ir.neurons import CubaLIF, Reset
from nmcompile.ir.neurons.base import Array

UNITY = 4096
MAX_DELAYS = 63  # different ones; netx clamps at 62
Shape = tuple[int, ...]


def neuron_of(where: str, layer: Layer, shape: Shape) -> CubaLIF:
    """The neurons of `layer`; NmcError for kinds that cannot be compiled."""
    found = layer.get("neuron")
    if not isinstance(found, dict):
        raise NmcError(where, "it has no neuron")
    kind = found.get("type")
    if kind not in ("CUBA", "LOIHI"):
        raise NmcError(where, f"neurons of type {kind} cannot be compiled", "CUBA is supported.")
    if np.any(found.get("gradedSpike", np.zeros(1))):
        raise NmcError(where, "graded spikes cannot be compiled")
    if number(where, found, "refDelay", 1) != 1 or number(where, found, "wgtExp", 0) != 0:
        raise NmcError(where, "refDelay other than 1 and wgtExp other than 0 cannot be compiled")
    decays = [number(where, found, name) for name in ("iDecay", "vDecay")]
    if not all(0 <= decay <= UNITY for decay in decays):
        raise NmcError(where, f"decays of {decays[0]} and {decays[1]} do not lie in 0 to {UNITY}")
    keeps = [np.full((), (UNITY - decay) / UNITY, np.float32) for decay in decays]
    return CubaLIF(
        current_decay=keeps[0], decay=keeps[1], reset=Reset.ZERO,
        threshold=np.full((), number(where, found, "vThMant"), np.float32),
        v_bias=_bias(where, layer, shape),
    )


def number(where: str, values: Layer, name: str, default: int | None = None) -> int:
    """One whole number of `values`; NmcError where it is absent (without a default) or none."""
    value = values.get(name, default)
    array = np.asarray(value)
    if value is None or array.size != 1 or array.dtype.kind not in "biuf" or (
        float(array.reshape(-1)[0]) != int(array.reshape(-1)[0])
    ):
        raise NmcError(where, f"its {name} is no whole number")
    return int(array.reshape(-1)[0])


def _bias(where: str, layer: Layer, shape: Shape) -> Array:
    bias = np.asarray(layer.get("bias", np.zeros(())), np.float32)
    if bias.size == 1:
        return bias.reshape(())
    if bias.size not in (shape[0], prod(shape)):
        raise NmcError(where, f"it has {bias.size} biases for a shape of {shape}")
    aligned = bias.reshape(shape if bias.size == prod(shape) else (-1, *[1] * (len(shape) - 1)))
    return np.ascontiguousarray(np.broadcast_to(aligned, shape))


def shape_of(where: str, layer: Layer) -> Shape:
    """(features,) or (channels, rows, columns) as the file says."""
    shape = tuple(int(n) for n in np.atleast_1d(np.asarray(layer.get("shape", 0))))
    if not shape or len(shape) > 3 or min(shape) < 1 or prod(shape) > 10**8:
        raise NmcError(where, f"a shape of {shape} cannot be compiled")
    return shape


def dense(where: str, layer: Layer, name: str, n_in: int | None, n_out: int) -> Dense:
    """The weights `name` of a dense layer."""
    weight = np.asarray(layer.get(name, np.zeros(0)), np.float32)
    if weight.ndim == 1 and weight.size % n_out == 0:
        weight = weight.reshape(n_out, -1)
    if weight.ndim != 2 or len(weight) != n_out or n_in not in (None, weight.shape[1]):
        raise NmcError(where, f"its {name} has shape {weight.shape}, expected ({n_out}, "
                       f"{'inputs' if n_in is None else n_in})")
    return Dense(weight=weight, in_shape=weight.shape[1:], out_shape=(n_out,))


def delayed(where: str, layer: Layer, linear: Dense) -> list[tuple[int, LinearMap]]:
    """`linear` by the delays of its synapses: (steps, map) for each that there is."""
    if "delay" not in layer:
        return [(0, linear)]
    delay, weight = np.asarray(layer["delay"]), linear.weight
    n_out, n_in = weight.shape
    forms = {1: (1, 1), n_out: (n_out, 1), n_in: (1, n_in), n_out * n_in: (n_out, n_in)}
    if delay.size not in forms or np.any(delay < 0) or np.any(delay != np.rint(delay)):
        raise NmcError(where, f"its {delay.size} delays do not fit weights of {n_out} x {n_in}")
    each = np.broadcast_to(delay.reshape(forms[delay.size]), weight.shape)
    different = np.unique(each)
    if len(different) > MAX_DELAYS:
        raise NmcError(where, f"{len(different)} different delays; {MAX_DELAYS} can be compiled")
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
    weight = np.asarray(layer.get("weight", np.zeros(0)), np.float32)
    if weight.ndim == 5 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if weight.ndim != 4 or len(before) != 3:
        raise NmcError(where, f"a kernel of shape {weight.shape} over {before} is no convolution")
    return Conv(
        weight=np.ascontiguousarray(weight), in_shape=before,
        groups=number(where, layer, "groups", 1), stride=_pair(where, layer, "stride"),
        padding=_pair(where, layer, "padding"), dilation=_pair(where, layer, "dilation"),
    )


def pool(where: str, layer: Layer, before: Shape) -> Conv:
    """A sum over windows times one weight."""
    if len(before) != 3:
        raise NmcError(where, f"pooling over {before} cannot be compiled")
    kernel = _pair(where, layer, "kernelSize")
    value = np.asarray(layer.get("weight", np.ones(1)), np.float32)
    if value.size != 1:
        raise NmcError(where, f"pooling with {value.size} weights cannot be compiled")
    if not 0 < prod(kernel) <= 10**6:
        raise NmcError(where, f"a window of {kernel} cannot be pooled")
    weight = np.full((before[0], 1, *kernel), value.reshape(-1)[0], np.float32)
    fields: dict[str, Any] = {name: _pair(where, layer, name) for name in ("padding", "dilation")}
    stride = _pair(where, layer, "stride") if "stride" in layer else kernel
    return Conv(weight=weight, in_shape=before, stride=stride, groups=before[0], **fields)


def _pair(where: str, layer: Layer, name: str) -> tuple[int, int]:
    default = 0 if name == "padding" else 1
    values = np.atleast_1d(np.asarray(layer.get(name, default)))
    if values.size not in (1, 2) or values.dtype.kind not in "iuf":
        raise NmcError(where, f"its {name} is no pair of numbers")
    return int(values.reshape(-1)[0]), int(values.reshape(-1)[-1])

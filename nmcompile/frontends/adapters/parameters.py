"""Read parameters, comparators and recurrent maps of neuron modules."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.errors import UnsupportedLayerError, UnsupportedNeuronError
from nmcompile.frontends.linear_layers import conv_map
from nmcompile.ir.maps import Dense, LinearMap, Scale
from nmcompile.ir.neurons.base import Array

PROBES = (-1.0, -1e-3, 0.0, 1e-3, 1.0)  # membrane minus threshold, to see what a surrogate fires


def array(tensor: Any) -> Array:
    """A parameter as float32 numbers."""
    return torch.as_tensor(tensor).detach().to(torch.float32).numpy()


def fires_at_threshold(path: str, fire: Callable[[torch.Tensor], Any], hint: str) -> bool:
    """Whether `fire`, a step function of membrane minus threshold, fires at 0.

    Raises NmcError where it is no step from 0 to 1.
    """
    fired = fire(torch.tensor(PROBES)).tolist()
    if fired not in ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1]):
        raise UnsupportedNeuronError(
            path, "its surrogate is not a step from 0 to 1 at the threshold", hint)
    return bool(fired[2])


def gain(factor: Array, shape: tuple[int, ...]) -> tuple[LinearMap, ...]:
    """The map that multiplies what arrives by `factor`; none where that is 1."""
    return () if np.all(factor == 1) else (Scale(factor=factor, in_shape=shape),)


def recurrent_map(
    path: str, module: Any, shape: tuple[int, ...]
) -> tuple[LinearMap, Array]:
    """The map of a recurrent connection from a population to itself, and its bias.

    Linear (with Flatten and Unflatten around it) and Conv2d are known; NmcError for others.
    """
    parts = [m for m in (module if isinstance(module, nn.Sequential) else [module])
             if not isinstance(m, nn.Flatten | nn.Unflatten | nn.Identity)]
    (layer,) = parts if len(parts) == 1 else (None,)
    size = prod(shape)
    if isinstance(layer, nn.Linear) and layer.weight.shape == (size, size):
        bias = np.zeros(size) if layer.bias is None else array(layer.bias)
        return (Dense(weight=array(layer.weight), in_shape=shape, out_shape=shape),
                bias.reshape(shape).astype(np.float32))
    if isinstance(layer, nn.Conv2d) and len(shape) == 3 and layer is module:
        bias = np.zeros(shape[0]) if layer.bias is None else array(layer.bias)
        return conv_map(layer, shape), np.broadcast_to(
            bias.reshape(-1, 1, 1), shape).astype(np.float32)
    raise UnsupportedLayerError(
        path, f"{type(module).__name__} over neurons of shape {shape} cannot be "
        "compiled", "Linear over all neurons and Conv2d are supported.")

"""Quantised weights and activations of Brevitas 0.13, read from what its quantisers give.

A weight quantiser gives the weights, their scale, zero point and bit width; an activation
quantiser the same for what goes through it. How the latter rounds is found by trying it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from nmcompile.frontends.adapters.quantised import Levels
from nmcompile.ir.maps import Grid

PACKAGE = "brevitas.proxy."
ACTIVATION = "FusedActivationQuantProxy"
DISABLED = "_TensorQuantDisabledIdentity"
BEYOND = 2.0**33  # in steps: outside of every range of levels
TRIED = 40  # steps around 0 in which a quantiser is tried, and quarters of them


def is_weight_quantiser(module: nn.Module) -> bool:
    """True for the proxies that quantise weights."""
    kind = type(module)
    return kind.__module__.startswith(PACKAGE) and "WeightQuantProxy" in kind.__name__


def is_activation_quantiser(module: nn.Module) -> bool:
    """True for the proxies that quantise activations, unless they leave them as they are."""
    kind = type(module)
    return (kind.__module__.startswith(PACKAGE) and kind.__name__ == ACTIVATION
            and type(module.tensor_quant).__name__ != DISABLED)


def layer_of(path: str) -> str:
    """The layer that the quantiser at `path` belongs to: "fc1.act_quant.fused_..." -> "fc1"."""
    kept = [part for part in path.split(".")[:-1] if part != "act_quant"]
    return ".".join(kept) or "activation"


def weight_grid(result: Any) -> tuple[torch.Tensor, Grid] | None:
    """The weights that a quantiser gave and their grid; None where they are on none."""
    value, scale = getattr(result, "value", None), getattr(result, "scale", None)
    bits, zero_point = getattr(result, "bit_width", None), getattr(result, "zero_point", None)
    if value is None or scale is None or bits is None or zero_point is None:
        return None
    if torch.any(zero_point != torch.round(zero_point)):
        return None
    step = scale.detach().abs().to(torch.float32).numpy()
    return value, Grid(step=step, bits=round(float(bits.max())))


def activation_levels(module: Any, given: torch.Tensor, result: Any) -> Levels | None:
    """The levels of a quantiser that gave `result` for `given`.

    None where it is no rounding to the nearest of equal levels with halves to the even one, or
    where its scale follows the data.
    """
    size = result[1].detach().abs()
    one = torch.ones_like(given[:1])
    low, high = (module.forward(one * size * sign * BEYOND)[0] for sign in (-1, 1))
    quarters = torch.arange(-4 * TRIED, 4 * TRIED + 1, dtype=given.dtype) / 4
    places = torch.cat([quarters, quarters + torch.round(high / size).max()])
    tried = places.reshape(-1, *[1] * (given.dim() - 1)) * one * size
    found, scale = module.forward(tried)[:2]
    levels = torch.clamp(torch.round(tried / size), torch.round(low / size),
                         torch.round(high / size)) * size
    if not torch.equal(scale.abs(), size) or not torch.allclose(found, levels, rtol=1e-6, atol=0):
        return None
    return Levels(low=low, high=high, size=size * one)

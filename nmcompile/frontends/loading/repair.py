"""Make a rebuilt model runnable: what the pickle named and loading left out."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from nmcompile.errors import ModelFileError, ParameterError

NEEDED = ("beta", "threshold", "graded_spikes_factor", "inhibition", "state_quant", "init_hidden",
          "output", "reset_delay")  # of a snnTorch 1.0 neuron
OWN_FUNCTIONS = {0: "_base_sub", 1: "_base_zero", 2: "_base_int"}


def heaviside(membrane: torch.Tensor) -> torch.Tensor:
    """1 where the membrane is above the threshold: any surrogate's forward."""
    return (membrane > 0).float()


def repair(model: nn.Module, *, trusted: bool) -> tuple[str, ...]:
    """Give snnTorch's neurons the functions that were not loaded; what was done, for the user."""
    replaced = False
    for path, part in model.named_modules():
        if not type(part).__module__.startswith("snntorch.") or not hasattr(part, "reset_dict"):
            continue
        _require_complete(path, part)
        state: dict[str, Any] = part.__dict__
        if "spike_grad" not in state:
            state["spike_grad"] = heaviside
            replaced = True
        if "state_function" not in state and hasattr(part, "_base_sub"):
            state["state_function"] = getattr(part, OWN_FUNCTIONS[_mechanism(path, part)])
    note = "surrogate gradients were not loaded; spikes are a step at the threshold"
    return (note,) if replaced and not trusted else ()


def _require_complete(path: str, part: nn.Module) -> None:
    lacking = [name for name in NEEDED if not hasattr(part, name)]
    if lacking and hasattr(part, "_base_sub"):
        raise ModelFileError(path, f"this {type(part).__name__} lacks {', '.join(lacking)} (not "
                             "saved, or by another version of snnTorch than 1.0)",
                             "Pass --code FILE.py:CLASS.")


def _mechanism(path: str, part: Any) -> int:
    value = getattr(part, "reset_mechanism_val", None)
    if not isinstance(value, torch.Tensor) or value.numel() != 1 or int(value) not in OWN_FUNCTIONS:
        raise ParameterError(path, "reset_mechanism_val is not 0, 1 or 2")
    return int(value)

"""Neurons of Rockpool 3.1: LIFTorch, LIFBitshiftTorch, LIFNeuronTorch and ExpSynTorch.

    i = beta * (i + x + w_rec spikes)    v = alpha * v + i + bias    spikes = floor(v / threshold)
    where v >= threshold, at most max_spikes_per_dt; then v = v - spikes * threshold

LIFNeuronTorch takes x where the others take i; ExpSynTorch gives i. States start as reset_state()
leaves them, or from what the model's forward sets; those of earlier runs are forgotten.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import nn

from nmcompile.errors import UnsupportedLayerError, UnsupportedNeuronError
from nmcompile.frontends.adapters.interface import SAMPLES_FIRST, Adapter, Described, Gave, Given
from nmcompile.frontends.adapters.parameters import array, fires_at_threshold, gain
from nmcompile.ir.maps import Dense, LinearMap
from nmcompile.ir.neurons import LI, LIF, UNBOUNDED, CubaLIF, Reset
from nmcompile.ir.neurons.base import Array

PACKAGE = "rockpool.nn.modules.torch."
KINDS = ("LIFTorch", "LIFBitshiftTorch", "LIFNeuronTorch", "ExpSynTorch")
LINEAR = ("LinearTorch",)
SUPPORTED = "Rockpool's LIFTorch, LIFBitshiftTorch, LIFNeuronTorch and ExpSynTorch"


def _kind(module: nn.Module) -> str:
    return type(module).__name__


def _in_library(module: nn.Module) -> bool:
    return type(module).__module__.startswith(PACKAGE)


def _knows(module: nn.Module) -> bool:
    return _in_library(module) and _kind(module) in KINDS


def _refuse(path: str, module: nn.Module) -> None:
    if not _in_library(module) or _kind(module) in LINEAR:
        return
    if not _knows(module):
        raise UnsupportedNeuronError(path, f"Rockpool's {_kind(module)} cannot be compiled",
                                     f"{SUPPORTED} are supported.")
    if np.any(array(getattr(module, "noise_std", 0.0)) != 0):
        raise UnsupportedNeuronError(
            path, "noise on the membrane cannot be compiled", "Set noise_std=0.")
    if getattr(module, "n_synapses", 1) != 1:
        raise UnsupportedNeuronError(
            path, f"{module.n_synapses} synapses a neuron cannot be compiled",
            "Give the module as many inputs as neurons.")


def _attributes(module: nn.Module) -> tuple[str, ...]:
    return tuple(n for n in ("vmem", "isyn", "spikes", "_record") if hasattr(module, n))


def _reset(module: Any) -> None:
    module.reset_state()


def _sized(module: Any, samples: int, steps: int) -> None:
    module._record = True


def _given(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
    (current,) = (*args, *kwargs.values())
    if current.shape[-1] != module.size_in:
        raise UnsupportedLayerError(
            module.name or _kind(module), f"it takes {module.size_in} inputs and is "
            f"given {current.shape[-1]}, which it would spread to all")
    return Given(current=current, states={
        variable: getattr(module, name).reshape(-1).expand(len(current), module.size_out)
        for variable, name in _fields(module).items()})


def _fields(module: Any) -> dict[str, str]:
    """The state that a call starts from: variable of the IR -> attribute."""
    if _kind(module) == "ExpSynTorch":
        return {"v": "isyn"}
    fields = {"v": "vmem"} | ({"u": "isyn"} if hasattr(module, "isyn") else {})
    return fields | ({"spikes": "spikes"} if np.any(array(getattr(module, "w_rec", 0.0))) else {})


def _gave(module: Any, given: Given, result: torch.Tensor) -> Gave:
    if _kind(module) == "ExpSynTorch":
        return Gave(output=result, states={}, series={"v": result})
    series = {"v": module._record_dict["vmem"]}
    if "isyn" in module._record_dict:
        series["u"] = module._record_dict["isyn"].squeeze(-1)
    return Gave(output=result, states={}, series=series)


def _describe(module: Any, path: str, shape: tuple[int, ...]) -> Described:
    """Parameters and recurrence of `module` for a population of `shape`."""
    if _kind(module) == "ExpSynTorch":
        kept = _decay(module, module.tau)
        return Described(neuron=LI(decay=kept), entry=gain(kept, shape))
    most = min(int(module.max_spikes_per_dt), UNBOUNDED)
    fields: dict[str, Any] = {
        "threshold": array(module.threshold), "reset": Reset.SUBTRACT, "spikes_per_step": most,
        "fires_at_threshold": fires_at_threshold(
            path, lambda x: module.spike_generation_fn(
                x + 1, torch.tensor(1.0), torch.tensor(0.5), torch.tensor(1.0)),
            "Use StepPWL or PeriodicExponential."),
    }
    bias = array(module.bias)
    if _kind(module) == "LIFNeuronTorch":
        return Described(
            neuron=LIF(decay=_decay(module, module.tau_mem), **fields),
            bias=np.ascontiguousarray(np.broadcast_to(bias, shape)) if np.any(bias) else bias)
    kept = array(module.beta)
    kept = kept.reshape(-1) if kept.size > 1 else kept.reshape(())
    neuron = CubaLIF(current_decay=kept, decay=array(module.alpha), v_bias=bias, **fields)
    back = array(module.w_rec)
    loop: tuple[LinearMap, ...] = ()
    if np.any(back):
        dense = Dense(weight=np.ascontiguousarray(back.T), in_shape=shape, out_shape=shape)
        loop = (dense, *gain(kept, shape))
    return Described(neuron=neuron, entry=gain(kept, shape), loop=loop)


def _decay(module: Any, tau: torch.Tensor) -> Array:
    return array(torch.exp(-module.dt / tau))


ROCKPOOL = Adapter(
    supported=SUPPORTED, knows=_knows, refuse=_refuse,
    axes=lambda module: SAMPLES_FIRST, attributes=_attributes, reset=_reset, sized=_sized,
    given=_given, gave=_gave, describe=_describe,
    dt=lambda module: float(cast(Any, module.dt)),
)

"""Neurons of Sinabs 3.1: IAF, LIF, ALIF and ExpLeak with their squeezed and recurrent forms.

    i = alpha_syn * (i + x), or x without tau_syn    v = alpha * v + (1 - alpha) * i
    (with norm_input=False: + i)    spikes, reset, then v = max(v, min_v_mem)

SingleSpike fires at v >= threshold; MultiSpike and MaxSpike fire trunc(v / threshold) times at
once. The states start from zero, or from what the model's forward sets; those of earlier runs are
forgotten.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.errors import UnsupportedNeuronError
from nmcompile.frontends.adapters.interface import (
    MERGED,
    SAMPLES_FIRST,
    Adapter,
    Described,
    Gave,
    Given,
)
from nmcompile.frontends.adapters.parameters import array, gain, recurrent_map
from nmcompile.ir.maps import LinearMap
from nmcompile.ir.neurons import ALIF, LI, LIF, UNBOUNDED, CubaLIF, Neuron, Reset
from nmcompile.ir.neurons.base import Array

PACKAGE = "sinabs.layers."
KINDS = ("IAF", "LIF", "ALIF", "ExpLeak", "IAFSqueeze", "LIFSqueeze", "ExpLeakSqueeze",
         "IAFRecurrent", "LIFRecurrent", "ALIFRecurrent")
SUPPORTED = "Sinabs' IAF, LIF, ALIF and ExpLeak (squeezed and recurrent too)"


def _kind(module: nn.Module) -> str:
    return type(module).__name__


def _is_neuron(module: nn.Module) -> bool:
    return type(module).__module__.startswith(PACKAGE) and hasattr(module, "reset_states")


def _knows(module: nn.Module) -> bool:
    return _is_neuron(module) and _kind(module) in KINDS


def _refuse(path: str, module: nn.Module) -> None:
    if _is_neuron(module) and not _knows(module):
        raise UnsupportedNeuronError(path, f"Sinabs' {_kind(module)} cannot be compiled",
                                     f"{SUPPORTED} are supported.")


def _attributes(module: nn.Module) -> tuple[str, ...]:
    names = ("v_mem", "i_syn", "b", "batch_size", "num_timesteps", "record_states")
    return tuple(name for name in names if hasattr(module, name))


def _reset(module: Any) -> None:
    for name in ("v_mem", "i_syn", "b", "spike_threshold"):
        if isinstance(getattr(module, name, None), torch.Tensor) and name in module._buffers:
            setattr(module, name, torch.zeros(0))
    module.record_states = True


def _sized(module: Any, samples: int, steps: int) -> None:
    if _kind(module).endswith("Squeeze"):
        module.batch_size, module.num_timesteps = samples, steps


def _given(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
    (current,) = (*args, *kwargs.values())
    states = _states(module)
    if _kind(module).endswith("Squeeze"):
        return Given(current=current, states=states)
    shape = (len(current), *current.shape[2:])
    if any(state.shape[1:] != shape[1:] for state in states.values()):
        return Given(current=current, states={})  # the layer then starts from zeros
    return Given(current=current, states={
        name: _for_samples(module, state, shape) for name, state in states.items()})


def _for_samples(
    module: nn.Module, state: torch.Tensor, shape: tuple[int, ...]
) -> torch.Tensor:
    """A state of other samples, of which the layer draws as many as it needs."""
    if len(state) == shape[0]:
        return state
    if not torch.equal(state, state[:1].expand_as(state)):
        raise UnsupportedNeuronError(
            _kind(module), f"its state is set for {len(state)} samples that differ, of "
            "which it would draw at random", "Set the same state for every sample.")
    return state[:1].expand(shape)


def _states(module: Any) -> dict[str, torch.Tensor]:
    """The state as the layer has it, by variable; nothing where a part of it is not set."""
    fields = {"v": "v_mem", "b": "b"} if hasattr(module, "b") else {"v": "v_mem", "u": "i_syn"}
    if not module.is_state_initialised():
        return {}
    return {name: getattr(module, field) for name, field in fields.items()
            if isinstance(getattr(module, field, None), torch.Tensor)}


def _gave(module: Any, given: Given, result: torch.Tensor) -> Gave:
    fields = {"v": "v_mem", "b": "b"} if hasattr(module, "b") else {"v": "v_mem", "u": "i_syn"}
    states = _states(module)
    if _records_wrongly(module):
        return Gave(output=result, states=states)
    return Gave(output=result, states=states,
                series={name: module.recordings[fields[name]] for name in states})


def _records_wrongly(module: nn.Module) -> bool:
    """Sinabs 3.1 records, for these, a dict that the next step still changes."""
    return _kind(module).startswith("ALIF") or _kind(module).endswith("Recurrent")


def _describe(module: Any, path: str, shape: tuple[int, ...]) -> Described:
    """Parameters, reset and recurrence of `module` for a population of `shape`."""
    decay = array(module.alpha_mem_calculated)
    part = 1 - decay if module.norm_input else np.ones((), np.float32)
    if _kind(module).startswith("ALIF"):
        return _adaptive(module, path, shape, decay, part)
    if module.spike_fn is None:
        if module.min_v_mem is not None:
            raise UnsupportedNeuronError(path, "an ExpLeak with min_v_mem cannot be compiled")
        return Described(neuron=LI(decay=decay), entry=gain(part, shape))
    fields = {"decay": decay, "threshold": array(module.spike_threshold),
              **_firing(path, module), **_bound(module)}
    held = module.alpha_syn_calculated
    loop, bias = _recurrence(path, module, shape)
    if held is None:
        start = -part * bias / np.where(decay > 0, decay, 1)
        neuron: Neuron = LIF(**fields, v_init=start.astype(np.float32))
        return Described(neuron=neuron, entry=gain(part, shape), bias=(part * bias).astype(
            np.float32), loop=(*loop, *gain(part, shape)) if loop else ())
    if np.any(bias):
        raise UnsupportedNeuronError(
            f"{path}.rec_connect", "a bias ahead of a synaptic current cannot be "
            "compiled", "Use bias=False.")
    kept = array(held)
    factor = (kept * part).astype(np.float32)
    return Described(
        neuron=CubaLIF(current_decay=kept, **fields), entry=gain(factor, shape),
        loop=(*loop, *gain(factor, shape)) if loop else (), current_unit=part)


def _adaptive(
    module: Any, path: str, shape: tuple[int, ...], decay: Array, part: Array
) -> Described:
    if module.alpha_syn_calculated is not None:
        raise UnsupportedNeuronError(
            path, "an ALIF with tau_syn cannot be compiled", "Use tau_syn=None.")
    loop, bias = _recurrence(path, module, shape)
    if np.any(bias):
        raise UnsupportedNeuronError(
            f"{path}.rec_connect", "a bias of an ALIF's recurrence cannot be compiled",
            "Use bias=False.")
    rise = array(module.alpha_adapt_calculated)
    neuron = ALIF(
        decay=decay, threshold=array(module.b0), adaptation_decay=rise, adaptation_step=1 - rise,
        adaptation_scale=array(module.adapt_scale), **_firing(path, module), **_bound(module),
    )
    return Described(neuron=neuron, entry=gain(part, shape),
                     loop=(*loop, *gain(part, shape)) if loop else ())


def _bound(module: Any) -> dict[str, Any]:
    return {} if module.min_v_mem is None else {"v_min": array(module.min_v_mem)}


def _firing(path: str, module: Any) -> dict[str, Any]:
    """Spikes in one step, comparison and reset."""
    name = getattr(module.spike_fn, "__name__", type(module.spike_fn).__name__)
    most = {"SingleSpike": 1, "MultiSpike": UNBOUNDED,
            "MaxSpike": getattr(module.spike_fn, "max_num_spikes_per_bin", None) or UNBOUNDED}
    if name not in most:
        raise UnsupportedNeuronError(path, f"its spike_fn {name} cannot be compiled",
                                     "Use sinabs.activation.SingleSpike, MultiSpike or MaxSpike.")
    reset = type(module.reset_fn).__name__
    if reset == "MembraneSubtract":
        taken = module.reset_fn.subtract_value
        if taken is not None and not np.all(array(taken) == array(module.spike_threshold)):
            raise UnsupportedNeuronError(
                path, f"a subtraction of {float(taken):g} instead of the threshold "
                "cannot be compiled", "Use MembraneSubtract().")
    elif reset != "MembraneReset" or module.reset_fn.reset_value != 0:
        raise UnsupportedNeuronError(path, f"its reset_fn {module.reset_fn!r} cannot be compiled",
                                     "Use MembraneSubtract() or MembraneReset().")
    return {"fires_at_threshold": True, "spikes_per_step": int(most[name]),
            "reset": Reset.SUBTRACT if reset == "MembraneSubtract" else Reset.ZERO}


def _recurrence(
    path: str, module: Any, shape: tuple[int, ...]
) -> tuple[tuple[LinearMap, ...], Array]:
    if not _kind(module).endswith("Recurrent"):
        return (), np.zeros((), np.float32)
    loop, bias = recurrent_map(f"{path}.rec_connect", module.rec_connect, shape)
    return (loop,), bias


SINABS = Adapter(
    supported=SUPPORTED, knows=_knows, refuse=_refuse,
    axes=lambda module: MERGED if _kind(module).endswith("Squeeze") else SAMPLES_FIRST,
    attributes=_attributes, reset=_reset, sized=_sized, given=_given, gave=_gave,
    describe=_describe,
)

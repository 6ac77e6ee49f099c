"""Neurons of lava-dl 0.6 (slayer): CUBA, ALIF, sigma-delta and its halves, resonate-and-fire.

Tensors are (samples, features..., steps). States are integers divided by s_scale (4096), decays
integers of 4096 (slayer/neuron/dynamics):

    u[t] = cut((1 - iDecay) u[t-1]) + cut(x[t])               CUBA; a mean-only norm then takes the
    v[t] = cut((1 - vDecay) v[t-1]) + cut(u[t] - mean)        mean from what v is given
    spike where v > threshold (by threshold_eps of slayer/neuron/cuba.py), then v = 0
    ATRLIF (lava-dl's ALIF), SigmaDelta, ResonateFire          as their classes in the IR have it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.errors import UnsupportedLayerError, UnsupportedNeuronError
from nmcompile.frontends.adapters.interface import STEPS_LAST, Adapter, Described, Gave, Given
from nmcompile.frontends.adapters.parameters import array
from nmcompile.ir.neurons import ATRLIF, LI, CubaLIF, Reset, ResonateFire, SigmaDelta
from nmcompile.ir.neurons.base import Array

PACKAGE = "lava.lib.dl.slayer."
# Class -> the attributes that hold the states of the neuron in the IR.
STATES: dict[str, dict[str, str]] = {
    "neuron.cuba.Neuron": {"u": "current_state", "v": "voltage_state"},
    "neuron.alif.Neuron": {"u": "current_state", "v": "voltage_state", "b": "threshold_state",
                           "r": "refractory_state"},
    "neuron.rf.Neuron": {"re": "real_state", "v": "imag_state"},
    "neuron.rf_iz.Neuron": {"re": "real_state", "v": "imag_state"},
    "neuron.sigma_delta.Neuron": {
        "sigma": "sigma.pre_state", "v": "delta.pre_state", "residue": "delta.residual_state"},
    "axon.delta.Delta": {"v": "pre_state", "residue": "residual_state"},
    "dendrite.sigma.Sigma": {"v": "pre_state"},
}
SUPPORTED = "lava-dl's CUBA, ALIF, sigma-delta and resonate-and-fire neurons"
POINTS = (-2.0, -0.5, 0.0, 0.5, 2.0)
RECTIFIED = {POINTS: False, (0.0, 0.0, 0.0, 0.5, 2.0): True}  # what an activation makes of POINTS


def kind_of(module: nn.Module) -> str:
    """The class of a module of slayer, "neuron.cuba.Neuron"; empty for others."""
    name = f"{type(module).__module__}.{type(module).__name__}"
    return name.removeprefix(PACKAGE) if name.startswith(PACKAGE) else ""


def _refuse(path: str, module: Any) -> None:
    kind = kind_of(module)
    if kind.startswith("neuron.") and kind.endswith(".Neuron") and kind not in STATES:
        raise UnsupportedNeuronError(
            path, f"lava-dl's {kind.split('.')[1]} neurons cannot be compiled",
            f"{SUPPORTED} are supported.")
    if kind.endswith(".Affine") and module.dynamics:
        raise UnsupportedNeuronError(path, "lava-dl's Affine with dynamics cannot be compiled",
                                     "Use dynamics=False, or Dense.")
    if kind in STATES and getattr(module, "graded_spike", False) and "sigma_delta" not in kind:
        raise UnsupportedNeuronError(
            path, "graded spikes cannot be compiled, but those of sigma-delta neurons")


def is_delay(module: nn.Module) -> bool:
    """True for an axonal delay, one for each channel."""
    return kind_of(module) == "axon.delay.Delay"


def steps_of_delay(module: Any) -> Array:
    """Its delays in whole steps, one for each channel (slayer/utils/time/shift.py)."""
    return np.trunc(array(module.delay) / module.sampling_time).astype(np.int64)


def rounds_its_input(module: nn.Module) -> bool:
    """True for an input block, which rounds what it is given to the grid of its weights."""
    return kind_of(module).startswith("block.") and type(module).__name__ == "Input"


def trained_step(module: nn.Module) -> float | None:
    """The distance of the weights of a synapse of 8 bits (slayer/neuron/base.py), or None."""
    hook = getattr(module, "_pre_hook_fx", None)
    quantises = kind_of(module).startswith("synapse.") and getattr(
        hook, "__name__", "") == "quantize_8bit"
    return 2 / hook.__self__.w_scale if quantises and hook is not None else None


def _held(module: Any) -> dict[str, torch.Tensor]:
    """Variable -> state, as the module holds it."""
    owners = {variable: _owner(module, name) for variable, name in STATES[kind_of(module)].items()}
    return {variable: getattr(*owner) for variable, owner in owners.items()}


def _owner(module: Any, name: str) -> tuple[Any, str]:
    part, _, attribute = name.rpartition(".")
    return (getattr(module, part) if part else module), attribute


def _hold(module: Any, states: dict[str, torch.Tensor]) -> None:
    for variable, name in STATES[kind_of(module)].items():
        owner, attribute = _owner(module, name)
        setattr(owner, attribute, states[variable])


def _rest(module: Any, shape: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """What the states begin with: a threshold that adapts at what it falls back to."""
    return {variable: torch.full(shape, module.threshold if variable == "b" else 0.0)
            for variable in STATES[kind_of(module)]}


def _attributes(module: Any) -> tuple[str, ...]:
    """Its own states and, where its first call draws no parameters for it, its shape."""
    own = [name for name in STATES[kind_of(module)].values() if "." not in name]
    own += ["error_state"] if hasattr(module, "error_state") else []
    return (*own, "shape") if getattr(module, "shared_param", True) else tuple(own)


def _reset(module: Any) -> None:
    _hold(module, _rest(module, (1,)))
    delta = getattr(module, "delta", module)
    if hasattr(delta, "error_state"):
        delta.error_state = torch.zeros(1)


def _given(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
    (current,) = (*args, *kwargs.values())
    first, *more = current if isinstance(current, tuple | list) else [current]
    if hasattr(module, "dynamics") and module.shape is None and not module.shared_param:
        _draw(module, tuple(torch.zeros_like(part) for part in (first, *more)))
    held = {name: _cut(module, state) if name == "b" else state
            for name, state in _held(module).items()}
    kept = all(state.shape == first.shape[:-1] for state in held.values())
    return Given(current=first, more=tuple(more), states=held if kept else {})


def _cut(module: Any, state: torch.Tensor) -> torch.Tensor:
    """A state as its integers have it, which a difference from it must be taken of."""
    with torch._C.DisableTorchFunction():  # these values are compared here, and go nowhere
        values = array(state)
    cut = np.trunc(values * module.s_scale) / module.s_scale
    return state if np.array_equal(cut, values) else torch.from_numpy(cut)


def _draw(module: Any, nothing: tuple[torch.Tensor, ...]) -> None:
    """Have a neuron draw the parameters that it draws in its first call."""
    module.dynamics(nothing if len(nothing) > 1 else nothing[0])
    _reset(module)


def _gave(module: Any, given: Given, result: torch.Tensor) -> Gave:
    """The result and, computed once more by the module itself, the states of each step."""
    after = _held(module)
    _hold(module, given.states or _rest(module, given.current.shape[:-1]))
    series = SERIES[kind_of(module)](module, given, result)
    _hold(module, after)
    return Gave(output=result, states=after if module.persistent_state else {}, series=series)


def _cuba_series(module: Any, given: Given, result: torch.Tensor) -> dict[str, torch.Tensor]:
    u, v = module.dynamics(given.current)
    states = {"v": torch.where(result > 0, 0, v)}
    return states if module.norm is not None else {"u": u, **states}


def _adaptive_series(module: Any, given: Given, result: torch.Tensor) -> dict[str, torch.Tensor]:
    u, v, threshold, refractory = module.dynamics(given.current)
    return {"u": u, "v": v, "b": threshold + module.threshold_step * result,
            "r": refractory + 2 * threshold * result}


def _resonator_series(module: Any, given: Given, result: torch.Tensor) -> dict[str, torch.Tensor]:
    re, v = module.dynamics((given.current, *given.more))
    if "rf_iz" not in kind_of(module):
        return {"re": re, "v": v}
    below = module.threshold - 1 / module.s_scale
    return {"re": torch.where(result > 0, 0, re), "v": torch.where(result > 0, below, v)}


def _sigma_delta_series(module: Any, given: Given, result: torch.Tensor) -> dict[str, torch.Tensor]:
    sigma = module.sigma(given.current)
    shifted = sigma + torch.as_tensor(_offset(module)).unsqueeze(-1)
    return {"sigma": sigma, "v": module.activation(shifted)}


SERIES: dict[str, Callable[[Any, Given, torch.Tensor], dict[str, torch.Tensor]]] = {
    "neuron.cuba.Neuron": _cuba_series, "neuron.alif.Neuron": _adaptive_series,
    "neuron.rf.Neuron": _resonator_series, "neuron.rf_iz.Neuron": _resonator_series,
    "neuron.sigma_delta.Neuron": _sigma_delta_series,
    "axon.delta.Delta": lambda module, given, result: {"v": given.current},
    "dendrite.sigma.Sigma": lambda module, given, result: {"v": result},
}


def _describe(module: Any, path: str, shape: tuple[int, ...]) -> Described:
    """Parameters of `module` for a population of `shape`."""
    kind = kind_of(module)
    if kind == "dendrite.sigma.Sigma":
        return Described(neuron=LI(decay=np.ones((), np.float32)))
    if kind == "axon.delta.Delta":
        return Described(neuron=_encoder(path, module, accumulates=False))
    if kind == "neuron.sigma_delta.Neuron":
        probed = module.activation(torch.tensor(POINTS))
        rectified = RECTIFIED.get(tuple(probed.tolist()))
        if rectified is None:
            raise UnsupportedLayerError(path, "its activation is neither ReLU nor the identity")
        offset = _offset(module).astype(np.float32)
        return Described(neuron=_encoder(
            path, module.delta, offset=offset if np.any(offset) else np.zeros((), np.float32),
            rectified=rectified))
    step = np.full((), 1 / module.s_scale, np.float32)
    if kind == "neuron.cuba.Neuron":
        if module.norm is not None and module.persistent_state:
            raise UnsupportedNeuronError(
                path, "a norm in a neuron that keeps its state from call to call "
                "cannot be compiled")
        return Described(neuron=CubaLIF(
            current_decay=_kept(module.current_decay), decay=_kept(module.voltage_decay),
            threshold=array(module.threshold), reset=Reset.ZERO, state_step=step,
            v_bias=-_mean(path, module.norm, shape)))
    if kind == "neuron.alif.Neuron":
        return Described(bias=-_mean(path, module.norm, shape), neuron=_adaptive(module, step),
                         threshold=array(module.threshold))
    means = [_mean(path, norm, shape) for norm in (module.real_norm, module.imag_norm)]
    bias = -np.stack([np.broadcast_to(mean, shape) for mean in means])
    return Described(
        bias=bias.astype(np.float32) if np.any(bias) else np.zeros((), np.float32),
        neuron=ResonateFire(
            sin_decay=array(torch.round(module.sin_decay)).squeeze() / np.float32(1 << 12),
            cos_decay=array(torch.round(module.cos_decay)).squeeze() / np.float32(1 << 12),
            threshold=array(module.threshold), phase=kind == "neuron.rf.Neuron", state_step=step))


def _adaptive(module: Any, step: Array) -> ATRLIF:
    return ATRLIF(
        current_decay=_kept(module.current_decay), decay=_kept(module.voltage_decay),
        adaptation_decay=_kept(module.threshold_decay),
        refractory_decay=_kept(module.refractory_decay), threshold=array(module.threshold),
        threshold_step=array(module.threshold_step), state_step=step)


def _encoder(path: str, delta: Any, **fields: Any) -> SigmaDelta:
    threshold = np.maximum(array(delta.threshold), np.float32(1 / delta.scale))  # as its clamp()
    fields = {"rectified": False, **fields}
    return SigmaDelta(
        threshold=threshold.reshape(()) if threshold.size == 1 else threshold,
        cum_error=bool(delta.cum_error), spike_step=np.full((), 1 / delta.scale, np.float32),
        **fields)


def _kept(decay: torch.Tensor) -> Array:
    """What a state keeps of itself, of a decay in parts of 4096."""
    return ((np.float32(1 << 12) - array(torch.round(decay))) / np.float32(1 << 12)).squeeze()


def _offset(module: Any) -> Array:
    """What a sigma-delta neuron adds to its sum: its bias less the mean of its norm."""
    shape = tuple(module.shape or module.sigma.shape or ())
    bias = array(module.bias) if module.bias_is_set else np.zeros((), np.float32)
    return np.asarray(bias - _mean("sigma-delta neuron", module.norm, shape))


def _mean(path: str, norm: Any, shape: tuple[int, ...]) -> Array:
    """What a mean-only norm takes from each channel, scalar or over `shape`."""
    if norm is None:
        return np.zeros((), np.float32)
    if kind_of(norm) != "neuron.norm.MeanOnlyBatchNorm":
        raise UnsupportedLayerError(
            path, f"a norm of class {type(norm).__name__} cannot be compiled",
            "Train with MeanOnlyBatchNorm.")
    mean = array(norm.pre_hook_fx(norm.running_mean)).reshape(-1, *[1] * (len(shape) - 1))
    return mean.reshape(()) if mean.size == 1 else np.ascontiguousarray(
        np.broadcast_to(mean, shape))


LAVA_DL = Adapter(
    supported=SUPPORTED, knows=lambda module: kind_of(module) in STATES, refuse=_refuse,
    axes=lambda module: STEPS_LAST, attributes=_attributes, reset=_reset,
    given=_given, gave=_gave, describe=_describe,
)

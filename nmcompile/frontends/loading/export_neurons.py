"""Neurons of snnTorch and SpikingJelly made anew from what an exported program says of them.

A snnTorch neuron is exported as plain operations beside named parameters; one of SpikingJelly as an
operation of the library's own, with its parameters as arguments.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import nn
from torch._ops import OpOverload

from nmcompile.errors import PackageError, ParameterError, UnsupportedNeuronError
from nmcompile.frontends.loading.export_file import Step
from nmcompile.frontends.loading.repair import heaviside

RESETS = ("subtract", "zero", "none")
KINDS = ("Leaky", "Synaptic", "RLeaky")
SNNTORCH, SPIKINGJELLY = "snntorch._neurons.", "spikingjelly.activation_based.neuron."
# A program does not name Norse's parameters, nor say what Sinabs and Rockpool fire and reset by.
UNREADABLE = {"norse.torch.module.": "Norse's", "sinabs.layers.": "Sinabs'",
              "rockpool.nn.modules.": "Rockpool's"}
NEURONS = ("LIF", "IAF", "LICell", "LIBox", "ExpLeak", "ExpSyn")  # parts of their classes' names
LIBRARIES = (SNNTORCH, SPIKINGJELLY)
# SpikingJelly's operations (x, v, parameters) -> (spikes, last v, each v): class and where made.
OWN = {"sj_if.forward.default": ("IFNode", "spikingjelly._ops.if_"),
       "sj_lif.forward.default": ("LIFNode", "spikingjelly._ops.lif"),
       "sj_plif.forward.default": ("ParametricLIFNode", "spikingjelly._ops.plif")}
READABLE = ("snnTorch's Leaky, Synaptic and RLeaky and SpikingJelly's IFNode, LIFNode and "
            "ParametricLIFNode can; give a model file with --code.")


def rebuilt_neuron(
    path: str, kind: str, named: dict[str, torch.Tensor], steps: tuple[Step, ...]
) -> Any:
    """The neuron module `path` of class `kind`.

    named  tensors by the exporter's names
    steps  the operations of its first call
    """
    name = kind.rpartition(".")[2]
    if kind.startswith(SPIKINGJELLY):
        return _of_operation(path, name, named, steps)
    snntorch = _library(path, "snntorch")
    if name not in KINDS:
        raise UnsupportedNeuronError(
            path, f"snnTorch's {name} cannot be read from an exported program", READABLE)
    return _of_parameters(snntorch, path, name, named)


def refuse_unreadable(path: str, kind: str) -> None:
    """Raise where a module is a neuron of a library that a program does not say enough of."""
    name = kind.rpartition(".")[2]
    for prefix, library in UNREADABLE.items():
        if kind.startswith(prefix) and any(part in name for part in NEURONS):
            raise UnsupportedNeuronError(
                path, f"{library} {name} cannot be read from an exported program",
                READABLE)


def own_operation(target: str) -> OpOverload | None:
    """The operation of SpikingJelly that `target` names, if it is one of its neurons'."""
    if target not in OWN:
        return None
    _library("exported program", OWN[target][1])
    found: OpOverload = getattr(torch.ops, target.partition(".")[0]).forward.default
    return found


def takes_series(steps: tuple[Step, ...]) -> bool:
    """True where the operations of one call take all steps at once."""
    single = {name for s in steps if s.target == "aten.unsqueeze.default" for name in s.results}
    given = [dict(s.args).get("x") for s in steps if s.target in OWN]
    return any(x is not None and x[0] == "as_tensor" and x[1]["name"] not in single for x in given)


def _library(path: str, name: str) -> Any:
    package = name.partition(".")[0]
    try:
        return import_module(name)
    except ImportError:
        raise PackageError(path, f"the model needs {package}, which is not installed",
                           f"pip install {package}") from None


def _of_operation(
    path: str, name: str, named: dict[str, torch.Tensor], steps: tuple[Step, ...]
) -> nn.Module:
    """A SpikingJelly neuron with the arguments of its operation."""
    found = next((s for s in steps if s.target in OWN and OWN[s.target][0] == name), None)
    if found is None:
        raise UnsupportedNeuronError(
            path, f"SpikingJelly's {name} cannot be read from this exported program",
            READABLE)
    given = {key: value for key, (kind, value) in found.args
             if kind in ("as_float", "as_int", "as_bool")}
    options: dict[str, Any] = {
        "v_threshold": float(given["threshold"]),
        "v_reset": float(given["reset"]) if "reset" in given else None,
        "step_mode": "m" if takes_series(steps) else "s",
    }
    if name != "IFNode":
        options["decay_input"] = bool(given["decay_input"])
    if name == "LIFNode":
        options["tau"] = float(given["tau"])
    neuron: Any = getattr(_library(path, "spikingjelly.activation_based.neuron"), name)(**options)
    if name == "ParametricLIFNode":
        neuron.w.data = named[f"{path}.w"].reshape(neuron.w.shape)
    return neuron


def _of_parameters(
    snntorch: Any, path: str, name: str, named: dict[str, torch.Tensor]
) -> nn.Module:
    """A snnTorch neuron with the tensors under its name.

    Its resets are delayed: torch.export refuses neurons with reset_delay=False.
    """
    own = {key.removeprefix(f"{path}."): value for key, value in named.items()
           if key.startswith(f"{path}.")}
    mechanism = int(own["reset_mechanism_val"])
    if mechanism not in (0, 1, 2):
        raise ParameterError(
            path, f"reset_mechanism_val is {mechanism}, expected 0, 1 or 2")
    options: dict[str, Any] = {
        "beta": own["beta"], "threshold": own["threshold"], "spike_grad": heaviside,
        "reset_mechanism": RESETS[mechanism],
    }
    neuron: nn.Module
    if name == "Leaky":
        neuron = snntorch.Leaky(**options, graded_spikes_factor=own["graded_spikes_factor"])
    elif name == "Synaptic":
        neuron = snntorch.Synaptic(alpha=own["alpha"], **options)
    else:
        neuron = _recurrent(snntorch.RLeaky, own, options)
    return neuron


def _recurrent(kind: Any, own: dict[str, torch.Tensor], options: dict[str, Any]) -> nn.Module:
    weight = own.get("recurrent.weight")
    neuron: nn.Module
    if weight is None:
        v = own["V"] if "V" in own else own["recurrent.V"]
        neuron = kind(all_to_all=False, V=v, **options)
        return neuron
    if weight.dim() == 2:
        neuron = kind(linear_features=len(weight), **options)
    else:
        neuron = kind(conv2d_channels=len(weight), kernel_size=tuple(weight.shape[2:]), **options)
    layer: Any = neuron.recurrent
    layer.weight.data, layer.bias.data = weight, own["recurrent.bias"]
    return neuron

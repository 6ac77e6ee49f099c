"""snnTorch neurons made anew from the parameters of an exported program."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from nmcompile.errors import NmcError
from nmcompile.frontends.loading.repair import heaviside

RESETS = ("subtract", "zero", "none")
KINDS = ("Leaky", "Synaptic", "RLeaky")


def rebuilt_neuron(path: str, kind: str, named: dict[str, torch.Tensor]) -> Any:
    """The neuron module `path` of class `kind` with the tensors `named` by the exporter.

    Its resets are delayed: torch.export refuses neurons with reset_delay=False.
    """
    try:
        import snntorch
    except ImportError:
        raise NmcError(path, "the model needs snntorch, which is not installed",
                       "pip install snntorch") from None
    name = kind.rpartition(".")[2]
    if name not in KINDS:
        raise NmcError(path, f"snnTorch's {name} cannot be read from an exported program",
                       "Leaky, Synaptic and RLeaky can; give a model file with --code.")
    own = {key.removeprefix(f"{path}."): value for key, value in named.items()
           if key.startswith(f"{path}.")}
    mechanism = int(own["reset_mechanism_val"])
    if mechanism not in (0, 1, 2):
        raise NmcError(path, f"reset_mechanism_val is {mechanism}, expected 0, 1 or 2")
    options: dict[str, Any] = {
        "beta": own["beta"], "threshold": own["threshold"], "spike_grad": heaviside,
        "reset_mechanism": RESETS[mechanism],
    }
    if name == "Leaky":
        return snntorch.Leaky(**options, graded_spikes_factor=own["graded_spikes_factor"])
    if name == "Synaptic":
        return snntorch.Synaptic(alpha=own["alpha"], **options)
    return _recurrent(snntorch.RLeaky, own, options)


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

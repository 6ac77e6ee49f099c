"""The classes of libraries that are made for real where a pickle names them; no others are."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from torch import nn

from nmcompile.errors import PackageError, UnsafeFileError

SJ = "spikingjelly.activation_based."
DIMENSIONS = ("1d", "2d", "3d")
# Package -> its nn.Module classes that may be made; None for all of them.
MODULES: MappingProxyType[str, frozenset[str] | None] = MappingProxyType({
    "torch.nn.modules.": None,
    "snntorch._neurons.": None,
    f"{SJ}neuron.": frozenset(["IFNode", "LIFNode", "ParametricLIFNode"]),
    f"{SJ}layer.": frozenset([
        "Linear", "Flatten", "Dropout", "Dropout2d", "Upsample", "SeqToANNContainer",
        "MultiStepContainer", "StepModeContainer",
        *(kind + n for n in DIMENSIONS for kind in (
            "Conv", "ConvTranspose", "BatchNorm", "MaxPool", "AvgPool", "AdaptiveAvgPool")),
    ]),
    f"{SJ}surrogate.": frozenset([
        "ATan", "Sigmoid", "PiecewiseQuadratic", "PiecewiseExp", "SoftSign", "SuperSpike", "Erf",
        "NonzeroSignLogAbs", "PiecewiseLeakyReLU", "SquarewaveFourierSeries", "S2NN",
        "QPseudoSpike", "LeakyKReLU", "FakeNumericalGradient", "LogTailedReLU", "Rect",
    ]),
    "sinabs.layers.": frozenset([
        "IAF", "LIF", "ALIF", "ExpLeak", "IAFSqueeze", "LIFSqueeze", "ExpLeakSqueeze",
        "IAFRecurrent", "LIFRecurrent", "ALIFRecurrent", "SumPool2d", "Merge", "Repeat",
        "FlattenTime", "UnflattenTime",
    ]),
})
LIBRARIES = ("spikingjelly.", "sinabs.", "norse.", "rockpool.", "snntorch.", "lava.")
SINABS = "sinabs.activation."
CLASSES = frozenset(f"{SINABS}spike_generation.{name}" for name in ("SingleSpike", "MultiSpike"))
# Classes without behaviour of their own beyond numbers -> the fields that are taken over.
RECORDS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType({
    f"{SINABS}spike_generation.MaxSpike": ("max_num_spikes_per_bin",),
    f"{SINABS}reset_mechanism.MembraneSubtract": ("subtract_value",),
    f"{SINABS}reset_mechanism.MembraneReset": ("reset_value",),
    f"{SINABS}surrogate_gradient_fn.SingleExponential": ("grad_width", "grad_scale"),
    f"{SINABS}surrogate_gradient_fn.PeriodicExponential": ("grad_width", "grad_scale"),
    f"{SINABS}surrogate_gradient_fn.Gaussian": (),
    f"{SINABS}surrogate_gradient_fn.MultiGaussian": (),
    f"{SINABS}surrogate_gradient_fn.Heaviside": (),
})


def module_class(symbol: str) -> Any:
    """The nn.Module class called `symbol` if it may be made, else None.

    Raises NmcError for a class of an SNN library that may not: without it there is no model.
    """
    package, allowed = next(
        ((p, names) for p, names in MODULES.items() if symbol.startswith(p)), ("", frozenset()))
    name = symbol.rpartition(".")[2]
    if not package or (allowed is not None and name not in allowed):
        if symbol.startswith(LIBRARIES):
            raise UnsafeFileError(symbol, f"{name} is not made from a file that nobody vouches for",
                                  "Save a state dict and pass --code FILE.py:CLASS.")
        return None
    found = _found(symbol)
    return found if isinstance(found, type) and issubclass(found, nn.Module) else None


def plain_value(symbol: str, state: dict[str, Any] | None) -> Any:
    """A class, or with `state` an instance of one, that a neuron holds; None where none is known.

    Numbers are taken from `state`, nothing else.
    """
    if state is None:
        return _found(symbol) if symbol in CLASSES else None
    if symbol not in RECORDS:
        return None
    fields = {name: state[name] for name in RECORDS[symbol]
              if isinstance(state.get(name), bool | int | float)}
    return _found(symbol)(**fields)


def _found(symbol: str) -> Any:
    """What `symbol` names, if it is defined in the module that it names."""
    module_name, _, name = symbol.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), name, None)
    except ImportError:
        library = module_name.split(".")[0]
        if find_spec(library) is not None:
            return None
        raise PackageError(symbol, f"the model needs {library}, which is not installed",
                           f"pip install {library}") from None
    return found if getattr(found, "__module__", None) == module_name else None

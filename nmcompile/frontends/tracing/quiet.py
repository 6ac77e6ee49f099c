"""Running a user's model and giving it back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves

from nmcompile.frontends.adapters import adapters

REGISTERED = ("_parameters", "_buffers", "_modules")  # dictionaries that assignments write into


@contextmanager
def quiet(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients and a fixed seed; the model is given back as it was.

    That is its attributes, what is registered, and what its tensors hold that are no parameters.
    """
    modules = [module for _, module in model.named_modules()]
    training = {module: module.training for module in modules}
    own = [module for module in modules if not isinstance(module, torch.jit.ScriptModule)
           and not any(a.knows(module) for a in adapters())]
    attributes = {module: _attributes(module) for module in own}
    held = [(tensor, tensor.detach().clone()) for tensor in _states(modules, own)]
    kept = {
        (module, name): getattr(module, name)
        for module in modules for a in adapters() if a.knows(module)
        for name in a.attributes(module)
    }
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            yield
    finally:
        for module, before in attributes.items():
            _give_back(module, before)
        for module, flag in training.items():
            module.training = flag
        for (module, name), state in kept.items():
            setattr(module, name, state)
        with torch.no_grad():
            for tensor, values in held:
                _refill(tensor, values)


def _attributes(module: nn.Module) -> dict[str, tuple[Any, Any]]:
    """The attributes of a module, and what the lists and dictionaries among them hold."""
    return {name: (value, _contents(value)) for name, value in vars(module).items()}


def _contents(value: object) -> Any:
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else None


def _give_back(module: nn.Module, before: dict[str, tuple[Any, Any]]) -> None:
    """Set the attributes to what they were; lists and dictionaries stay the same objects."""
    vars(module).clear()
    for name, (value, contents) in before.items():
        if isinstance(value, dict):
            value.clear()
            value.update(contents)
        elif isinstance(value, list):
            value[:] = contents
        vars(module)[name] = value


def _states(modules: list[nn.Module], own: list[nn.Module]) -> list[torch.Tensor]:
    """The tensors that a run may write into: buffers, and those of the user's own attributes."""
    found = [b for module in modules for b in module.buffers(recurse=False)]
    for module in own:
        values = {name: value for name, value in vars(module).items() if name not in REGISTERED}
        found += [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]
    return list({id(tensor): tensor for tensor in found
                 if tensor.layout == torch.strided and not is_lazy(tensor)}.values())


def _refill(tensor: torch.Tensor, values: torch.Tensor) -> None:
    """Write `values` back where they have changed."""
    if tensor.shape != values.shape:
        tensor.data = values
    elif not torch.all((tensor == values) | ((tensor != tensor) & (values != values))):  # noqa: PLR0124
        tensor.copy_(values)

"""A model without its code: its parts one after the other, in the order of registration."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, pairwise
from typing import Any

import torch
from torch import nn

from nmcompile.errors import ModelFileError
from nmcompile.frontends.adapters import adapters
from nmcompile.frontends.loading.rebuild import UnknownModule

MAX_PARTS = 10_000
CONTAINERS = (UnknownModule, nn.Sequential, nn.ModuleList)


class InOrder(nn.Module):
    """Runs parts in order, for one step; of what a neuron returns, the spikes go on."""

    def __init__(self, parts: dict[str, nn.Module], num_steps: Any) -> None:
        super().__init__()
        self.num_steps = num_steps
        self._parts = list(parts)
        for path, part in parts.items():
            self._register(path.split("."), part)

    def _register(self, path: list[str], part: nn.Module) -> None:
        holder: nn.Module = self
        for name in path[:-1]:
            if name not in holder._modules:
                holder._modules[name] = nn.Module()
            following = holder._modules[name]
            assert following is not None
            holder = following
        holder._modules[path[-1]] = part

    def forward(self, x: torch.Tensor) -> Any:
        """What the last part gives for one step."""
        result: Any = x
        for path in self._parts:
            given = result[0] if isinstance(result, tuple) else result
            result = self.get_submodule(path)(given)
        return result


def in_order(model: nn.Module) -> tuple[InOrder, str]:
    """`model` as its parts in order, and a note that says so."""
    parts = dict(islice(_leaves(model, "", count()), MAX_PARTS))
    if not parts:
        raise ModelFileError("model", "its file holds no layers", "Pass --code FILE.py:CLASS.")
    _require_layers_between(parts)
    listed = ", ".join(parts)
    note = (f"module order taken from registration: {listed}; "
            "pass --code FILE.py:CLASS to check against your forward")
    return InOrder(parts, getattr(model, "num_steps", None)), note


def _require_layers_between(parts: dict[str, nn.Module]) -> None:
    """Raise where a neuron follows on a neuron, which says that the order is not the forward's."""
    for (path, part), (following, after) in pairwise(parts.items()):
        if all(any(a.knows(m) for a in adapters()) for m in (part, after)):
            raise ModelFileError(
                "model", f"its file does not say in which order its modules run, and {path} is "
                f"registered directly before {following}", "Pass --code FILE.py:CLASS.",
            )


def _leaves(module: nn.Module, path: str, visits: count[int]) -> Iterator[tuple[str, nn.Module]]:
    if next(visits) > 10 * MAX_PARTS:
        raise ModelFileError("model", "its modules hold each other without end")
    if not isinstance(module, CONTAINERS):
        yield path, module
        return
    if isinstance(module, UnknownModule) and (module._parameters or not module._modules):
        kind = module.symbol.rpartition(".")[2]
        raise ModelFileError(
            path or "model", f"it is a {kind} with parameters of its own, whose code is "
            "not in the file", "Pass --code FILE.py:CLASS.")
    for name, part in module._modules.items():
        if part is not None:
            yield from _leaves(part, f"{path}.{name}" if path else name, visits)

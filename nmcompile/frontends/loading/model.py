"""The torch model of a file: whole, as a state dict with --code, or as parts in order."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from nmcompile.errors import CodeError, ModelFileError, PackageError, reading
from nmcompile.frontends.interface import Request
from nmcompile.frontends.loading.archive import kind, open_archive
from nmcompile.frontends.loading.code_file import load_code, make
from nmcompile.frontends.loading.export_file import read_program
from nmcompile.frontends.loading.export_model import ExportedModel
from nmcompile.frontends.loading.rebuild import Rebuilder, UnknownModule
from nmcompile.frontends.loading.repair import repair
from nmcompile.frontends.loading.sequence import in_order
from nmcompile.frontends.loading.unpickle import records

DAMAGED = ("is damaged", "Copy or save it again.")
HOLDERS = ("model", "net", "network", "state_dict", "model_state_dict", "weights")
GUESSED = "The order of its modules is a guess; pass --code FILE.py:CLASS."
EXPORT = "Save the model itself with torch.save(model, path)."


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """A model that runs, what its run stands for, and what the user should know.

    example  the sample that the model carries, or None; source: what a message calls it
    hint     what to do where the model does not run
    """

    model: nn.Module
    verified_by: str
    notes: tuple[str, ...] = ()
    example: Any = None
    source: str = "example_input_array"
    hint: str = ""


def load_model(request: Request) -> Loaded:
    """The model of `request.path`, loaded without running code that the file names."""
    assert request.path is not None
    path = request.path
    if kind(path) == "export":
        return _exported(path)
    _require_kind(path)
    module, factory = load_code(request.code) if request.code else (None, None)
    content = _content(path, request.trust_pickle, module)
    if isinstance(content, nn.Module):
        return _whole(content, module)
    if not _is_state_dict(content):
        raise ModelFileError(str(path), "holds neither a model nor a state dict", EXPORT)
    if factory is None:
        raise ModelFileError(str(path), "holds a state dict: parameters without the model",
                             "Pass --code FILE.py:CLASS, or save it with torch.save(model, path).")
    model = make(factory, str(request.code))
    if not isinstance(model, nn.Module):
        raise CodeError(f"--code {request.code}", f"gives a {type(model).__name__}, expected a "
                        "torch.nn.Module")
    _fill(path, model, content)
    return _with_forward(model)


def _exported(path: Path) -> Loaded:
    program = read_program(path)
    with reading(str(path), *DAMAGED):
        model = ExportedModel(program)
    return Loaded(model=model, verified_by="the exported program",
                  notes=("neurons of the exported program were rebuilt from its parameters",),
                  example=program.example)


def _require_kind(path: Path) -> None:
    found = kind(path)
    if found == "legacy":
        raise ModelFileError(str(path), "is a pickle or a file of torch before 1.6", EXPORT)
    if found == "jit":
        raise ModelFileError(str(path), "is a TorchScript archive, which is not read", EXPORT)


def _content(path: Path, trusted: bool, code: ModuleType | None) -> Any:
    if trusted:
        try:
            content = torch.load(path, map_location="cpu", weights_only=False)
        except (pickle.UnpicklingError, AttributeError, ImportError, RuntimeError) as error:
            raise PackageError(str(path), f"does not load: {error}",
                               "The classes that it names must be importable.") from error
    else:
        content = _rebuilt(path, code)
    return _held(content)


def _rebuilt(path: Path, code: ModuleType | None) -> Any:
    archive = open_archive(path)
    content = records(archive.pickle, str(path))
    with reading(str(path), *DAMAGED):
        return Rebuilder(archive, code).value(content)


def _held(content: Any) -> Any:
    """The model or state dict inside a checkpoint."""
    if isinstance(content, dict) and not _is_state_dict(content):
        for name in HOLDERS:
            if isinstance(content.get(name), nn.Module) or _is_state_dict(content.get(name)):
                return content[name]
    return content


def _is_state_dict(content: Any) -> bool:
    return isinstance(content, dict) and bool(content) and all(
        isinstance(value, torch.Tensor) for value in content.values())


def _whole(model: nn.Module, code: ModuleType | None) -> Loaded:
    repaired = repair(model, trusted=code is not None)
    if isinstance(model, UnknownModule) or any(
        isinstance(part, UnknownModule) for part in nn.Module.modules(model)
    ):
        if code is not None:
            symbol = next(part.symbol for part in nn.Module.modules(model)
                          if isinstance(part, UnknownModule))
            raise CodeError(f"--code {code.__file__}", f"does not define {symbol.split('.')[-1]}, "
                            "whose instance the file holds")
        ordered, note = in_order(model)
        return Loaded(model=ordered, verified_by="its modules in order of registration",
                      notes=(note, *repaired), hint=GUESSED,
                      example=getattr(model, "example_input_array", None))
    return _with_forward(model, repaired)


def _with_forward(model: nn.Module, notes: tuple[str, ...] = ()) -> Loaded:
    return Loaded(model=model, verified_by="the model's own forward", notes=notes,
                  example=getattr(model, "example_input_array", None))


def _fill(path: Path, model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Load `state` into `model`, strictly; a common prefix such as "model." is taken off.

    Neurons' states that a run left in the file (Sinabs saves them) have no place in a new model,
    whose buffers for them are empty: it begins where its forward begins.
    """
    fresh = model.state_dict()
    own = set(fresh)
    prefix = next(iter(state)).split(".")[0] + "."
    if not own & set(state) and all(key.startswith(prefix) for key in state):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    empty = {key: value for key, value in fresh.items() if not value.numel()}
    try:
        misfit = model.load_state_dict({**state, **empty}, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CodeError(str(path), f"does not fit the class of --code: {reason}") from None
    missing, extra = sorted(misfit.missing_keys), sorted(misfit.unexpected_keys)
    if missing or extra:
        raise CodeError(str(path), "does not fit the class of --code: "
                        f"missing {_listed(missing)}; unexpected {_listed(extra)}")


def _listed(keys: list[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return (", ".join(keys[:3]) + more) or "none"

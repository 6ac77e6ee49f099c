"""The user's own Python file, named with --code; it is executed, by their wish."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from nmcompile.errors import NmcError, unknown_name

FORM = "Write --code FILE.py:NAME, where NAME is a class or a function without arguments."


def load_code(code: str) -> tuple[ModuleType, Any]:
    """The module and the class or factory of "file.py:Name"."""
    file, colon, name = code.rpartition(":")
    if not colon or not name.isidentifier():
        raise NmcError(f"--code {code}", "names no class", FORM)
    path = Path(file)
    if not path.is_file():
        raise NmcError(f"--code {file}", "is no file", FORM)
    module = _executed(path)
    if not callable(getattr(module, name, None)):
        own = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")
               and getattr(v, "__module__", None) == module.__name__]
        raise unknown_name(f"--code {file}", name, own)
    return module, getattr(module, name)


def make(factory: Any, code: str) -> Any:
    """What `factory` returns; NmcError where it needs arguments or fails."""
    required = [
        p.name for p in inspect.signature(factory).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if required:
        raise NmcError(f"--code {code}", f"needs arguments: {', '.join(required)}",
                       "Add a function without arguments that returns the model, and name it.")
    return factory()


def _executed(path: Path) -> ModuleType:
    name = f"nmcompile_user_code_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NmcError(f"--code {path}", "is no Python file", FORM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise NmcError(f"--code {path}", f"fails when it is run: {type(error).__name__}: {error}"
                       ) from error
    finally:
        sys.path.pop(0)
    return module

"""The user's own Python file or module, named with --code; it is executed, by their wish."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from nmcompile.errors import CodeError, NmcError, hint_to_install, unknown_name

FORM = ("Write FILE.py:NAME or MODULE:NAME, where NAME is a class or a function without "
        "arguments.")


def load_code(code: str, option: str = "--code") -> tuple[ModuleType, Any]:
    """The module and the class or factory of "file.py:Name" or "package.module:Name".

    Modules are found as Python finds them, and in the working directory. `option` is that which
    the user gave. Raises NmcError where there is no such thing, or it fails when it is run.
    """
    file, colon, name = code.rpartition(":")
    if not colon or not name.isidentifier():
        raise CodeError(f"{option} {code}", "names no class", FORM)
    where, path = f"{option} {file}", Path(file)
    if path.is_file():
        module = _executed(path, where)
    elif all(part.isidentifier() for part in file.split(".")):
        module = _imported(file, where)
    else:
        raise CodeError(where, "is no file", FORM)
    if not callable(getattr(module, name, None)):
        own = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")
               and getattr(v, "__module__", None) == module.__name__]
        raise unknown_name(where, name, own)
    return module, getattr(module, name)


def make(factory: Any, code: str, option: str = "--code", gives: str = "the model") -> Any:
    """What `factory` returns; NmcError where it needs arguments."""
    required = [
        p.name for p in inspect.signature(factory).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if required:
        raise CodeError(f"{option} {code}", f"needs arguments: {', '.join(required)}",
                        f"Add a function without arguments that returns {gives}, and name it.")
    return factory()


def _executed(path: Path, where: str) -> ModuleType:
    name = f"nmcompile_user_code_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CodeError(where, "is no Python file", FORM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _first_in_path(path.parent.resolve()), _failing(where):
        spec.loader.exec_module(module)
    return module


def _imported(name: str, where: str) -> ModuleType:
    with _first_in_path(Path.cwd()), _failing(where):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise CodeError(where, "is neither a file nor a module that Python finds",
                            FORM) from None


@contextmanager
def _first_in_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _failing(where: str) -> Iterator[None]:
    """Whatever the user's code raises is theirs to mend."""
    try:
        yield
    except NmcError:
        raise
    except Exception as error:
        raise CodeError(where, f"fails when it is run: {type(error).__name__}: {error}",
                        hint_to_install(error)) from error

"""What a shell offers for an argument: without importing what the verbs themselves need."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from click import Context, Parameter
from click.shell_completion import CompletionItem

Offer = Callable[[Context, Parameter, str], list[CompletionItem]]
MODELS = (".pt", ".pth", ".pt2", ".onnx", ".nir", ".net")
MANIFEST = "manifest.json"  # of a build folder
# Words that options take, as the passes know them: these import more than a completion may.
BALANCES = ("auto", "max", "99.99", "99.9", "99", "layer-wise")
BITS = ("8", "4", "2", "ternary", "auto")
CONVERSIONS = ("rate", "sigma-delta")
PARTITIONERS = ("own", "mt-kahypar", "auto")
POLARITIES = ("both", "merge", "on", "off")
REFERENCES = ("sim", "integer", "float")
TIMINGS = ("cycle", "fast")
MOST = 2000  # entries of a folder that are looked at


def target_or_file(context: Context, option: Parameter, begun: str) -> list[CompletionItem]:
    """Names of installed targets; target files where a path is begun."""
    from nmcompile.installed import target_names

    if "/" in begun or begun.startswith("."):
        return _paths(begun, (".toml",))
    return _items(target_names(), begun) or _paths(begun, (".toml",))


def devices(context: Context, option: Parameter, begun: str) -> list[CompletionItem]:
    """Kinds of devices."""
    from nmcompile.installed import names

    return _items(names("nmcompile.devices"), begun)


def words(*known: str) -> Offer:
    """Offers the words `known`."""
    return lambda context, option, begun: _items(known, begun)


def paths(*endings: str) -> Offer:
    """Offers files that end so, and folders on the way to them."""
    return lambda context, option, begun: _paths(begun, endings)


models = paths(*MODELS)


def builds(context: Context, option: Parameter, begun: str) -> list[CompletionItem]:
    """Build folders, and folders on the way to them."""
    return _paths(begun, (), builds=True)


def models_and_builds(context: Context, option: Parameter, begun: str) -> list[CompletionItem]:
    """Model files and build folders, and folders on the way to them."""
    return _paths(begun, MODELS, builds=True)


def _items(known: Iterable[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in known if name.startswith(begun)]


def _paths(begun: str, endings: tuple[str, ...], *, builds: bool = False) -> list[CompletionItem]:
    """Fitting files and builds behind `begun`, by name; shells complete folders themselves.

    Where nothing but folders fits, or a name holds what shells give a meaning, all is left to the
    shell.
    """
    head, slash, tail = begun.rpartition("/")
    shell = [CompletionItem(begun, type="dir" if builds and not endings else "file")]
    found: list[str] = []
    ways: list[str] = []
    try:
        folder = Path(head + slash).expanduser() if slash else Path()
        for count, entry in enumerate(folder.iterdir()):
            if count == MOST:
                return shell
            name = entry.name
            if not name.startswith(tail) or (name.startswith(".") and not tail):
                continue
            if name.lower().endswith(endings) and entry.is_file():
                found.append(head + slash + name)
            elif entry.is_dir():
                is_build = builds and (entry / MANIFEST).is_file()
                (found if is_build else ways).append(head + slash + name)
    except (OSError, RuntimeError):  # no such folder, or no such user's home
        return shell
    listed = sorted([*found, *(f"{way}/" for way in ways)])
    if not found or any(_is_special(name) for name in listed):
        return shell
    return [CompletionItem(name) for name in listed]


def _is_special(name: str) -> bool:
    return not all(c.isalnum() or c in "/._-+=~" for c in name)

"""The packages that nmcompile needs or can use, as its own metadata names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, requires

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from nmcompile.doctor.finding import Finding

APART = ("test", "examples", "docs")  # extras for work on nmcompile itself and for its examples
MODULES = {"lava-nc": "lava", "pillow": "PIL", "scikit-learn": "sklearn",
           "vl-convert-python": "vl_convert"}  # whose module has another name
# What an extra is for. Sources are the comments of pyproject.toml.
PURPOSES = {
    "aedat4": "AEDAT4 recordings as a device",
    "audio": "sound as data",
    "brevitas": "models of Brevitas, and their trained integers",
    "events": "recordings of event cameras as data",
    "images": "folders of pictures as data",
    "lava": "running Lava here; the device lava takes another Python",
    "loop": "nmc validate --loop",
    "norse": "models of Norse",
    "notebook": "tables and named arrays in Python",
    "partition": "--partitioner mt-kahypar",
    "rockpool": "models of Rockpool",
    "serve": "nmc serve and the device remote",
    "sinabs": "models of Sinabs",
    "snntorch": "models of snnTorch",
    "spikingjelly": "models of SpikingJelly",
}
# What packages ask for and nmcompile's tests run without: installed with pip's --no-deps.
KNOWN_TO_RUN = {("sinabs", "nir"), ("rockpool", "nir")}


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package that is needed, or that an extra brings.

    extra    "" where nmcompile itself needs it
    version  that is installed, None where none is
    """

    name: str
    asked: str
    extra: str
    version: str | None

    @property
    def module(self) -> str:
        """What is imported of it."""
        return MODULES.get(self.name, self.name.replace("-", "_"))

    @property
    def takes_torch(self) -> bool:
        """Whether torch is imported with it, which takes longest of all."""
        asked = requires(self.name) or () if self.version is not None else ()
        return "torch" in self.name or any(text.startswith("torch") for text in asked)

    @property
    def install(self) -> str:
        """What to type."""
        if not self.extra:
            return f"Type pip install '{self.name}{self.asked}'."
        return f"Type pip install '.[{self.extra}]' in nmcompile's folder."


def wanted() -> tuple[Package, ...]:
    """All packages for this Python: what is needed first, then by extra, each as often as named.

    Raises PackageNotFoundError where nmcompile itself is not installed.
    """
    found = []
    for requirement in _asked("nmcompile"):
        extra = _extra(requirement)
        if extra is None or extra in APART:
            continue
        name = canonicalize_name(requirement.name)
        found.append(Package(name=name, asked=str(requirement.specifier), extra=extra,
                             version=_version(name)))
    return tuple(sorted(found, key=lambda package: package.extra))


def wrong_version(package: Package) -> bool:
    """Whether another version is installed than nmcompile takes."""
    return package.version is not None and not Requirement(
        f"{package.name}{package.asked}").specifier.contains(package.version, prereleases=True)


def doubts(packages: tuple[Package, ...]) -> Iterator[Finding]:
    """Where installed packages ask for other versions of each other than are installed."""
    for name in sorted({package.name for package in packages if package.version is not None}):
        for requirement in _asked(name):
            other = canonicalize_name(requirement.name)
            version = _version(other)
            if version is None or _extra(requirement) != "" or (name, other) in KNOWN_TO_RUN:
                continue
            if not requirement.specifier.contains(version, prereleases=True):
                yield Finding(
                    section="together", name=f"{name} and {other}", state="doubtful",
                    told=f"{name} {_version(name)} asks for {other}{requirement.specifier}, "
                    f"{version} is installed",
                    todo=f"Where {name} fails, type pip install '{other}{requirement.specifier}' "
                    "in an environment of its own.")


def _asked(name: str) -> Iterator[Requirement]:
    """What an installed package asks for; not what is written as no requirement is."""
    for text in requires(name) or ():
        with suppress(InvalidRequirement):
            yield Requirement(text)


def _extra(requirement: Requirement) -> str | None:
    """The extra that a requirement belongs to, "" for none; None where not of this Python."""
    if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
        return ""
    for extra in _extras(str(requirement.marker)):
        if requirement.marker.evaluate({"extra": extra}):
            return extra
    return None


def _extras(marker: str) -> list[str]:
    """The names that `extra` is compared with in a marker."""
    parts = marker.replace('"', "'").split("extra == '")[1:]
    return [part.partition("'")[0] for part in parts]


def _version(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None

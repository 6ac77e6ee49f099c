"""The build folder: program, manifest, figures and configuration, written as a whole or not."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmcompile import __version__
from nmcompile.checks import Check
from nmcompile.errors import BuildError, ExportError, FileWriteError, NmcError, one_line, reading
from nmcompile.files import read_json, require_apart, why, write_json
from nmcompile.ir import Network
from nmcompile.late import LATE
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import Demand
from nmcompile.mapping.files import (
    load_network,
    load_program,
    program_family,
    save_network,
    save_program,
)
from nmcompile.passes.partition import SHARED, TOLD
from nmcompile.registry import backend
from nmcompile.report import Figures, ReportFile, compiled_figures
from nmcompile.stages import Compiled

ELSEWHERE = "Name another folder with -o."
PROGRAM, MANIFEST, REPORT, CONFIG = "program.h5", "manifest.json", "report.json", "config"
PAGE = "report.html"  # which nmc report makes of the figures
REAL = "float.h5"  # the network before it was quantized, which validations may go by
REAL_BYTES = 256 << 20  # of weights that are kept of it
NOT_WRITTEN = "not written: "  # so does a backend begin why a file is not there
LONGEST_PART = 255  # bytes in one name of a path, as file systems have it


@dataclass(frozen=True, kw_only=True, eq=False)
class Build:
    """What a build folder holds."""

    folder: Path
    program: Program
    figures: Figures
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """The model's name, or the folder's where the manifest tells of no model."""
        return one_line(str(self.manifest.get("model") or self.folder.resolve().name))

    def require_apart(self, places: dict[str, Path | None]) -> None:
        """Refuse places of the build's own files; `places` as of `files.require_apart`."""
        own = {f"the build's {name}": self.folder / name for name in (PROGRAM, MANIFEST, REPORT)}
        require_apart({**own, **places})


def write_build(compiled: Compiled, folder: Path, origin: dict[str, Any]) -> Build:
    """Write `compiled` to `folder`, replacing an earlier build there and nothing else.

    origin  what the manifest says of where the program came from: model, hashes, seed
    """
    build = unwritten(compiled, origin)
    return _write(folder, build.program, build.figures, build.manifest, compiled.real)


def unwritten(compiled: Compiled, origin: dict[str, Any]) -> Build:
    """The build of `compiled` in memory, with no folder; `origin` as of `write_build`."""
    told = {
        "nmcompile": __version__,
        **origin,
        "target": compiled.program.target.name,
        "notes": list(compiled.notes),
        "layers": [
            {
                "name": e.population, "weight_bits": e.width, "units_per_real": e.scale,
                "membrane_error": e.error, "kept": e.kept,
                "trials": {t.method: t.error for t in e.trials},
                "clipped_weights": e.clipped, "overflows": e.overflows,
            }
            for e in compiled.layer_errors
        ],
    }
    overflows = {e.population: {state: count for state, count in e.overflows.items() if count}
                 for e in compiled.layer_errors}
    figures = compiled_figures(compiled.program, compiled.demand, compiled.checks, compiled.counts,
                               overflows)
    figures["model"] = _model(origin)
    return Build(folder=Path(), program=compiled.program, figures=figures, manifest=told)


def _model(origin: dict[str, Any]) -> Figures | None:
    """What a report says of the model that `origin` tells of."""
    if origin.get("model") is None:
        return None
    return {"name": one_line(str(origin["model"])), "sha256": origin.get("model_sha256")}


def write_remapped(
    build: Build, program: Program, needs: Demand, check: Check, notes: tuple[str, ...],
    folder: Path,
) -> Build:
    """Write `build` with the mapping of `program` to `folder`.

    needs, check, notes  of the new mapping, in place of the earlier one's
    """
    checks = [Check(**told) for told in build.figures["checks"] if told["arrow"] != check.arrow]
    counts = (build.figures["yardsticks"] or {}).get("float")
    figures = compiled_figures(
        program, needs, (*checks, check), counts, build.figures["overflows"])
    figures["model"] = build.figures["model"]
    told = {k: v for k, v in build.manifest.items() if k not in ("config", "sha256")}
    kept = [note for note in told.get("notes", ())
            if not str(note).startswith((TOLD, SHARED, LATE))]
    told["notes"] = [*kept, *notes]
    return _write(folder, program, figures, told, real_network(build))


def _write(
    folder: Path, program: Program, figures: Figures, told: dict[str, Any], real: Network | None
) -> Build:
    """Write the folder; `told` is the manifest without what the folder itself adds."""
    with replaced_folder(folder) as fresh:
        save_program(program, fresh / PROGRAM)
        if real is not None and sum(
                p.map.weights().nbytes for p in real.projections) <= REAL_BYTES:
            save_network(real, fresh / REAL)
        (fresh / CONFIG).mkdir()
        described = backend(program.target.family).emit(program, fresh / CONFIG)
        _require_a_file(program.target.name, described)
        write_json(fresh / REPORT, figures)
        manifest = {**told, "config": described, "sha256": _hashes(fresh)}
        write_json(fresh / MANIFEST, manifest)
    return Build(folder=folder, program=program, figures=figures, manifest=manifest)


def _require_a_file(target: str, described: dict[str, str]) -> None:
    """Refuse a network that none of the backend's files can say."""
    reasons = [f"{name} ({text.removeprefix(NOT_WRITTEN)})" for name, text in described.items()
               if text.startswith(NOT_WRITTEN)]
    if reasons and len(reasons) == len(described):
        raise ExportError(target, f"none of its files can say this network: {', '.join(reasons)}")


def read_build(folder: Path) -> Build:
    """The build in `folder`."""
    if not folder.is_dir():
        raise BuildError(str(folder), "is not a folder", "Make one with nmc compile MODEL -o DIR.")
    for name in (PROGRAM, MANIFEST, REPORT):
        if not (folder / name).is_file():
            raise BuildError(
                str(folder), f"holds no {name}", "Make it with nmc compile MODEL -o DIR."
            )
    manifest = read_json(folder / MANIFEST)
    hashes = manifest.get("sha256") if isinstance(manifest, dict) else None
    if not isinstance(hashes, dict) or hashes.get(PROGRAM) != _hash(folder / PROGRAM):
        raise BuildError(
            str(folder),
            f"{PROGRAM} is not the file that {MANIFEST} tells of",
            "Compile the model again.",
        )
    family = program_family(folder / PROGRAM)
    program = load_program(folder / PROGRAM, backend(family).neurons)
    with reading(str(folder / REPORT), "is no report of this version", "Compile the model again."):
        figures = ReportFile.model_validate(read_json(folder / REPORT)).model_dump()
    figures["model"] = figures["model"] or _model(manifest)  # which format 1 did not tell
    names = [layer["name"] for layer in figures["layers"]]
    if names != [node.name for node in program.network.nodes]:
        raise BuildError(
            str(folder), "its files are of different builds", "Compile the model again.")
    return Build(folder=folder, program=program, figures=figures, manifest=manifest)


def config_digest(build: Build) -> str:
    """SHA-256 of all that lies in the build's `config/` now: names and contents."""
    folder, found = build.folder / CONFIG, hashlib.sha256()
    with reading(str(folder), "cannot be read", "Compile the model again."):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                found.update(f"{path.relative_to(folder)}\0{_hash(path)}\0".encode())
    return found.hexdigest()


def real_network(build: Build) -> Network | None:
    """The network in real numbers that `build` was quantized from; None where it is not kept.

    That of a large network is not, nor that of a program compiled from its integers.
    """
    digest, path = build.manifest["sha256"].get(REAL), build.folder / REAL
    if digest is None:
        return None
    if not path.is_file() or digest != _hash(path):
        raise BuildError(str(build.folder), f"{REAL} is not the file that {MANIFEST} tells of",
                         "Compile the model again.")
    return load_network(path, backend(build.program.target.family).neurons)


def require_free(folder: Path) -> Path:
    """`folder` by its whole name; NmcError where something lies there that is no build."""
    try:
        whole = folder.resolve()
        if any(len(os.fsencode(part)) > LONGEST_PART for part in whole.parts):
            raise FileWriteError(str(whole), "cannot be written: File name too long", ELSEWHERE)
        taken = whole.exists() and (not whole.is_dir() or any(whole.iterdir()))
        if taken and not _is_build(whole):
            raise BuildError(str(whole), "exists and is not a build of nmcompile", ELSEWHERE)
    except (OSError, RuntimeError) as error:
        raise FileWriteError(str(folder), f"cannot be written: {why(error)}", ELSEWHERE) from error
    return whole


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """An empty temporary folder beside `folder` that takes its place if the block ends well.

    What else lies in an earlier build, as run files do, is kept. A folder that is no build is
    never replaced.
    """
    try:
        folder = require_free(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name[:200]}.", dir=folder.parent))
    except (OSError, RuntimeError) as error:
        raise FileWriteError(str(folder), f"cannot be written: {why(error)}", ELSEWHERE) from error
    try:
        yield fresh
        fresh.chmod(0o755)
        _swap(fresh, folder)
    except OSError as error:
        raise FileWriteError(str(folder), f"cannot be written: {why(error)}", ELSEWHERE) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _is_build(folder: Path) -> bool:
    try:
        manifest = read_json(folder / MANIFEST)
    except NmcError:
        return False
    return isinstance(manifest, dict) and "nmcompile" in manifest and (folder / PROGRAM).is_file()


def _swap(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`, with what is not ours moved over."""
    if not folder.exists():
        fresh.replace(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name[:200]}.", dir=folder.parent)) / "old"
    folder.replace(old)
    fresh.replace(folder)
    for kept in sorted(old.iterdir()):
        if kept.name not in (PROGRAM, MANIFEST, REPORT, PAGE, CONFIG, REAL):
            kept.replace(folder / kept.name)
    shutil.rmtree(old.parent)


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): _hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != REPORT
    }


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

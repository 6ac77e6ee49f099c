"""The result of each pass as a file and as text, and files to go on from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nmcompile.checks import Check
from nmcompile.errors import FileWriteError, StageError, reading
from nmcompile.files import replaced_file, require_file
from nmcompile.frontends.interface import Traced
from nmcompile.hdf5 import is_hdf5, names_in, require_sound
from nmcompile.ir import Network, verify
from nmcompile.ir.maps import Chain
from nmcompile.ir.text import to_text
from nmcompile.mapping.files import VALUES
from nmcompile.mapping.verify import verify_rates, verify_slices
from nmcompile.passes.quantize import LayerError, Trial
from nmcompile.registry import backend
from nmcompile.stages import CutStage, Data, IntegerStage, RealStage, Stage
from nmcompile.target import Target
from nmcompile.values_file import read_value, write_value

FORMAT = "nmcompile-stage-1"
CLASSES = (*VALUES, Chain, Check, CutStage, Data, IntegerStage, LayerError, RealStage, Traced,
           Trial)
OTHER = ("is no stage of this version", "Write it again with nmc compile MODEL --dump DIR.")


def dump(stage: Stage, name: str, target: Target, folder: Path) -> None:
    """Write `stage` to `name`.h5 in `folder`, and what it is to `name`.txt."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileWriteError(str(folder), f"cannot be made: {error.strerror}") from error
    with (replaced_file(folder / f"{name}.h5") as fresh,
          h5py.File(fresh, "w", libver="v110", track_order=True) as file):
        file.attrs["format"] = FORMAT
        file.attrs["target"] = target.model_dump_json()
        write_value(file, "stage", stage)
    with replaced_file(folder / f"{name}.txt") as fresh:
        fresh.write_text("\n".join(_lines(stage)) + "\n", "utf-8")


def is_stage(path: Path) -> bool:
    """Whether `path` is a file of `dump`."""
    if not is_hdf5(require_file(path)):
        return False
    names_in(path)  # raises where the file would take this process down
    with reading(str(path), *OTHER), h5py.File(path, "r") as file:
        return bool(file.attrs.get("format") == FORMAT)


def require_stage(path: Path) -> None:
    """Raise NmcError where `path` is no file of `dump`."""
    if not is_stage(path):
        raise StageError(str(path), *OTHER)


def load_stage(path: Path, target: Target) -> Stage:
    """The stage in `path`, made for a target like `target`.

    Raises NmcError for a file that is damaged, and for one of a target with other constants; a
    traced network is of no target.
    """
    require_stage(path)
    classes = {cls.__name__: cls for cls in (*CLASSES, *backend(target.family).neurons)}
    require_sound(path)
    with reading(str(path), *OTHER), h5py.File(path, "r") as file:
        made_for = Target.model_validate_json(file.attrs["target"])
        if made_for.family != target.family and not _is_traced(file):
            raise StageError(str(path), f"was made for {made_for.name}, not for {target.name}",
                             f"Take --target {made_for.name}, or go on from trace.h5.")
        stage: Stage = read_value(file["stage"], classes)
    _verify(stage, target, str(path))
    return stage


def _is_traced(file: h5py.File) -> bool:
    return bool(file["stage"].attrs[":class"] == Traced.__name__)


def _verify(stage: Any, target: Target, where: str) -> None:
    """Raise NmcError where a stage breaks a rule that the passes behind it build on."""
    if not isinstance(stage, Traced | RealStage | IntegerStage | CutStage):
        raise StageError(where, *OTHER)
    network = verify(stage.network)
    if isinstance(stage, Traced):
        _verify_data(network, stage.inputs, where)
        return
    integer = stage.integer if isinstance(stage, CutStage) else stage
    _verify_data(network, integer.sample.inputs, where)
    if integer.latency != network.lags:
        raise StageError(where, "its lags are not those of its network")
    if isinstance(integer, RealStage):
        _verify_data(network, integer.data.inputs, where)
        return
    verify_rates(network, integer.rates)
    if isinstance(stage, CutStage):
        verify_slices(network, stage.slices, target, placed=False)
        if stage.together.shape != (len(stage.slices),) or stage.together.dtype.kind != "i":
            raise StageError(where, "its slices and the cores that they share differ in number")


def _verify_data(network: Network, inputs: dict[str, Any], where: str) -> None:
    shapes = {np.shape(values)[:2] for values in inputs.values()}
    right = set(inputs) == {p.name for p in network.inputs} and len(shapes) == 1
    if not right or any(np.shape(inputs[p.name])[2:] != p.shape for p in network.inputs) or (
            any(not np.all(np.isfinite(v)) for v in inputs.values()) or 0 in next(iter(shapes))):
        raise StageError(where, "its data are not those of its network")


def _lines(stage: Stage) -> Iterator[str]:
    yield to_text(stage.network)
    if isinstance(stage, Traced):
        return
    integer = stage.integer if isinstance(stage, CutStage) else stage
    yield f"lags {json.dumps(integer.latency)}"
    yield from (f"{check.arrow}: {check.text}" for check in integer.checks)
    yield from (f"note: {note}" for note in integer.notes)
    if isinstance(stage, CutStage):
        yield from _slices(stage)


def _slices(stage: CutStage) -> Iterator[str]:
    network, slices = stage.network, stage.slices
    for number, index in enumerate(slices.population.tolist()):
        box = " ".join(f"{low}:{high}" for low, high in zip(
            slices.low[number].tolist(), slices.high[number].tolist(), strict=True))
        yield (f"slice {number} of {network.populations[index].name}: {box}, with "
               f"{stage.together[number]}")

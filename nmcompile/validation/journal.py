"""What a device gave, batch by batch, in a folder beside the build, so that nothing is lost."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from nmcompile.device import Recording, Wanted
from nmcompile.errors import BusyError, Interrupted, JournalError, OptionsError, one_line, reading
from nmcompile.files import read_json, replaced_file, write_json, writing
from nmcompile.ir.neurons.base import Array

RUN, LOCK = "run.json", "lock"
MEASURED = ("step_s", "sample_s", "energy_j")
BOUNDARY = "boundary"
DIGESTS = ("program", "input", "config")  # of what identifies a run
AGAIN = "Remove it: the batch is run again."  # what to do about a batch that cannot be read


@dataclass(frozen=True, kw_only=True, eq=False)
class Journal:
    """A folder with `run.json`, which says what ran, and an .npz for each batch that is done.

    run  what must be equal for a run to go on: program, configuration, input, seed, steps, batches,
         and the device by the name that it has once it is open
    """

    folder: Path
    run: dict[str, Any]

    def begin(self, resume: bool) -> None:
        """Begin in the folder, or go on. Raises NmcError where it holds another run."""
        if self._is_empty():
            write_json(self.folder / RUN, self.run)
            return
        if not (self.folder / RUN).is_file():
            raise JournalError(str(self.folder), f"holds no {RUN}", "Move it away.")
        before = read_json(self.folder / RUN)
        if not resume:
            raise JournalError(str(self.folder), "holds a run that did not end",
                               "Add --resume to go on with it, or remove the folder.")
        if before != self.run:
            other = [name for name in self.run
                     if not isinstance(before, dict) or before.get(name) != self.run[name]]
            raise JournalError(str(self.folder), "is of another run: it differs in "
                               f"{', '.join(self._told(name, before) for name in other)}"
                               if other else "is of another run: it has other fields",
                               "Give the same build, input and options, or remove the folder.")

    def _told(self, name: str, before: Any) -> str:
        """A field with its values there and here, but for digests."""
        there = before.get(name) if isinstance(before, dict) else None
        here = self.run[name]
        if name in DIGESTS:
            return name
        return one_line(f"{name} ({there} there, {here} now)")

    @contextmanager
    def kept(self, resume: bool, firsts: range) -> Iterator[None]:
        """Begin; keep what is done if the block does not end, else throw it away.

        firsts  the first sample of each batch

        Raises NmcError where the folder is in use or of another run, Interrupted on Ctrl-C in the
        block.
        """
        with self.locked():
            self.begin(resume)
            with self._left_whole(firsts):
                yield
            self.remove()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep others out of it. Raises NmcError where one is in it."""
        with writing(self.folder):
            self.folder.mkdir(exist_ok=True)
            lock = FileLock(self.folder / LOCK)
            try:
                lock.acquire(blocking=False)
            except Timeout as error:
                raise BusyError(
                    str(self.folder), "is in use: another run of this build on this device has not "
                    "ended", "Wait for it, or compile to another folder.") from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _left_whole(self, firsts: range) -> Iterator[None]:
        """Keep the batches that are done where the block does not end."""
        try:
            yield
        except KeyboardInterrupt as error:
            done = sum(self.has(first) for first in firsts)
            self.leave()
            raise Interrupted(
                f"interrupted after {done:,} of {len(firsts):,} batches" if done else "interrupted",
                "they are kept; --resume goes on" if done else "nothing was written") from error
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Remove the folder where no batch is done."""
        if self._is_empty():
            self.remove()

    def _is_empty(self) -> bool:
        """Whether no batch is there, nor anything else."""
        return {path.name for path in self.folder.iterdir()} <= {RUN, LOCK}

    def has(self, first: int) -> bool:
        """Whether the batch that begins with sample `first` is there."""
        return self.path(first).is_file()

    def put(self, first: int, recording: Recording) -> None:
        """Keep a batch: whole or not at all."""
        with replaced_file(self.path(first)) as fresh, fresh.open("wb") as file:
            np.savez_compressed(file, **dict(_arrays(recording)))  # type: ignore[arg-type]

    def get(self, first: int, wanted: Wanted) -> Recording:
        """A batch that was kept; NmcError where it lacks what is wanted."""
        path = self.path(first)
        with reading(str(path), hint=AGAIN):
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            variables = {name: {v: arrays[f"{name}/{v}"] for v in variables}
                         for name, variables in wanted.items()}
            return Recording(
                variables=variables, boundary=str(arrays[BOUNDARY]),
                **{name: arrays.get(name) for name in MEASURED})

    def remove(self) -> None:
        """Throw it away: what it holds is told, or in the user's file."""
        with writing(self.folder):
            shutil.rmtree(self.folder)

    def path(self, first: int) -> Path:
        """The file of the batch that begins with sample `first`."""
        return self.folder / f"{first:09d}.npz"


class Unkept(Journal):
    """Of a recording nothing is kept: it is read again."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """There is no folder."""
        yield

    def begin(self, resume: bool) -> None:
        """Raises NmcError where there would be something to go on with."""
        if resume:
            raise OptionsError("--resume", "is of no use with a recording, which is read again",
                               "Leave it out.")

    def leave(self) -> None:
        """Nothing is there."""

    def has(self, first: int) -> bool:
        """Nothing is there."""
        return False

    def put(self, first: int, recording: Recording) -> None:
        """Nothing is kept."""

    def remove(self) -> None:
        """Nothing is there."""


def write_recordings(path: Path, recordings: list[Recording]) -> None:
    """Write what a device gave as a run file, `<population>/<variable>` (samples, steps, ...).

    What it did not measure of all samples is left out, with a warning.
    """
    parts = [dict(_arrays(recording)) for recording in recordings]
    names = [name for name in dict.fromkeys(name for part in parts for name in part)
             if name != BOUNDARY]
    kept = [name for name in names if all(name in part for part in parts)]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in kept}
    with replaced_file(path) as fresh, fresh.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    left_out = [name for name in names if name not in kept]
    if left_out:
        warnings.warn(f"{path} lacks {', '.join(left_out)}: not measured in all batches",
                      stacklevel=2)


def _arrays(recording: Recording) -> Iterator[tuple[str, Array]]:
    for population, variables in recording.variables.items():
        for name, values in variables.items():
            yield f"{population}/{name}", values
    for name in MEASURED:
        values = getattr(recording, name)
        if values is not None:
            yield name, values
    yield BOUNDARY, np.array(recording.boundary)

"""Runs batches of samples on a device, over lost connections, each kept once it is done."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nmcompile.device import Device, Place, Recorded, Recording, Wanted
from nmcompile.errors import DeviceLostError, DeviceUnreachableError, NmcError, one_line
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.simulator import Samples
from nmcompile.validation.accepted import Terms
from nmcompile.validation.journal import AGAIN, Journal

TRIES = 3  # of a batch whose device is lost, in all
PAUSE_S = 2.0  # between two of them
ON_GOING = "Run the same command with --resume: batches that are done are kept."


@dataclass(frozen=True, kw_only=True, eq=False)
class Session:
    """A device with what it runs.

    config  folder of the backend's files
    inputs  name -> (samples, steps, *shape) int32 payloads
    batch   samples of a batch
    losses  what was told each time that the device was lost and opened again
    """

    device: Device
    place: Place
    program: Program
    config: Path
    inputs: Mapping[str, Samples]
    batch: int
    losses: list[str] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and steps."""
        samples, steps = next(iter(self.inputs.values())).shape[:2]
        return samples, steps

    @property
    def firsts(self) -> range:
        """The first sample of each batch."""
        return range(0, self.shape[0], self.batch)

    def start(self) -> Wanted:
        """Connect and load; what can be read."""
        self.device.open(self.place)
        self.device.load(self.program, self.config)
        return self.device.readable()

    def end(self) -> None:
        """Close the device; a warning says what it fails with, since all that it gave is here."""
        try:
            self.device.close()
        except Exception as error:
            what = str(error) if isinstance(error, NmcError) else f"{type(error).__name__}: {error}"
            warnings.warn(one_line(f"device {self.device.name} did not close: {what}"),
                          stacklevel=2)

    def batches(
        self, journal: Journal, wanted: Wanted, ran: Callable[[int], None]
    ) -> Iterator[tuple[int, dict[str, Array], Recording]]:
        """First sample, inputs and recording of each batch; those in the journal are not run.

        ran  told how many further steps of samples are done

        Raises NmcError where the device stays lost, with how to go on.
        """
        samples, steps = self.shape
        for first in self.firsts:
            end = min(first + self.batch, samples)
            inputs = {name: np.asarray(values[first:end], np.int32)
                      for name, values in self.inputs.items()}
            terms = Terms(network=self.program.network, wanted=wanted,
                          lengths=(end - first, steps), where=f"device {self.device.name}",
                          recorded=isinstance(self.device, Recorded))
            if journal.has(first):
                terms = replace(terms, where=str(journal.path(first)), hint=AGAIN)
                recording = terms.accepted(journal.get(first, wanted))
                ran((end - first) * steps)
            else:
                told = _Told(ran, (end - first) * steps)
                recording = terms.accepted(self._run(first, inputs, wanted, told))
                journal.put(first, recording)
                told.rest()
            yield first, inputs, recording

    def _run(
        self, first: int, inputs: dict[str, Array], wanted: Wanted, told: _Told
    ) -> Recording:
        name = self.device.name
        for tries in range(1, TRIES + 1):
            try:
                if tries > 1:
                    self._reopen(name, told)
                return self.device.run(inputs, wanted, told.add)
            except DeviceLostError as error:
                if tries == TRIES:
                    hint = error.hint if "--device-option" in error.hint else ON_GOING
                    raise DeviceUnreachableError(
                        error.where, f"{error.what.rstrip('.')}, {TRIES} times", hint) from error
                self._tell_lost(first, tries, error)
        raise AssertionError

    def _tell_lost(self, first: int, tries: int, error: DeviceLostError) -> None:
        """Warn of a loss, and keep it for the results."""
        loss = one_line(f"from sample {first:,} on: {error.where}: {error.what.rstrip('.')}")
        self.losses.append(loss)
        warnings.warn(f"the device was lost {loss}. Trying again, {tries + 1} of {TRIES}",
                      stacklevel=2)

    def _reopen(self, name: str, told: _Told) -> None:
        """Connect and load again, after a while; a device that is not there is lost.

        Raises NmcError where another one than `name` answers there.
        """
        self.end()
        time.sleep(PAUSE_S)
        try:
            self.device.open(self.place)
            found = self.device.name
            if found == name:
                self.device.load(self.program, self.config)
        except NmcError as error:
            raise DeviceLostError(error.where, error.what, error.hint) from error
        if found != name:
            raise DeviceUnreachableError(
                f"device {name}", f"was lost, and '{found}' answers in its place",
                "Batches that are done are kept; bring it back and add --resume.")
        told.again()


class _Told:
    """Hands on progress of one batch; what is run again is not told again."""

    def __init__(self, ran: Callable[[int], None], total: int) -> None:
        self._ran, self._total, self._done, self._skip = ran, total, 0, 0

    def add(self, steps: int) -> None:
        skipped = min(steps, self._skip)
        self._skip -= skipped
        steps = min(steps - skipped, self._total - self._done)
        self._done += steps
        if steps:
            self._ran(steps)

    def again(self) -> None:
        self._skip = self._done

    def rest(self) -> None:
        self._skip = 0
        self.add(self._total - self._done)

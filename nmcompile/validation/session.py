"""Runs batches of samples on a device, over lost connections, each kept once it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmcompile.device import Device, DeviceLostError, Place, Recording, Wanted
from nmcompile.errors import NmcError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.simulator import Samples
from nmcompile.validation.journal import MEASURED, Journal

TRIES = 3  # of a batch whose device is lost, in all
PAUSE_S = 2.0  # between two of them
SPIKES = "spikes"
MOST_SPIKES = 2**15 - 1  # of a neuron in a step: counts come from a membrane of 16 bits at most
ON_GOING = "Run the same command with --resume: batches that are done are kept."


@dataclass(frozen=True, kw_only=True, eq=False)
class Session:
    """A device with what it runs.

    config  folder of the backend's files
    inputs  name -> (samples, steps, *shape) int32 payloads
    batch   samples of a batch
    """

    device: Device
    place: Place
    program: Program
    config: Path
    inputs: Mapping[str, Samples]
    batch: int

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
        """Connect and load; what can be read. The device is closed if it fails."""
        try:
            self.device.open(self.place)
            self.device.load(self.program, self.config)
            return self.device.readable()
        except BaseException:
            self.device.close()
            raise

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
            if journal.has(first):
                recording = journal.get(first, wanted)
                self._require(recording, wanted, end - first)
                ran((end - first) * steps)
            else:
                told = _Told(ran, (end - first) * steps)
                recording = self._run(inputs, wanted, told)
                self._require(recording, wanted, end - first)
                journal.put(first, recording)
                told.rest()
            yield first, inputs, recording

    def _run(self, inputs: dict[str, Array], wanted: Wanted, told: _Told) -> Recording:
        for tries in range(1, TRIES + 1):
            try:
                if tries > 1:
                    self._reopen(told)
                return self.device.run(inputs, wanted, told.add)
            except DeviceLostError as error:
                if tries == TRIES:
                    raise NmcError(error.where, f"{error.what.rstrip('.')}, {TRIES} times",
                                   ON_GOING) from error
        raise AssertionError

    def _reopen(self, told: _Told) -> None:
        """Connect and load again, after a while; a device that is not there is lost."""
        self.device.close()
        time.sleep(PAUSE_S)
        try:
            self.device.open(self.place)
            self.device.load(self.program, self.config)
        except NmcError as error:
            raise DeviceLostError(error.where, error.what, error.hint) from error
        told.again()

    def _require(self, recording: Recording, wanted: Wanted, samples: int) -> None:
        """Refuse a recording of other shapes than asked for, or of what nothing can send."""
        _, steps = self.shape
        for name, variables in wanted.items():
            full = (samples, steps, *self.program.network.shape_of(name))
            for variable in variables:
                values = recording.variables.get(name, {}).get(variable)
                if values is None or values.shape != full:
                    got = "nothing" if values is None else f"shape {values.shape}"
                    raise NmcError(f"device {self.device.name}", f"gave {got} for {name}/"
                                   f"{variable}, expected {full}")
                self._require_values(name, variable, values)
        for variable in MEASURED:
            values = getattr(recording, variable)
            if values is not None and not np.isfinite(values).all():
                raise NmcError(f"device {self.device.name}", f"gave {variable} that is not finite")

    def _require_values(self, name: str, variable: str, values: Array) -> None:
        """Refuse states that are not finite, and spikes that no neuron sends in a step."""
        told = f"gave {name}/{variable}"
        graded = self.program.network.population(name).neuron.graded
        if variable != SPIKES and not np.isfinite(values).all():
            raise NmcError(f"device {self.device.name}", f"{told} that are not finite")
        if variable == SPIKES and not graded and values.size and (
                values.min() < 0 or values.max() > MOST_SPIKES):
            raise NmcError(
                f"device {self.device.name}", f"{told} from {values.min():,} to {values.max():,} "
                f"in a step, expected numbers of spikes from 0 to {MOST_SPIKES:,}")


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

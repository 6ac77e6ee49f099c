"""What a device answers: it loads a program, runs spikes on it and tells what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from nmcompile.errors import DeviceLimitError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

Wanted = dict[str, tuple[str, ...]]  # population -> its variables, "spikes" among them
Ran = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """What a device gave for some samples, in the network's own time.

    variables  population -> variable -> (samples, steps, *shape): "spikes" int32 payloads, and
               states where the device can read them
    step_s     (samples, steps) measured seconds of each step, None where not measured
    sample_s   (samples,) measured seconds of each sample, None where not measured
    energy_j   (samples,) measured joules of each sample, None where not measured
    boundary   what the measured figures take in, in words; "" where nothing was measured
    """

    variables: dict[str, dict[str, Array]]
    step_s: Array | None = None
    sample_s: Array | None = None
    energy_j: Array | None = None
    boundary: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """Where a device is, as the user gave it: NAME or NAME:ADDRESS, with options beside it.

    address  "" where none was given
    options  name -> value, as in --device-option NAME=VALUE
    """

    address: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


class Device(Protocol):
    """A chip, a board or a vendor's simulator. Entry points name functions that make one.

    Calls come in the order open, load, any number of runs, close; close also after an error.
    """

    name: str

    def open(self, place: Place) -> None:
        """Connect. Raises NmcError where nothing is there, never takes another device instead."""

    def load(self, program: Program, config: Path) -> None:
        """Put a program on the device.

        config  the folder of the backend's files

        Raises NmcError where the device cannot run this program.
        """

    def readable(self) -> Wanted:
        """What `run` can tell of the loaded program."""

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """Run samples from a reset chip.

        inputs  name -> (samples, steps, *shape) int32 payloads, in the chip's integers
        wanted  of what is readable
        ran     told how many further steps of samples are done

        Raises DeviceLostError where the device stops answering.
        """

    def close(self) -> None:
        """Let go of the device; nothing where it was never open."""


@runtime_checkable
class Stepping(Protocol):
    """What a device has besides where it can run a sample step by step, as a closed loop does.

    Calls come between load and close: begin, any number of steps.
    """

    def begin(self) -> None:
        """Begin a sample, from a reset chip."""

    def step(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run one step of the chip.

        inputs  name -> (*shape) int32 payloads, in the chip's integers

        Returns for each output of the network, by name, its variable behind this step, (*shape).
        Raises DeviceLostError where the device stops answering.
        """


@runtime_checkable
class Recorded(Protocol):
    """What a device has besides that tells what ran before: it is read, so nothing need be kept."""

    @property
    def recording(self) -> Path:
        """The file that is read."""

    def require(self, samples: int, steps: int) -> None:
        """Raise NmcError where the file does not tell of so many samples of so many steps.

        Warns of what it tells beside them.
        """


@runtime_checkable
class Reached(Protocol):
    """What a device has besides that has options which change nothing of what it gives."""

    @property
    def reached_by(self) -> frozenset[str]:
        """Their names: a run that did not end goes on with other values of them."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Whether a device can be used as things stand.

    state  works; absent: nothing names it; broken: what is named is of no use
    told   version and place, or the reason, in words
    hint   what to do; "" where nothing need be done
    """

    state: Literal["works", "absent", "broken"]
    told: str
    hint: str = ""


@runtime_checkable
class Sought(Protocol):
    """What a device has besides that can say, before it is opened, whether it is there."""

    def look(self) -> Standing:
        """Whether it is there without an address, for `nmc doctor`; in a second or so.

        Opens nothing and runs nothing on the device.
        """


def stepping_device(device: Device) -> Stepping:
    """`device`, if it runs step by step. Raises NmcError where it does not."""
    if not isinstance(device, Stepping):
        raise DeviceLimitError(
            f"device {device.name}", "does not run step by step", "Use the device sim.")
    return device

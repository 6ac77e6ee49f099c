"""Recordings of any laboratory as a device: what was measured once is read, nothing runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nmcompile.device import Place, Ran, Recording, Wanted
from nmcompile.devices.aedat4 import Stream, read_aedat4
from nmcompile.devices.event_files import Events, read_csv, read_events
from nmcompile.devices.run_files import Stored, read_arrays
from nmcompile.errors import FileKindError, OptionError, OptionsError, unknown_name
from nmcompile.files import require_file
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

OF_STREAMS = ("population", "step-us", "start-us")
OPTIONS = ("first-sample", *OF_STREAMS)
STREAM = ".aedat4"
ENDINGS = (".npz", ".csv", STREAM)


class FileDevice:
    """Reads what a device gave: run files and lists of events (.npz), .csv, and .aedat4.

    Samples are taken in their order from the sample of the option `first-sample` on. Only spikes
    of populations that the file tells of are readable. Seconds and joules beside the spikes
    (`step_s`, `sample_s`, `energy_j`) are taken as measured.
    """

    name = "file"

    def __init__(self) -> None:
        self._path = Path()
        self._options: Mapping[str, str] = {}
        self._next = 0
        self._stored: Stored | Events | Stream | None = None
        self._network: Network | None = None

    @property
    def recording(self) -> Path:
        """See `Recorded`."""
        return self._path

    def open(self, place: Place) -> None:
        """Find the file; raises NmcError where there is none of a known kind."""
        if not place.address:
            raise OptionError("--device file", "names no file", "Give --device file:RECORDING.npz.")
        for option in place.options:
            if option not in OPTIONS:
                raise unknown_name("--device-option of file", option, OPTIONS)
        self._path, self._options = require_file(Path(place.address)), place.options
        if self._path.suffix.lower() not in ENDINGS:
            raise FileKindError(str(self._path), f"ends with '{self._path.suffix}', expected "
                                f"{', '.join(ENDINGS)}")
        for option in OF_STREAMS:
            if option in place.options and self._path.suffix.lower() != STREAM:
                raise OptionsError(
                    f"--device-option {option}", f"is of no use for {self._path.name}, "
                    f"only for {STREAM} files", "Leave it out.")
        self._next = self._number("first-sample", 0)

    def load(self, program: Program, config: Path) -> None:
        """Read the file; raises NmcError where it does not fit the network."""
        self._network = program.network
        ending = self._path.suffix.lower()
        if ending == ".npz":
            arrays = read_arrays(self._path, program.network)
            self._stored = arrays if isinstance(arrays, Stored) else read_events(
                self._path, arrays, program.network)
        elif ending == ".csv":
            self._stored = read_csv(self._path, program.network)
        else:
            self._stored = read_aedat4(self._path, program.network, self._options)

    def require(self, samples: int, steps: int) -> None:
        """See `Recorded`."""
        assert self._stored is not None
        self._stored.require(self._next, samples, steps)

    def readable(self) -> Wanted:
        """What the file tells of."""
        assert self._stored is not None
        return self._stored.readable

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """The next samples of the recording; raises NmcError where it has no more."""
        assert self._stored is not None
        samples, steps = next(iter(inputs.values())).shape[:2]
        first, self._next = self._next, self._next + samples
        recording = self._stored.recording(first, samples, steps, wanted)
        ran(samples * steps)
        return recording

    def close(self) -> None:
        """Nothing is open."""
        self._stored = None

    def _number(self, option: str, default: int) -> int:
        text = self._options.get(option, str(default))
        if not text.isascii() or not text.isdigit() or len(text) > 12:
            raise OptionError(f"--device-option {option}", f"is '{text}', expected a whole number")
        return int(text)



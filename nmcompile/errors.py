"""The errors that a user may meet: what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

# The extra of ours that brings a module.
EXTRAS = {"websockets": "serve", "cryptography": "serve", "gymnasium": "loop",
          **{name: name for name in ("snntorch", "norse", "rockpool", "sinabs", "spikingjelly",
                                     "brevitas")}}
LONGEST = 2000  # characters of a message
TERSE = (LookupError, TypeError, AttributeError, AssertionError)  # say little without their name


class NmcError(Exception):
    """A fault of the input, not of the compiler; printed as one line, exit code 2.

    where  the thing by its name: a layer, a file and field, a target
    what   what was found and what is allowed, with units
    hint   what to type or change; may be empty
    code   of its kind, whose page `nmc explain CODE` shows; "" in plug-ins that have none
    """

    code = ""

    def __init_subclass__(cls, code: str = "", **more: object) -> None:
        """A kind of fault: a new one where it brings a code, else one of its base's."""
        super().__init_subclass__(**more)
        cls.code = code or cls.code

    def __init__(self, where: str, what: str, hint: str = "") -> None:
        self.where = where
        self.what = what
        self.hint = hint
        super().__init__(one_line(f"{where}: {what.rstrip('.')}.{' ' + hint if hint else ''}"))

    def at(self, where: str, hint: str | None = None) -> NmcError:
        """The same fault, told of another place, and with another hint where one is given."""
        kind = kinds().get(self.code, NmcError)
        return kind(where, self.what, self.hint if hint is None else hint)


class Interrupted(KeyboardInterrupt):
    """A user's Ctrl-C, with how far the work had come; exit code 130.

    written  what is left of it
    """

    def __init__(self, told: str, written: str = "nothing was written") -> None:
        self.written = written
        super().__init__(told)


def one_line(text: str) -> str:
    """`text` without line breaks and control characters, which a file's names may hold."""
    shown = "".join(c if c.isprintable() else " " if c.isspace() else repr(c)[1:-1] for c in text)
    return shown if len(shown) <= LONGEST else shown[:LONGEST] + "..."


# The command line

class OptionError(NmcError, code="NMC-E0101"):
    """An option has a value that it does not take."""

class OptionsError(NmcError, code="NMC-E0102"):
    """Options do not go together, or one of them lacks another."""

class UnknownNameError(NmcError, code="NMC-E0103"):
    """A name is not among those that are known."""

class CommandLineError(NmcError, code="NMC-E0104"):
    """The command line is none of nmc's."""

class MetricError(NmcError, code="NMC-E0105"):
    """A bound is set on a figure that is not known."""

# Files

class FileReadError(NmcError, code="NMC-E0201"):
    """A file cannot be read: it is not there, is a folder, or is not the user's."""

class FileWriteError(NmcError, code="NMC-E0202"):
    """A file or folder cannot be written."""

class DamagedFileError(NmcError, code="NMC-E0203"):
    """The bytes of a file are not what its format says."""

class FileKindError(NmcError, code="NMC-E0204"):
    """A file is of another kind or version than what is read here."""

class FileSizeError(NmcError, code="NMC-E0205"):
    """A file holds more than is read of one."""

class BuildError(NmcError, code="NMC-E0206"):
    """A folder is no build that can be read, or none that may be overwritten."""

class TomlError(NmcError, code="NMC-E0207"):
    """A TOML file cannot be parsed, has a field too many or too few, or a wrong value in one."""

class StageError(NmcError, code="NMC-E0208"):
    """A file of --dump does not belong to what it is to go on with."""

# Models

class ModelFileError(NmcError, code="NMC-E0301"):
    """A file holds no model that can be compiled by itself."""

class UnsafeFileError(NmcError, code="NMC-E0302"):
    """A file asks to run code, or to read other files, while it is loaded."""

class CodeError(NmcError, code="NMC-E0303"):
    """The file of --code does not give the model."""

class UnsupportedLayerError(NmcError, code="NMC-E0304"):
    """A layer or operator of the model cannot be compiled."""

class UnsupportedNeuronError(NmcError, code="NMC-E0305"):
    """A neuron of the model, or an option of it, cannot be compiled."""

class TraceError(NmcError, code="NMC-E0306"):
    """What the model's forward computes cannot be followed."""

class TimeAxisError(NmcError, code="NMC-E0307"):
    """It cannot be told how the model runs over time."""

class SampleError(NmcError, code="NMC-E0308"):
    """The sample that a model is traced on is missing or does not fit it."""

class NetworkError(NmcError, code="NMC-E0309"):
    """A network is not well formed."""

class ParameterError(NmcError, code="NMC-E0310"):
    """A parameter of a neuron or a map is impossible."""

class ReadoutError(NmcError, code="NMC-E0311"):
    """What the model returns cannot be read from its neurons."""

class CheckError(NmcError, code="NMC-E0312"):
    """A network does not do what the one before it did."""

class ExportError(NmcError, code="NMC-E0313"):
    """A network cannot be said in the format that is asked for."""

class ModelSizeError(NmcError, code="NMC-E0314"):
    """A model is larger or more deeply nested than what is read."""

# Data

class DataShapeError(NmcError, code="NMC-E0401"):
    """Data do not have the shape that the network takes."""

class DataValueError(NmcError, code="NMC-E0402"):
    """Data hold values that the network cannot take."""

class EncodingError(NmcError, code="NMC-E0403"):
    """Data cannot be encoded in the way that is asked for."""

class RecordingError(NmcError, code="NMC-E0404"):
    """A recording of events holds what cannot be."""

class DataSetError(NmcError, code="NMC-E0405"):
    """A folder or data set cannot be read as samples with classes."""

class DataSizeError(NmcError, code="NMC-E0406"):
    """Data make more values than are held in memory."""

# Numbers and neurons of a chip

class WidthError(NmcError, code="NMC-E0501"):
    """Weights or activations of this width cannot be had."""

class NearestError(NmcError, code="NMC-E0502"):
    """A chip holds something only nearly."""

class PrecisionError(NmcError, code="NMC-E0503"):
    """Too much is lost where a network becomes integers."""

class ChipNeuronError(NmcError, code="NMC-E0504"):
    """A chip does not have this neuron or this rule of it."""

class ChipLayerError(NmcError, code="NMC-E0505"):
    """A chip does not have a layer like this."""

class ChipTopologyError(NmcError, code="NMC-E0506"):
    """A chip does not have connections like these."""

class ChipOutputError(NmcError, code="NMC-E0507"):
    """A chip cannot give what the model returns."""

class RegisterError(NmcError, code="NMC-E0508"):
    """A value does not fit its register."""

class ConversionError(NmcError, code="NMC-E0509"):
    """An artificial network cannot be converted to this."""

# Mapping

class CoreLimitError(NmcError, code="NMC-E0601"):
    """A layer does not fit a core."""

class BoardLimitError(NmcError, code="NMC-E0602"):
    """A network does not fit the board."""

class PlacementError(NmcError, code="NMC-E0603"):
    """There is no place for a layer where it may stand."""

class RouteError(NmcError, code="NMC-E0604"):
    """There is no way for packets, or no room for it in the tables."""

class ConstraintError(NmcError, code="NMC-E0605"):
    """The constraints of a mapping name what is not there."""

class MappingError(NmcError, code="NMC-E0606"):
    """A mapping is not well formed, or not this network's."""

class CutError(NmcError, code="NMC-E0607"):
    """A network cannot be cut into parts of this size."""

# Targets

class TargetError(NmcError, code="NMC-E0701"):
    """A target lacks what all chips of its family have."""

class CostError(NmcError, code="NMC-E0702"):
    """Times or energies that are needed are not known of a target."""

# Simulation

class RecordError(NmcError, code="NMC-E0801"):
    """Variables cannot be kept."""

class MeshError(NmcError, code="NMC-E0802"):
    """A mesh of routers is impossible."""

class StepError(NmcError, code="NMC-E0803"):
    """A step of the chip cannot be carried out."""

# Devices

class DeviceUnreachableError(NmcError, code="NMC-E0901"):
    """A device is not there, or does not answer."""

class DeviceLostError(NmcError, code="NMC-E0902"):
    """A device answered, and does not answer any more: what it did is lost."""

class DeviceAnswerError(NmcError, code="NMC-E0903"):
    """A device answers what cannot be."""

class DeviceLimitError(NmcError, code="NMC-E0904"):
    """A device cannot do what is asked of it."""

class DeviceBuildError(NmcError, code="NMC-E0905"):
    """A build is for another chip than the device's."""

class BoardError(NmcError, code="NMC-E0906"):
    """A board has no room left, or lacks what the build needs."""

class VendorToolError(NmcError, code="NMC-E0907"):
    """A vendor's tool is missing, too old, or fails."""

class JournalError(NmcError, code="NMC-E0908"):
    """A run cannot be resumed."""

class LoopError(NmcError, code="NMC-E0909"):
    """The environment of --loop does not fit the network."""

class RecordedRunError(NmcError, code="NMC-E0910"):
    """A recorded run is not one of this build on this data."""

# Devices on other machines

class ServerError(NmcError, code="NMC-E1001"):
    """nmc serve cannot be started or reached."""

class WireError(NmcError, code="NMC-E1002"):
    """The other side of a connection does not keep to the protocol."""

class BusyError(NmcError, code="NMC-E1003"):
    """Another run has the device or the build."""

class KeyFileError(NmcError, code="NMC-E1004"):
    """A key of nmc serve is not the other side's, or is open to others."""

# The environment

class PackageError(NmcError, code="NMC-E1101"):
    """A package is needed that is not installed."""

class PluginError(NmcError, code="NMC-E1102"):
    """A plug-in does not load, or contradicts another one."""

class MemoryShortError(NmcError, code="NMC-E1103"):
    """The machine has too little memory for the input."""



def kinds() -> dict[str, type[NmcError]]:
    """Each code of nmcompile's own with its kind of fault, sorted."""
    found = (kind for kind in NmcError.__subclasses__() if kind.__module__ == __name__)
    return {kind.code: kind for kind in sorted(found, key=lambda kind: kind.code)}


def hint_to_install(error: BaseException) -> str:
    """What to type where a module of one of our extras is missing; else ""."""
    extra = EXTRAS.get(error.name or "") if isinstance(error, ModuleNotFoundError) else None
    return f"Type pip install '.[{extra}]' in nmcompile's folder." if extra else ""


@contextmanager
def reading(where: str, what: str = "is damaged", hint: str = "",
            kind: type[NmcError] = DamagedFileError) -> Iterator[None]:
    """Make a `kind` of fault of what a parser raises in the block: hostile input may raise all.

    Only for code that reads a file into plain values, never for what computes with them.
    """
    try:
        yield
    except (NmcError, MemoryError):
        raise
    except Exception as error:
        said = _said(error)
        if not said or isinstance(error, TERSE):
            said = f"{type(error).__name__}: {said}".rstrip(": ")
        raise kind(where, f"{what} ({said})", hint) from error


def _said(error: Exception) -> str:
    """What an exception says, in one short line; of pydantic's, the first field and its fault."""
    if type(error).__name__ == "ValidationError":
        first = error.errors()[0]  # type: ignore[attr-defined]
        return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
    return (str(error).strip().splitlines() or [""])[0][:160].rstrip(".")


def unknown_name(where: str, name: str, known: Iterable[str]) -> NmcError:
    """The error for a name that is not among `known`: lists them and the nearest."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean '{nearest[0]}'? " if nearest else ""
    listed = ", ".join(names) if names else "none"
    return UnknownNameError(where, f"'{name}' is not known", f"{hint}Known: {listed}.")

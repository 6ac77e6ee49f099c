"""The device `remote`: one on another machine, by way of its `nmc serve`."""

from __future__ import annotations

import getpass
import os
import platform
import ssl
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from pydantic import BaseModel
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from nmcompile import __version__
from nmcompile.device import Place, Ran, Recording, Wanted
from nmcompile.errors import (
    BusyError,
    DataShapeError,
    DeviceAnswerError,
    DeviceLimitError,
    DeviceLostError,
    DeviceUnreachableError,
    KeyFileError,
    NmcError,
    OptionError,
    WireError,
    kinds,
    unknown_name,
)
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.files import save_program
from nmcompile.wire import (
    CHUNK,
    MOST_INPUTS,
    MOST_PROGRAM,
    MOST_RESULT,
    PROTOCOL,
    Answer,
    Arrival,
    Begin,
    Begun,
    Hello,
    Load,
    Loaded,
    Progress,
    Refusal,
    Result,
    RunOrder,
    StepOrder,
    Stepped,
    Welcome,
    chunks,
    client_context,
    head,
    key_file,
    parse_answer,
    result_bytes,
    said,
)

OPEN_S = 10.0  # to connect, and to be let in
PING_S, SILENCE_S = 10.0, 30.0  # between pings, and without an answer until the device is lost
# Seconds for which a client that lost its device asks for it again: until the server has noticed,
# which it does after SILENCE_S, or is there again. And between two tries.
RETURN_S, AGAIN_S = 60.0, 0.5
CROWD_S = 20.0  # for which it asks a server that has too many connections
PAYLOAD_BYTES = 4
OPTIONS = ("key",)


class _NotNowError(DeviceUnreachableError):
    """The server cannot be had now; later this may be otherwise."""


class _TakenError(_NotNowError, code=BusyError.code):
    """Another client is served."""


class _CrowdedError(_TakenError):
    """The server has as many connections as it takes."""


RAISED = {"lost": DeviceLostError, "busy": _TakenError}


class RemoteDevice:
    """A device at HOST:PORT; the option `key` names the key file, or the environment does."""

    def __init__(self) -> None:
        self.name, self._where = "remote", "remote"
        self._open, self._was_lost = ExitStack(), False
        self._link: ClientConnection | None = None
        self._program: Program | None = None
        self._readable: Wanted = {}

    reached_by = frozenset({"key"})

    def open(self, place: Place) -> None:
        """See `Device`. Raises NmcError where nobody is there, has the key, or is free."""
        for name in place.options:
            if name not in OPTIONS:
                raise unknown_name("remote option", name, OPTIONS)
        address = _address(place.address)
        self._where = f"remote {place.address}"
        context = client_context(key_file(place.options.get("key")))
        begin = time.monotonic()
        while True:
            try:
                device = self._let_in(address, context)
                break
            except _NotNowError as error:
                crowded = CROWD_S if isinstance(error, _CrowdedError) else 0.0
                if time.monotonic() > begin + (RETURN_S if self._was_lost else crowded):
                    raise error.at(error.where) from None
                time.sleep(AGAIN_S)
        self._was_lost, self.name = False, f"{device} at {place.address}"

    def _let_in(self, address: tuple[str, int], context: ssl.SSLContext) -> str:
        """Connect and say hello; the device's name there."""
        self._link = self._connected(*address, context)
        try:
            self._say(Hello(protocol=PROTOCOL, nmcompile=__version__, who=_who()))
            return str(self._answer(Welcome).device)
        except BaseException:
            self.close()
            raise

    def _connected(self, host: str, port: int, context: ssl.SSLContext) -> ClientConnection:
        try:
            return self._open.enter_context(connect(
                f"wss://{host}:{port}/", ssl=context, compression=None, proxy=None,
                max_size=CHUNK, open_timeout=OPEN_S, close_timeout=2, ping_interval=PING_S,
                ping_timeout=SILENCE_S))
        except (ConnectionError, ssl.SSLEOFError) as error:
            if isinstance(error, ConnectionRefusedError):
                raise self._silent(error) from error
            raise _CrowdedError(self._where, "closed the connection at once",
                                "Too many are connected there; try again.") from error
        except ssl.SSLCertVerificationError as error:
            raise KeyFileError(self._where, "the nmc serve there has another key",
                               "Give both ends the same key file.") from error
        except (ssl.SSLError, InvalidHandshake, EOFError) as error:
            told = getattr(error, "reason", None) or str(error) or "it closes the connection"
            raise KeyFileError(self._where, f"there is no nmc serve with this key ({told})",
                               "Give both ends the same key file.") from error
        except OSError as error:
            raise self._silent(error) from error

    def _silent(self, error: OSError) -> NmcError:
        return _NotNowError(self._where, f"does not answer ({error.strerror or error})",
                            "Start nmc serve there, or name its --port.")

    def load(self, program: Program, config: Path) -> None:
        """See `Device`. The server writes the configuration anew; `config` stays here.

        Raises NmcError where the program is larger than what is sent.
        """
        with tempfile.TemporaryDirectory(prefix="nmc-remote-") as folder:
            path = Path(folder) / "program.h5"
            save_program(program, path)
            size = path.stat().st_size
            if size > MOST_PROGRAM:
                raise DeviceLimitError(
                    self._where, f"the program takes {size:,} bytes, at most "
                    f"{MOST_PROGRAM:,} are sent", "Run it on a device of this machine.")
            self._say(Load(size=size))
            with path.open("rb") as parts:
                while part := parts.read(CHUNK):
                    self._send(part)
        self._readable, self._program = dict(self._answer(Loaded).readable), program

    def readable(self) -> Wanted:
        """See `Device`."""
        return self._readable

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """See `Device`. Samples are sent as many at a time as orders and answers may hold.

        Raises NmcError for inputs and variables that the program does not have.
        """
        assert self._program is not None
        samples, steps = self._lengths(inputs)
        for population, names in wanted.items():
            if not set(names) <= set(self._readable.get(population, ())):
                raise DeviceLimitError(
                    self._where, f"cannot read {', '.join(names)} of '{population}'")
        sent = sum(values[0].size * PAYLOAD_BYTES for values in inputs.values())
        kept = result_bytes(self._program.network, wanted, 1, steps)
        at_once = min(MOST_INPUTS // max(sent, 1), MOST_RESULT // kept)
        if not at_once:
            raise DeviceLimitError(
                self._where, f"a sample of {steps:,} steps sends {sent:,} bytes and "
                f"answers {kept:,}; at most {MOST_INPUTS:,} and {MOST_RESULT:,} are "
                "sent", "Record fewer variables, or run fewer steps.")
        return _joined([
            self._run({name: values[first : first + at_once] for name, values in inputs.items()},
                      wanted, ran)
            for first in range(0, samples, at_once)])

    def _lengths(self, inputs: Mapping[str, Array]) -> tuple[int, int]:
        """Samples and steps. Raises NmcError for other inputs than the program's, or for none."""
        assert self._program is not None
        ports = {port.name: port.shape for port in self._program.network.inputs}
        lengths = {values.shape[:2] for values in inputs.values()}
        if {name: values.shape[2:] for name, values in inputs.items()} != ports or (
                len(lengths) != 1 or 0 in next(iter(lengths))):
            given = {name: values.shape for name, values in inputs.items()}
            raise DataShapeError(
                self._where, f"was given inputs {given}, takes (samples, steps, *shape) "
                f"of {ports}, at least one sample of one step")
        samples, steps = lengths.pop()
        return samples, steps

    def _run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        arrays = {name: _payloads(name, values) for name, values in inputs.items()}
        self._say(RunOrder(inputs=tuple(head(n, a) for n, a in arrays.items()), wanted=wanted))
        self._send_arrays(arrays)
        while isinstance(answer := self._answer(Progress | Result), Progress):
            ran(answer.steps)
        return self._recording(self._arrived(answer), wanted, answer.boundary,
                               next(iter(arrays.values())).shape[:2])

    def _send_arrays(self, arrays: dict[str, Array]) -> None:
        for values in arrays.values():
            for part in chunks(values):
                self._send(part)

    def _arrived(self, answer: Result | Stepped) -> dict[str, Array]:
        """The arrays that follow an answer."""
        arrival = Arrival(answer.arrays, MOST_RESULT, self._where)
        while not arrival.is_whole:
            arrival.take(self._receive())
        return arrival.arrays()

    def _recording(
        self, arrays: dict[str, Array], wanted: Wanted, boundary: str, lengths: tuple[int, int]
    ) -> Recording:
        """What arrived. Raises WireError where it is not what was asked for."""
        assert self._program is not None
        asked: dict[str, tuple[tuple[int, ...], str]] = {
            f"{population}/{name}": ((*lengths, *self._program.network.population(
                population).shape), _kinds(name))
            for population, names in wanted.items() for name in names}
        measured = {"step_s": lengths, "sample_s": lengths[:1], "energy_j": lengths[:1]}
        expected = {**asked, **{name: (shape, "iuf") for name, shape in measured.items()}}
        if not set(asked) <= set(arrays) or not _are(arrays, expected):
            raise WireError(self._where, "answered with other arrays than were asked for")
        return Recording(
            variables={population: {name: arrays[f"{population}/{name}"] for name in names}
                       for population, names in wanted.items()},
            boundary=boundary, **{name: arrays.get(name) for name in measured})

    def begin(self) -> None:
        """See `Stepping`. Raises NmcError where the device there does not run step by step."""
        self._say(Begin())
        self._answer(Begun)

    def step(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `Stepping`."""
        assert self._program is not None
        arrays = {name: _payloads(name, values) for name, values in inputs.items()}
        self._say(StepOrder(inputs=tuple(head(n, a) for n, a in arrays.items())))
        self._send_arrays(arrays)
        found = self._arrived(self._answer(Stepped))
        network = self._program.network
        expected = {port.name: (network.population(port.population).shape, _kinds(port.variable))
                    for port in network.outputs}
        if set(found) != set(expected) or not _are(found, expected):
            raise WireError(self._where, "answered with other arrays than the outputs'")
        return found

    def close(self) -> None:
        """See `Device`."""
        self._link = self._program = None
        self._open.close()

    def _say(self, message: BaseModel) -> None:
        self._send(said(message))

    def _send(self, message: str | bytes) -> None:
        """Send; where the server has closed, raise what it said before."""
        assert self._link is not None
        try:
            self._link.send(message)
        except ConnectionClosed:
            self._answer(Answer)
            raise self._lost("stopped listening") from None

    def _receive(self) -> object:
        assert self._link is not None
        try:
            return self._link.recv()
        except ConnectionClosed as error:
            raise self._lost(f"is gone ({error})") from error

    def _answer(self, kind: Any) -> Any:
        """The next answer, which is of `kind`. Raises what a refusal says."""
        answer = parse_answer(self._receive(), self._where)
        if isinstance(answer, Refusal):
            self._was_lost |= answer.kind == "lost"
            fault = RAISED.get(answer.kind) or kinds().get(answer.code, NmcError)
            raise fault(f"{self._where}: {answer.where}", answer.what, _there(answer.hint))
        if not isinstance(answer, kind):
            raise WireError(self._where, f"answered '{answer.say}' out of turn")
        return answer

    def _lost(self, what: str) -> DeviceLostError:
        self._was_lost = True
        return DeviceLostError(self._where, what, "What it gave before is kept; run again.")


def _payloads(name: str, values: Array) -> Array:
    """`values` as they are sent. Raises NmcError where they are not of 32 bits."""
    low, high = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    if values.dtype.kind not in "iub" or values.min() < low or values.max() > high:
        raise DeviceAnswerError(
            name, f"holds payloads of {values.dtype} that are no integers of 32 bits")
    return values.astype(np.int32, copy=False)


def _there(hint: str) -> str:
    """A hint of the server's; options that it names are for the command that runs there."""
    return f"{hint} (of nmc serve, there)" if "--device" in hint else hint


def _kinds(variable: str) -> str:
    """Kinds of numbers that a variable has: spikes are whole, states may be real."""
    return "iub" if variable == "spikes" else "iubf"


def _are(arrays: dict[str, Array], expected: Mapping[str, tuple[tuple[int, ...], str]]) -> bool:
    """Whether all arrays are of the shape and one of the kinds that are expected by their name."""
    return all(name in expected and values.shape == expected[name][0]
               and values.dtype.kind in expected[name][1] for name, values in arrays.items())


def _address(text: str) -> tuple[str, int]:
    """Host, in brackets where it is one of IPv6, and port."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # as Python's own look-up of names does
    except ValueError:
        host, port = None, None
    if not host or not port or parts.netloc != text or "@" in text:
        raise OptionError("remote", f"'{text}' is no address", "Name it as remote:HOST:PORT.")
    return (f"[{host}]" if ":" in host else host), port


def _who() -> str:
    """What those who wait for the device are told of this client."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{platform.node()}"[:200]


def _joined(parts: list[Recording]) -> Recording:
    """The samples of all parts after each other."""
    first = parts[0]
    if len(parts) == 1:
        return first

    def one_behind_the_other(arrays: list[Array | None]) -> Array | None:
        known = [values for values in arrays if values is not None]
        return np.concatenate(known) if len(known) == len(arrays) else None

    return Recording(
        variables={population: {name: np.concatenate([p.variables[population][name]
                                                      for p in parts]) for name in variables}
                   for population, variables in first.variables.items()},
        step_s=one_behind_the_other([p.step_s for p in parts]),
        sample_s=one_behind_the_other([p.sample_s for p in parts]),
        energy_j=one_behind_the_other([p.energy_j for p in parts]), boundary=first.boundary)

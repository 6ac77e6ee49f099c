"""One client's time with the device: its orders, each answered before the next."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from nmcompile import __version__
from nmcompile.device import Recording, Wanted
from nmcompile.errors import DeviceLostError, NmcError, WireError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.serve.bench import PROGRAM, Bench
from nmcompile.serve.upload import Upload
from nmcompile.wire import (
    LONGEST,
    MOST_INPUTS,
    MOST_RESULT,
    PROTOCOL,
    ArrayHead,
    Arrival,
    Begun,
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
    head,
    parse_order,
    require_result,
    result_bytes,
    said,
)

LOOK_S = 0.2  # between looks at how far the device is, and at whether the client is there
SLOWEST = 100_000  # bytes a second that a client must send
PATIENCE_S = 30.0  # for an upload of any size


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a session may take.

    idle_s  seconds without an order after which the client has to go
    told    is given lines for the log
    """

    idle_s: float
    told: Callable[[str], None]


class Session:
    """The device is this client's until `serve` ends."""

    def __init__(self, link: ServerConnection, who: str, bench: Bench, terms: Terms) -> None:
        self._link, self._who, self._bench, self._terms = link, who, bench, terms
        self._gone, self._begun = threading.Event(), False
        self._folder = tempfile.TemporaryDirectory(prefix="nmc-serve-")
        self._ran, self._said = 0, 0  # steps of samples that are done, and that the client knows of

    async def serve(self) -> None:
        """Open the device, do what the client orders, close it.

        Raises WireError where the client does not keep to the protocol, DeviceLostError where the
        device stops answering, NmcError where it does not open, and websockets' ConnectionClosed
        where the client goes.
        """
        try:
            name = await self._on_bench(self._bench.open)
            await self._say(Welcome(protocol=PROTOCOL, nmcompile=__version__, device=name))
            while True:
                await self._serve_order()
        finally:
            await self._close()

    async def _close(self) -> None:
        """Close the device; what it then says goes to the log, since nobody waits for it."""
        closed = asyncio.wrap_future(self._bench.ask(self._bench.close))
        await asyncio.wait({closed})
        error = None if closed.cancelled() else closed.exception()
        if error is not None:
            self._terms.told(f"the device did not close: {type(error).__name__}: {error}")
        self._folder.cleanup()

    async def _serve_order(self) -> None:
        text = await self._next(self._terms.idle_s, "gave no order")
        order = parse_order(text, self._who)
        try:
            if isinstance(order, Load):
                await self._load(order)
            elif isinstance(order, RunOrder):
                await self._run(order)
            elif isinstance(order, StepOrder):
                await self._step(order)
            else:
                self._loaded()
                await self._on_bench(self._bench.begin)
                self._begun = True
                await self._say(Begun())
        except (WireError, DeviceLostError):
            raise
        except NmcError as error:
            await self._say(refusal("refused", error))

    async def _load(self, order: Load) -> None:
        folder = Path(tempfile.mkdtemp(prefix="load-", dir=self._folder.name))
        try:
            await self._upload(Upload(folder / PROGRAM, order.size, self._who))
            self._begun = False
            readable = await self._on_bench(self._bench.load, folder)
        except NmcError:
            shutil.rmtree(folder)
            raise
        for earlier in Path(self._folder.name).iterdir():
            if earlier != folder:  # the device may read its files for as long as it has them
                shutil.rmtree(earlier)
        await self._say(Loaded(readable=readable))

    async def _upload(self, upload: Upload) -> None:
        try:
            await self._receive(upload)
        finally:
            upload.close()

    def _loaded(self) -> Program:
        program = self._bench.program
        if program is None:
            raise WireError(self._who, "gave another order before there was a program")
        return program

    async def _run(self, order: RunOrder) -> None:
        _require_run(order, self._loaded(), self._bench.readable, self._who)
        arrival = Arrival(order.inputs, MOST_INPUTS, self._who)
        await self._receive(arrival)
        self._begun = False
        recording = await self._on_bench(
            self._bench.run, arrival.arrays(), dict(order.wanted), self._count)
        arrays = _arrays(recording, order.wanted)
        require_result(sum(values.nbytes for values in arrays.values()), self._who)
        await self._say(Result(arrays=_heads(arrays), boundary=recording.boundary[:LONGEST]))
        await self._send(arrays)

    async def _step(self, order: StepOrder) -> None:
        if not self._begun:
            raise WireError(self._who, "ordered a step of a sample that did not begin")
        _require_inputs(order.inputs, self._loaded(), 0, self._who)
        arrival = Arrival(order.inputs, MOST_INPUTS, self._who)
        await self._receive(arrival)
        arrays = await self._on_bench(self._bench.step, arrival.arrays())
        await self._say(Stepped(arrays=_heads(arrays)))
        await self._send(arrays)

    async def _receive(self, arriving: Upload | Arrival) -> None:
        """Take in what follows an order, at least as fast as SLOWEST."""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_S + arriving.size / SLOWEST
        while not arriving.is_whole:
            arriving.take(await self._next(end - loop.time(), "sent too slowly"))

    async def _next(self, seconds: float, late: str) -> object:
        try:
            return await asyncio.wait_for(self._link.recv(), seconds)
        except asyncio.TimeoutError:
            raise WireError(self._who, f"{late} for {max(seconds, 0):.0f} s") from None

    async def _on_bench(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """What the device gives; meanwhile the client is told how far it is.

        A client that goes ends a run where the device next tells of it.
        """
        answer = asyncio.wrap_future(self._bench.ask(call, *arguments))
        closed = asyncio.create_task(self._link.wait_closed())
        try:
            while not answer.done():
                await asyncio.wait({answer, closed}, timeout=LOOK_S,
                                   return_when=asyncio.FIRST_COMPLETED)
                if closed.done():
                    self._gone.set()
                    await asyncio.wait({answer})
                elif self._ran > self._said:
                    await self._say_progress()
        except ConnectionClosed:
            self._gone.set()
            raise
        finally:
            closed.cancel()
            await asyncio.wait({answer})
            error = None if answer.cancelled() else answer.exception()
            self._gone.clear()
        if answer.cancelled():
            raise DeviceLostError("nmc serve", "was ended")
        if error is not None:
            raise error
        if self._ran > self._said:
            await self._say_progress()
        return answer.result()

    async def _say_progress(self) -> None:
        steps, self._said = self._ran - self._said, self._ran
        await self._say(Progress(steps=steps))

    def _count(self, steps: int) -> None:
        """Called by the device's thread."""
        if self._gone.is_set():
            raise ClientGoneError(self._who, "went before the run was over")
        self._ran += steps

    async def _send(self, arrays: dict[str, Array]) -> None:
        for values in arrays.values():
            for part in chunks(values):
                await self._link.send(part)

    async def _say(self, message: BaseModel) -> None:
        await self._link.send(said(message))


class ClientGoneError(NmcError):
    """Ends a run that nobody waits for any more."""


def refusal(kind: str, error: NmcError) -> Refusal:
    """`error` as the other side gets it."""
    return Refusal.model_validate(
        {"kind": kind, "code": error.code, "where": error.where[:LONGEST],
         "what": error.what[:LONGEST], "hint": error.hint[:LONGEST]})


def _require_inputs(
    heads: tuple[ArrayHead, ...], program: Program, ahead: int, where: str
) -> tuple[int, ...]:
    """The axes that all inputs have ahead of their shapes; refuse inputs that are others."""
    given = {h.name: h for h in heads}
    for port in program.network.inputs:
        sent = given.get(port.name)
        if sent is None or sent.dtype != "<i4" or sent.shape[ahead:] != port.shape:
            raise WireError(where, f"sends no int32 ({'samples, steps, ' if ahead else ''}"
                            f"*{port.shape}) of input '{port.name}'")
    lengths = {h.shape[:ahead] for h in heads}
    if len(heads) != len(program.network.inputs) or len(lengths) != 1:
        raise WireError(where, "sends inputs that the program does not have, or of unlike lengths")
    return lengths.pop()


def _require_run(order: RunOrder, program: Program, readable: Wanted, where: str) -> None:
    """Refuse inputs that are not those of `program`, and answers that would be too large."""
    samples, steps = _require_inputs(order.inputs, program, 2, where)
    for population, kept in order.wanted.items():
        if population not in readable:
            raise WireError(where, f"wants '{population}', which cannot be read")
        if len(set(kept)) != len(kept) or not set(kept) <= set(readable[population]):
            raise WireError(where, f"wants more of '{population}' than can be read")
    size = result_bytes(program.network, dict(order.wanted), samples, steps)
    if size > MOST_RESULT:
        raise WireError(where, f"wants {size:,} bytes, at most {MOST_RESULT:,} are sent")


def _heads(arrays: dict[str, Array]) -> tuple[ArrayHead, ...]:
    return tuple(head(name, values) for name, values in arrays.items())


def _arrays(recording: Recording, wanted: Wanted) -> dict[str, Array]:
    """The arrays of `recording` by the names that they are sent by."""
    arrays = {f"{population}/{name}": recording.variables[population][name]
              for population, names in wanted.items() for name in names}
    measured = {"step_s": recording.step_s, "sample_s": recording.sample_s,
                "energy_j": recording.energy_j}
    return arrays | {name: values for name, values in measured.items() if values is not None}

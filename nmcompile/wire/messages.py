"""Messages of the wire: JSON texts, each looked over before anything is made of it.

A client says hello and is welcomed; then it gives orders, each of which is answered before the
next. The bytes that an order or an answer speaks of follow it in binary messages. All messages are
those of a WebSocket (RFC 6455) in TLS.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from nmcompile.errors import DeviceLimitError, WireError
from nmcompile.ir.verify import LONGEST_NAME

PROTOCOL = 2
CHUNK = 1 << 20  # bytes of a message
MOST_PROGRAM = 2 << 30  # bytes of a program; `hdf5` reads no more
MOST_INPUTS = 256 << 20  # bytes of spikes in an order
MOST_RESULT = 1 << 30  # bytes of an answer

Kind = Literal["|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8"]
LONGEST = 10_000  # characters of a text
Short = Annotated[str, StringConstraints(max_length=LONGEST_NAME)]
Text = Annotated[str, StringConstraints(max_length=LONGEST)]
Extent = Annotated[int, Field(ge=1, le=1 << 31)]
Variables = dict[Short, tuple[Short, ...]]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Hello(_Message):
    """The first message of a client. Later protocols may add fields, so others are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    say: Literal["hello"] = "hello"
    protocol: int
    nmcompile: Short
    who: Short


class Load(_Message):
    """Put a program on the device; as many bytes of its program.h5 follow."""

    say: Literal["load"] = "load"
    size: Annotated[int, Field(ge=1, le=MOST_PROGRAM)]


class ArrayHead(_Message):
    """An array that follows, in C order and with the lowest byte of a number first."""

    name: Annotated[str, StringConstraints(max_length=2 * LONGEST_NAME + 1)]
    dtype: Kind
    shape: Annotated[tuple[Extent, ...], Field(max_length=16)]


class RunOrder(_Message):
    """Run samples; the spikes of each input follow, (samples, steps, *shape) int32."""

    say: Literal["run"] = "run"
    inputs: Annotated[tuple[ArrayHead, ...], Field(min_length=1)]
    wanted: Variables


class Begin(_Message):
    """Begin a sample that is run step by step."""

    say: Literal["begin"] = "begin"


class StepOrder(_Message):
    """Run a step of it; the payloads of each input follow, (*shape) int32."""

    say: Literal["step"] = "step"
    inputs: Annotated[tuple[ArrayHead, ...], Field(min_length=1)]


class Welcome(_Message):
    """The answer to a hello: the device is the client's until it goes."""

    say: Literal["welcome"] = "welcome"
    protocol: int
    nmcompile: Short
    device: Short


class Loaded(_Message):
    """The program is on the device, and this is what can be read there."""

    say: Literal["loaded"] = "loaded"
    readable: Variables


class Progress(_Message):
    """Further steps of samples are done."""

    say: Literal["ran"] = "ran"
    steps: Annotated[int, Field(ge=0)]


class Result(_Message):
    """Samples ran; the arrays of a `Recording` follow.

    arrays  by name: "POPULATION/VARIABLE" for what was recorded, else the field's name
    """

    say: Literal["result"] = "result"
    arrays: tuple[ArrayHead, ...]
    boundary: Text


class Begun(_Message):
    """The device is at the beginning of a sample."""

    say: Literal["begun"] = "begun"


class Stepped(_Message):
    """A step is done; the variables of the outputs follow, by the outputs' names."""

    say: Literal["stepped"] = "stepped"
    arrays: tuple[ArrayHead, ...]


class Refusal(_Message):
    """An `NmcError` of the other side.

    code  of its kind of fault, "" where it has none
    kind  refused: the order was not carried out, another one may follow; lost: the device does not
          answer; busy: another client has it; closed: nothing more is heard from this client
    """

    say: Literal["refusal"] = "refusal"
    kind: Literal["refused", "lost", "busy", "closed"]
    code: Short
    where: Text
    what: Text
    hint: Text


Order = Load | RunOrder | Begin | StepOrder
Answer = Welcome | Loaded | Progress | Result | Begun | Stepped | Refusal
_HELLO: TypeAdapter[Hello] = TypeAdapter(Hello)
_ORDER: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="say")])
_ANSWER: TypeAdapter[Answer] = TypeAdapter(Annotated[Answer, Field(discriminator="say")])


def said(message: BaseModel) -> str:
    """`message` as it is sent. Raises NmcError where it is larger than messages are."""
    text = message.model_dump_json()
    if len(text.encode()) > CHUNK:
        raise DeviceLimitError("wire", f"a message of {len(text):,} characters is not sent",
                               "Record fewer populations, or give them shorter names.")
    return text


def parse_hello(text: object, where: str) -> Hello:
    """The hello in a message. Raises WireError where it is none."""
    return _parsed(_HELLO, text, where)


def parse_order(text: object, where: str) -> Order:
    """The order in a message. Raises WireError where it is none."""
    return _parsed(_ORDER, text, where)


def parse_answer(text: object, where: str) -> Answer:
    """The answer in a message. Raises WireError where it is none."""
    return _parsed(_ANSWER, text, where)


def _parsed(adapter: TypeAdapter, text: object, where: str):  # type: ignore[no-untyped-def,type-arg]
    if not isinstance(text, str):
        raise WireError(where, "sent bytes where a message was due")
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise WireError(
            where, f"sent a message that is none ({': '.join(filter(None, (place, first['msg'])))})"
        ) from None

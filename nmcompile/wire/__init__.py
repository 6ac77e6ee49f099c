"""What `nmc serve` and the device `remote` say to each other, and the key that lets them."""

from nmcompile.errors import WireError
from nmcompile.wire.arrays import Arrival, chunks, head, require_result, result_bytes
from nmcompile.wire.key import (
    INSTALL,
    KEY_VARIABLE,
    client_context,
    key_file,
    new_key,
    server_context,
)
from nmcompile.wire.messages import (
    CHUNK,
    LONGEST,
    MOST_INPUTS,
    MOST_PROGRAM,
    MOST_RESULT,
    PROTOCOL,
    Answer,
    ArrayHead,
    Begin,
    Begun,
    Hello,
    Load,
    Loaded,
    Order,
    Progress,
    Refusal,
    Result,
    RunOrder,
    StepOrder,
    Stepped,
    Welcome,
    parse_answer,
    parse_hello,
    parse_order,
    said,
)

__all__ = [
    "CHUNK", "INSTALL", "KEY_VARIABLE", "LONGEST", "MOST_INPUTS", "MOST_PROGRAM", "MOST_RESULT",
    "PROTOCOL", "Answer", "ArrayHead", "Arrival", "Begin", "Begun", "Hello", "Load", "Loaded",
    "Order", "Progress", "Refusal", "Result", "RunOrder", "StepOrder", "Stepped", "Welcome",
    "WireError", "chunks", "client_context", "head", "key_file", "new_key", "parse_answer",
    "parse_hello", "parse_order", "require_result", "result_bytes", "said", "server_context",
]

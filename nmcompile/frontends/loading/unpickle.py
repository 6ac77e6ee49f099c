"""An unpickler that builds inert records: nothing that a pickle names is imported or called."""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from typing import Any

from nmcompile.errors import NmcError

HINT = "If you trust it, pass --trust-pickle, or give its class with --code FILE.py:CLASS."
# The only names that stand for the real thing: containers without behaviour.
CONTAINERS: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict, "builtins.set": set, "builtins.frozenset": frozenset,
}
# Functions whose calls a torch.save pickle consists of; recorded, and understood by rebuild.py.
RECORDED = frozenset([
    "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state", "torch.Size", "torch.device",
    "builtins.getattr", "functools.partial", "numpy.dtype", "_codecs.encode",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "builtins.slice",
    "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath", "builtins.complex",
    "builtins.bytearray", "builtins.object",
])
TOO_DEEP = "is nested too deeply or malformed"


class Named(type):
    """The class of a stand-in for one global name; calling it records the call or refuses."""

    symbol: str

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """What the REDUCE opcode does."""
        if cls.symbol not in RECORDED:
            raise NmcError(cls.symbol, "the file asks to call it while it is loaded", HINT)
        return cls.__new__(cls, *args, **kwargs)  # type: ignore[arg-type]


class Record(metaclass=Named):
    """One object of the pickle as data: the name of its class or function, arguments, state."""

    symbol = ""
    __slots__ = ("args", "items", "state")

    args: tuple[Any, ...]
    state: Any
    items: list[Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Record:
        """A record of `args`; keyword arguments are not part of any torch.save pickle."""
        record = object.__new__(cls)
        record.args, record.state, record.items = args, None, []
        return record

    def __setstate__(self, state: Any) -> None:
        """Keep the state as it is."""
        self.state = state

    def append(self, item: Any) -> None:
        """Elements of a subclass of list."""
        self.items.append(item)

    def extend(self, items: Any) -> None:
        """Elements of a subclass of list."""
        self.items.extend(items)

    def add(self, item: Any) -> None:
        """Elements of a subclass of set."""
        self.items.append(item)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Entries of a subclass of dict."""
        self.items.append((key, value))


class Storage:
    """A tensor's storage as the pickle names it: ("storage", type, key, device, elements)."""

    def __init__(self, dtype: str, key: str, elements: int) -> None:
        self.dtype, self.key, self.elements = dtype, key, elements


def records(data: bytes, where: str) -> Any:
    """The object that the pickle `data` describes, of Records and plain Python values."""
    try:
        return _Unpickler(data, where).load()
    except NmcError as error:
        place = error.where if error.where == where else f"{where}: {error.where}"
        raise NmcError(place, error.what, error.hint) from None
    except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, ValueError, KeyError,
            IndexError, RecursionError, MemoryError, OverflowError, AssertionError,
            NameError, struct.error) as error:
        reason = str(error).splitlines()[0] if str(error) else TOO_DEEP
        raise NmcError(where, f"holds a damaged pickle ({reason[:120]})") from None


def symbol_of(item: Any) -> str:
    """The global name that a Record or a stand-in class is for; "" for anything else."""
    if isinstance(item, Record):
        return type(item).symbol
    return item.symbol if isinstance(item, Named) else ""


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler in Python: the one in C reserves what a length or index claims."""

    def __init__(self, data: bytes, where: str) -> None:
        super().__init__(io.BytesIO(data))
        self._where = where
        self._classes: dict[str, type] = {}

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in for module.name; nothing is imported."""
        module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
        symbol = f"{module}.{name}"
        if symbol in CONTAINERS:
            return CONTAINERS[symbol]
        if symbol not in self._classes:
            self._classes[symbol] = Named(name, (Record,), {"symbol": symbol, "__slots__": ()})
        return self._classes[symbol]

    def persistent_load(self, pid: Any) -> Storage:
        """The storage that a tensor lies in."""
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage"
                and isinstance(pid[2], str) and isinstance(pid[4], int)):
            raise NmcError(self._where, "refers to data in a way that torch.save does not")
        return Storage(symbol_of(pid[1]).removeprefix("torch."), pid[2], pid[4])

"""An unpickler that builds inert records: nothing that a pickle names is imported or called."""

from __future__ import annotations

import io
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from nmcompile.errors import DamagedFileError, ModelSizeError, NmcError, UnsafeFileError, reading

HINT = "If you trust it, pass --trust-pickle, or give its class with --code FILE.py:CLASS."
KEYS = (str, int, float, bytes, type(None))  # a tuple's hash can be chosen to collide
# Functions whose calls a torch.save pickle consists of; recorded, and understood by rebuild.py.
RECORDED = frozenset([
    "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state", "torch.Size", "torch.device",
    "builtins.getattr", "functools.partial", "numpy.dtype", "_codecs.encode",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "builtins.slice",
    "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath", "builtins.complex",
    "builtins.bytearray", "builtins.object",
])
MAX_OPCODES = 2_000_000  # some 20,000 tensors with their modules
MAX_BITS = 64  # of an integer; wider ones can be made to collide in a dict
MAX_ITEMS = 1_000_000  # of a tuple with all tuples inside it, counted as often as they occur
# Opcodes that no torch.save writes: other ways to name and call things, and buffers whose claimed
# size is allocated before it is read.
REFUSED = frozenset(["INST", "OBJ", "EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER",
                     "READONLY_BUFFER", "BYTEARRAY8", "FROZENSET"])


class Named(type):
    """The class of a stand-in for one global name; calling it records the call or refuses."""

    symbol: str

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """What the REDUCE opcode does."""
        if cls.symbol not in RECORDED:
            raise UnsafeFileError(cls.symbol, "the file asks to call it while it is loaded", HINT)
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


class Container:
    """The only names that stand for the real thing: containers without behaviour.

    It makes one out of a list of elements, whose hashes must not be of the file's choice.
    """

    __slots__ = ("_kind",)

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def __call__(self, items: Iterable[Any] = ()) -> Any:
        """What the REDUCE opcode does."""
        held = list(items)
        for item in held:
            _require_key(item)
        return self._kind(held)

    def __setstate__(self, state: Any) -> None:
        """What the BUILD opcode would do; a container has no state."""
        raise ValueError("a container with a state")


CONTAINERS = {
    "collections.OrderedDict": Container(OrderedDict), "builtins.set": Container(set),
    "builtins.frozenset": Container(frozenset),
}


class Storage:
    """A tensor's storage as the pickle names it: ("storage", type, key, device, elements)."""

    def __init__(self, dtype: str, key: str, elements: int) -> None:
        self.dtype, self.key, self.elements = dtype, key, elements


def records(data: bytes, where: str) -> Any:
    """The object that the pickle `data` describes, of Records and plain Python values."""
    try:
        with reading(where, "holds a damaged pickle"):
            _require_plain(data, where)
            return _Unpickler(data, where).load()
    except NmcError as error:
        place = error.where if error.where == where else f"{where}: {error.where}"
        raise error.at(place) from error.__cause__


def _require_plain(data: bytes, where: str) -> None:
    """Raise where the pickle holds opcodes, numbers or a length that no model's has."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name in REFUSED:
            raise UnsafeFileError(
                where, f"holds the pickle opcode {opcode.name}, which torch.save never "
                "writes")
        if isinstance(argument, int) and argument.bit_length() > MAX_BITS:
            raise ModelSizeError(where, f"holds an integer of more than {MAX_BITS} bits")
        if count > MAX_OPCODES:
            raise ModelSizeError(where, f"holds a pickle of more than {MAX_OPCODES:,} opcodes")


def _require_key(item: Any) -> None:
    if not isinstance(item, KEYS) and not isinstance(item, Record | Named):
        raise ValueError(f"a {type(item).__name__} as a key or in a set")


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
        self._weights: dict[int, int] = {}

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
            raise DamagedFileError(self._where, "refers to data in a way that torch.save does not")
        return Storage(symbol_of(pid[1]).removeprefix("torch."), pid[2], pid[4])

    def _weighed(self) -> None:
        """Refuse a tuple that holds others in a way that takes for ever to print."""
        items: tuple[Any, ...] = self.stack[-1]  # type: ignore[attr-defined]
        inner = (self._weights.get(id(i), 1) if isinstance(i, tuple) else 1 for i in items)
        weight = 1 + sum(inner)
        if weight > MAX_ITEMS:
            raise ModelSizeError(self._where, "nests its tuples too deeply")
        self._weights[id(items)] = weight


    def load_setitem(self) -> None:
        """One entry of a dict."""
        _require_key(self.stack[-2])  # type: ignore[attr-defined]
        super().load_setitem()  # type: ignore[misc]

    def load_setitems(self) -> None:
        """Entries of a dict."""
        for key in self.stack[::2]:  # type: ignore[attr-defined]
            _require_key(key)
        super().load_setitems()  # type: ignore[misc]

    def load_dict(self) -> None:
        """A dict of what lies on the stack, as protocol 0 writes it."""
        for key in self.stack[::2]:  # type: ignore[attr-defined]
            _require_key(key)
        super().load_dict()  # type: ignore[misc]

    def load_additems(self) -> None:
        """Elements of a set."""
        for item in self.stack:  # type: ignore[attr-defined]
            _require_key(item)
        super().load_additems()  # type: ignore[misc]


def _weighing(load: Callable[[Any], None]) -> Callable[[Any], None]:
    def loaded(unpickler: _Unpickler) -> None:
        load(unpickler)
        unpickler._weighed()

    return loaded


_HANDLERS: dict[int, Callable[[Any], None]] = {
    **pickle._Unpickler.dispatch,
    **{opcode[0]: _weighing(pickle._Unpickler.dispatch[opcode[0]])
       for opcode in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)},
    pickle.SETITEM[0]: _Unpickler.load_setitem,
    pickle.SETITEMS[0]: _Unpickler.load_setitems,
    pickle.DICT[0]: _Unpickler.load_dict,
    pickle.ADDITEMS[0]: _Unpickler.load_additems,
}
_Unpickler.dispatch = _HANDLERS

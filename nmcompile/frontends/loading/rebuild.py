"""Make torch modules and tensors of a pickle's records, by what each record is known to be."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.errors import DamagedFileError, ModelSizeError
from nmcompile.frontends.loading.archive import Archive
from nmcompile.frontends.loading.library import module_class, plain_value
from nmcompile.frontends.loading.unpickle import Named, Record, Storage, symbol_of

DTYPES = {
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks",
    "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called",
    "_forward_pre_hooks_with_kwargs",
)
TABLES = ("_parameters", "_buffers", "_modules")
DROP = object()  # a value that is not rebuilt
MAX_DEPTH = 100  # of values inside each other
MAX_ITEMS = 1_000_000  # of a container with all that it holds, as often as it is held


class UnknownModule(nn.Module):
    """A module whose class is not at hand: its parts and plain attributes, without a forward."""

    def __init__(self, symbol: str) -> None:
        super().__init__()
        self.symbol = symbol


class Rebuilder:
    """Turns records into values, each once.

    archive  where tensor data lies
    code     the user's own file, whose classes and functions are used where names agree
    """

    def __init__(self, archive: Archive, code: ModuleType | None = None) -> None:
        self.archive, self.code = archive, code
        self._made: dict[int, Any] = {}
        self._storages: dict[str, torch.Tensor] = {}
        self._plain: dict[int, Any] = {}  # id -> value of a library that may be called
        self._depth = 0
        self._weights: dict[int, int] = {}  # id of a made container -> values in it, as printed
        self._heights: dict[nn.Module, int] = {}  # levels of modules in a module
        self._unfinished: set[int] = set()  # ids of the modules whose attributes are being made

    def value(self, item: Any) -> Any:
        """`item` rebuilt; DROP where it is something that is not needed to run the model."""
        if id(item) in self._made:
            return self._made[id(item)]
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ModelSizeError(str(self.archive.path), f"holds values more than {MAX_DEPTH} deep")
        made = self._value(item)
        self._depth -= 1
        return made

    def _value(self, item: Any) -> Any:
        if isinstance(item, Record):
            return self._record(item)
        if isinstance(item, dict):
            return self._dict(item)
        if isinstance(item, list | tuple | set | frozenset):
            return self._sequence(item)
        if item is None or isinstance(item, bool | int | float | complex | str | bytes):
            return item
        return self._global(item) if isinstance(item, Named) else DROP

    def _sequence(self, item: Any) -> Any:
        filled: list[Any] = []
        if isinstance(item, list):
            self._made[id(item)] = filled  # before its elements, which may hold it
        filled += [v for v in map(self.value, item) if v is not DROP]
        made = filled if isinstance(item, list) else type(item)(filled)
        self._made[id(item)] = made
        self._weigh(made, filled)
        return made

    def _weigh(self, made: Any, values: Iterable[Any]) -> None:
        """Refuse a value that holds others so often that to print or walk it would never end."""
        weight = 1 + sum(self._weights.get(id(v), 1) for v in values
                         if isinstance(v, list | tuple | set | frozenset | dict))
        if weight > MAX_ITEMS:
            raise ModelSizeError(str(self.archive.path), "holds lists in lists without end")
        self._weights[id(made)] = weight

    def _dict(self, item: dict[Any, Any]) -> dict[Any, Any]:
        made: dict[Any, Any] = OrderedDict() if isinstance(item, OrderedDict) else {}
        self._made[id(item)] = made
        for key, value in dict.items(item):
            rebuilt = self.value(value)
            if rebuilt is not DROP and isinstance(key, str | int | float | bool):
                made[key] = rebuilt
        self._weigh(made, made.values())
        return made

    def _record(self, record: Record) -> Any:
        symbol = symbol_of(record)
        maker = MAKERS.get(symbol)
        if maker is not None:
            made = maker(self, record)
            self._made[id(record)] = made
            return made
        if isinstance(record.state, dict) and "_modules" in record.state:
            return self._module(record, symbol)
        if isinstance(record.state, dict):
            plain = plain_value(symbol, record.state)
            if plain is not None:
                self._plain[id(plain)] = plain
                self._made[id(record)] = plain
                return plain
        return DROP

    def _global(self, item: Named) -> Any:
        for dtype in DTYPES.values():
            if item.symbol == str(dtype):
                return dtype
        plain = plain_value(item.symbol, None)
        if plain is not None:
            self._plain[id(plain)] = plain
            return plain
        return _found_in(self.code, item.symbol) or DROP

    def _module(self, record: Record, symbol: str) -> nn.Module:
        kind = module_class(symbol) or _found_in(self.code, symbol)
        if isinstance(kind, type) and issubclass(kind, nn.Module):
            module = kind.__new__(kind)
            nn.Module.__init__(module)
        else:
            module = UnknownModule(symbol)
        self._made[id(record)] = module
        self._unfinished.add(id(module))
        for name, value in dict.items(record.state):
            self._attribute(module, name, value)
        self._unfinished.remove(id(module))
        self._heights.setdefault(module, 1)
        return module

    def _attribute(self, module: nn.Module, name: Any, value: Any) -> None:
        """Set one plain attribute or table; hooks, methods and special names are left out."""
        if not isinstance(name, str) or name in HOOKS or name.startswith("__"):
            return
        rebuilt = self.value(value)
        if name in TABLES:
            self._table(module, name, rebuilt)
        elif rebuilt is not DROP and not callable(getattr(type(module), name, None)):
            trusted = self.code is not None or not callable(rebuilt)
            if trusted or isinstance(rebuilt, nn.Module) or id(rebuilt) in self._plain:
                module.__dict__[name] = rebuilt

    def _table(self, module: nn.Module, name: str, entries: Any) -> None:
        kinds = nn.Module if name == "_modules" else torch.Tensor
        if not isinstance(entries, dict) or not all(
            isinstance(key, str) and (value is None or isinstance(value, kinds))
            for key, value in entries.items()
        ):
            raise DamagedFileError(str(self.archive.path), f"a module's {name} hold something else")
        if name == "_modules":
            self._nest(module, [part for part in entries.values() if part is not None])
        module.__dict__[name].update(entries)

    def _nest(self, module: nn.Module, parts: list[nn.Module]) -> None:
        if any(id(part) in self._unfinished for part in parts):
            raise DamagedFileError(str(self.archive.path), "holds a module inside of itself")
        height = 1 + max((self._heights[part] for part in parts), default=0)
        if height > MAX_DEPTH:
            raise ModelSizeError(
                str(self.archive.path), f"holds modules more than {MAX_DEPTH} deep")
        self._heights[module] = height

    def tensor(self, record: Record) -> torch.Tensor:
        """_rebuild_tensor_v2(storage, offset, size, stride, ...), inside its storage."""
        storage, offset, size, stride = record.args[:4]
        if not isinstance(storage, Storage) or storage.dtype not in DTYPES:
            raise DamagedFileError(
                str(self.archive.path), "holds a tensor of a kind that is not read")
        numbers = (offset, *size, *stride)
        if len(size) != len(stride) or not all(type(n) is int and n >= 0 for n in numbers):
            raise DamagedFileError(str(self.archive.path), "holds a tensor of no valid size")
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
        if 0 not in size and last >= storage.elements:
            raise DamagedFileError(
                str(self.archive.path), f"holds a tensor of size {tuple(size)} that "
                "exceeds its data")
        if len(size) > 8 or np.prod([float(n) for n in size]) > max(storage.elements, 1):
            raise DamagedFileError(
                str(self.archive.path), f"holds a tensor of size {tuple(size)} that "
                "exceeds its data")
        return self._flat(storage).as_strided(tuple(size), tuple(stride), offset)

    def _flat(self, storage: Storage) -> torch.Tensor:
        if storage.key not in self._storages:
            dtype = DTYPES[storage.dtype]
            data = self.archive.storage(storage.key, storage.elements * dtype.itemsize)
            flat = torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(
                0, dtype=dtype)
            self._storages[storage.key] = flat
        return self._storages[storage.key]


def _parameter(rebuilder: Rebuilder, record: Record) -> Any:
    data = rebuilder.value(record.args[0])
    if not isinstance(data, torch.Tensor):
        raise DamagedFileError(str(rebuilder.archive.path), "holds a parameter that is no tensor")
    return nn.Parameter(data, requires_grad=data.is_floating_point())


def _scalar(rebuilder: Rebuilder, record: Record) -> Any:
    """numpy.core.multiarray.scalar(dtype, bytes) as a Python number."""
    kind = record.args[0].args[0] if isinstance(record.args[0], Record) else ""
    data = record.args[1]
    if symbol_of(data) == "_codecs.encode" and isinstance(data.args[0], str):
        data = data.args[0].encode("latin1")
    if kind not in ("f8", "f4", "i8", "i4", "b1") or not isinstance(data, bytes):
        return DROP
    return np.frombuffer(data, kind)[0].item() if len(data) == np.dtype(kind).itemsize else DROP


def _attribute_of(rebuilder: Rebuilder, record: Record) -> Any:
    """getattr(module, name): only a snnTorch neuron's own state function."""
    owner, name = (rebuilder.value(a) for a in record.args[:2])
    known = ("_base_sub", "_base_zero", "_base_int")
    if isinstance(owner, nn.Module) and type(owner).__module__.startswith("snntorch."):
        return getattr(type(owner), name).__get__(owner) if name in known else DROP
    return DROP


MAKERS: dict[str, Callable[[Rebuilder, Record], Any]] = {
    "torch._utils._rebuild_tensor_v2": Rebuilder.tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.Size": lambda rebuilder, record: tuple(record.args[0]),
    "builtins.getattr": _attribute_of,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
}


def _found_in(code: ModuleType | None, symbol: str) -> Any:
    """The user's own class or function of that name, which they trust by giving the file."""
    found = getattr(code, symbol.rpartition(".")[2], None) if code else None
    return found if getattr(found, "__module__", None) == getattr(code, "__name__", "") else None

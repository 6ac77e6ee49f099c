"""What an operator is here: a function of its attributes and its tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nmcompile.errors import ParameterError

LARGEST = 1 << 40  # magnitude of a whole number among the attributes


@dataclass(frozen=True, eq=False)
class Attributes:
    """The attributes of the node called `name`, read by name and type.

    batch  samples that the file was exported for, None where it leaves them open
    opset  version of the standard operators
    """

    name: str
    values: dict[str, Any]
    opset: int
    batch: int | None = None

    def number(self, key: str, default: int) -> int:
        """A whole number."""
        return self._checked(key, self.values.get(key, default), int)

    def real(self, key: str, default: float) -> float:
        """A real number."""
        return self._checked(key, self.values.get(key, default), float)

    def text(self, key: str, default: str) -> str:
        """A string."""
        return self._checked(key, self.values.get(key, default), str)

    def numbers(self, key: str, default: list[int]) -> list[int]:
        """A list of whole numbers."""
        found = self.values.get(key, default)
        if not isinstance(found, list | tuple):
            raise ParameterError(self.name, f"its {key} is no list")
        return [self._checked(key, n, int) for n in found]

    def _checked(self, key: str, value: Any, kind: type[Any]) -> Any:
        if not isinstance(value, kind) and not (kind is float and isinstance(value, int)):
            raise ParameterError(self.name, f"its {key} is no {kind.__name__}")
        if isinstance(value, int) and not -LARGEST < value < LARGEST:
            raise ParameterError(self.name, f"its {key} of {value:,} is out of range")
        return value


Operator = Callable[..., Any]  # (Attributes, *tensors) -> a tensor, or a tuple of them

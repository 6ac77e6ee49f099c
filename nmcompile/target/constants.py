"""A number of a chip as target files state it: value, unit, kind, source, error."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

T = TypeVar("T")
Kind = Literal["measured", "published", "estimate"]
Text = Annotated[str, Field(min_length=8)]
Edge = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Strict(BaseModel):
    """A table of a target file: no field may be missing, none may be unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Constant(Strict, Generic[T]):
    """One number of a chip, and what its sources say of its error, if they say anything.

    kind       measured on silicon, published by the maker or in a paper, or an estimate of ours
    error      share of the value by which it may be too large or too small
    low, high  the least and the largest that sources have, in place of `error`
    spread     the source of `error`, or of `low` and `high`
    """

    value: T
    unit: str
    kind: Kind
    source: Text
    error: Annotated[float, Field(ge=0, le=1)] | None = None
    low: Edge | None = None
    high: Edge | None = None
    spread: Text | None = None

    @model_validator(mode="after")
    def _spread_is_whole(self) -> Constant[T]:
        ends = (self.low, self.high)
        if ends != (None, None):
            self._require_range()
        if (self.spread is None) != (self.error is None and ends == (None, None)):
            raise ValueError("spread is the source of error, or of low and high: give both or none")
        return self

    def _require_range(self) -> None:
        if self.error is not None or self.low is None or self.high is None:
            raise ValueError("give either error, or low and high")
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise ValueError("only a number has a low and a high")
        if self.value == 0 or not self.low <= self.value <= self.high:
            raise ValueError(f"value {self.value:g} is not from low {self.low:g} to high "
                             f"{self.high:g}")

    @property
    def ratios(self) -> tuple[float, float] | None:
        """The least and the largest that it may be, as shares of its value; None if not known.

        A value of 0 stands for what another constant holds, and is as it is.
        """
        if self.error is not None:
            return 1 - self.error, 1 + self.error
        if self.value == 0:
            return 1.0, 1.0
        if self.low is None or self.high is None:
            return None
        assert isinstance(self.value, int | float)
        return self.low / self.value, self.high / self.value

"""What all parts of report.json have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds what cannot be printed")
    return text


Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)]
Some = Annotated[int, Field(ge=1)]
Place = Annotated[int, Field(ge=0, le=1 << 16)]  # column or row of a tile
Text = Annotated[str, AfterValidator(_printable)]


class Table(BaseModel):
    """Fields of these names and types, and no others."""

    model_config = ConfigDict(extra="forbid", strict=True)

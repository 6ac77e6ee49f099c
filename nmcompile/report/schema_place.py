"""What report.json holds of places on the chip and of the samples that were looked at."""

from __future__ import annotations

from collections.abc import Sized
from typing import Annotated, Literal

from pydantic import Field, model_validator

from nmcompile.report.schema_base import Number, Place, Some, Table, Text

Direction = Literal["east", "west", "north", "south", "northeast", "southwest"]
Edges = Annotated[list[Number], Field(min_length=2)]


def _require_alike(*columns: Sized) -> None:
    if len({len(column) for column in columns}) != 1:
        raise ValueError("its columns differ in length")


class Limit(Table):
    """A limit of a core: what the fullest core needs, and what a core has."""

    limit: Text
    need: int
    have: int
    kind: Text


class MappedLayer(Table):
    """A layer's cores, and of its fullest slice the limit nearest to its end."""

    name: Text
    neurons: int
    cores: int
    limit: Text
    need: int
    used: Number
    copies: Number
    stored_bits: int


class Mapped(Table):
    """What cores have, and what the network needs of them; whether --search takes the target."""

    searchable: bool
    cores: int
    cores_of: int
    chips: int
    chips_of: int
    limits: list[Limit]
    layers: list[MappedLayer]


class Cores(Table):
    """Cores that hold something, as columns."""

    core: Annotated[list[int], Field(min_length=1)]
    column: list[Place]
    row: list[Place]
    layers: list[Text]

    @model_validator(mode="after")
    def _columns_are_alike(self) -> Cores:
        _require_alike(self.core, self.column, self.row, self.layers)
        return self


class Links(Table):
    """Links that packets take, as columns; packets of a step."""

    column: list[Place]
    row: list[Place]
    direction: list[Direction]
    packets: list[Number]

    @model_validator(mode="after")
    def _columns_are_alike(self) -> Links:
        _require_alike(self.column, self.row, self.direction, self.packets)
        return self


class Floor(Table):
    """The part of the board that is used.

    chip    tiles of a chip, columns and rows; None where each tile is a chip with a router
    links   at the rates of the calibration data
    """

    chip: Annotated[list[Some], Field(min_length=2, max_length=2)] | None
    cores: Cores
    links: Links


class Rates(Table):
    """How many neurons send how many spikes in a step; edges are one more than neurons."""

    edges: Edges
    neurons: list[int]

    @model_validator(mode="after")
    def _has_an_edge_more(self) -> Rates:
        _require_alike(self.edges[1:], self.neurons)
        return self


class Raster(Table):
    """Spikes of some neurons in the first sample, as columns; `of` is how many are shown."""

    step: list[int]
    neuron: list[int]
    of: int

    @model_validator(mode="after")
    def _columns_are_alike(self) -> Raster:
        _require_alike(self.step, self.neuron)
        return self


class Membrane(Table):
    """How often v is where after a step; `level` is the least and largest v that fires."""

    edges: Edges
    counts: list[int]
    below: int
    above: int
    level: Annotated[list[Number], Field(min_length=2, max_length=2)] | None

    @model_validator(mode="after")
    def _has_an_edge_more(self) -> Membrane:
        _require_alike(self.edges[1:], self.counts)
        return self


class LookedLayer(Table):
    """One population in the samples that were looked at.

    lag  steps of the chip by which its steps are behind; None where an earlier version wrote it
    """

    name: Text
    lag: int | None = None
    rates: Rates
    silent: int
    raster: Raster
    membrane: Membrane | None


class Steps(Table):
    """Steps of the first sample, as columns; the core and layer whose work ends last.

    Seconds are None where the target does not know what events cost.

    inputs  spikes of all inputs together; None where an earlier version did not tell them apart
            from a population that is called inputs
    spikes  of each population
    """

    seconds: list[Number] | None
    busy_s: list[Number] | None
    core: list[int | None]
    layer: list[Text | None]
    inputs: list[int] | None
    spikes: dict[Text, list[int]]

    @model_validator(mode="after")
    def _columns_are_alike(self) -> Steps:
        timed = [each for each in (self.seconds, self.busy_s, self.inputs) if each is not None]
        _require_alike(*timed, self.core, self.layer, *self.spikes.values())
        return self


class Look(Table):
    """A closer look at the first samples of a run."""

    samples: Some
    layers: list[LookedLayer]
    steps: Steps
    links: Links

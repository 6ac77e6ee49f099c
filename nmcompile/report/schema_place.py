"""What report.json holds of places on the chip and of the samples that were looked at."""

from __future__ import annotations

from pydantic import model_validator

from nmcompile.report.schema_base import Number, Table, Text


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
    """What the cores have, and what the network needs of them."""

    cores: int
    cores_of: int
    chips: int
    chips_of: int
    limits: list[Limit]
    layers: list[MappedLayer]


class Cores(Table):
    """Cores that hold something, as columns."""

    core: list[int]
    column: list[int]
    row: list[int]
    layers: list[Text]


class Links(Table):
    """Links that packets take, as columns; packets of a step."""

    column: list[int]
    row: list[int]
    direction: list[Text]
    packets: list[Number]


class Floor(Table):
    """The part of the board that is used.

    chip    tiles of a chip, columns and rows; None where each tile is a chip with a router
    rates   whose spikes the packets are of: "calibration", or "samples" that were looked at
    """

    chip: list[int] | None
    first: list[int]
    last: list[int]
    rates: Text
    cores: Cores
    links: Links


class Rates(Table):
    """How many neurons send how many spikes in a step; edges are one more than neurons."""

    edges: list[Number]
    neurons: list[int]


class Raster(Table):
    """Spikes of some neurons in the first sample, as columns; `of` is how many are shown."""

    step: list[int]
    neuron: list[int]
    of: int


class Membrane(Table):
    """How often v is where after a step; `level` is the least and largest v that fires."""

    edges: list[Number]
    counts: list[int]
    below: int
    above: int
    level: list[Number] | None


class LookedLayer(Table):
    """One population in the samples that were looked at."""

    name: Text
    rates: Rates
    silent: int
    raster: Raster
    membrane: Membrane | None


class Steps(Table):
    """Steps of the first sample, as columns; the core and layer whose work ends last."""

    seconds: list[Number]
    busy_s: list[Number]
    core: list[int | None]
    layer: list[Text | None]
    spikes: dict[Text, list[int]]

    @model_validator(mode="after")
    def _columns_are_alike(self) -> Steps:
        columns = [self.seconds, self.busy_s, self.core, self.layer, *self.spikes.values()]
        if len({len(column) for column in columns}) != 1:
            raise ValueError("its columns differ in length")
        return self


class Look(Table):
    """A closer look at the first samples of a run."""

    samples: int
    layers: list[LookedLayer]
    steps: Steps
    floor: Floor

"""What report.json holds of the common yardsticks."""

from __future__ import annotations

from typing import Literal

from nmcompile.report.schema_base import Number, Table, Text


class _Operations(Table):
    """Counts that only a run can tell, a sample's share of each."""

    connections: int
    activation_sparsity: Number | None
    effective_macs: Number | None
    effective_acs: Number | None
    dense: Number | None
    membrane_updates: Number | None


class LayerCounts(_Operations):
    """Counts of one population and of what leads to it."""

    name: Text


class Counted(_Operations):
    """Counts of a network, in real numbers or on its chip."""

    samples: int | None
    steps: Number | None
    neurons: int
    states: int
    parameters: int
    footprint_bytes: int
    connection_sparsity: Number
    layers: list[LayerCounts]


class Estimate(Table):
    """Joules of a sample by published costs of operations, beside an ANN of the same layers."""

    of: Literal["float", "chip"]
    estimate: Literal["45nm_float32", "45nm_int8", "bit_serial", "bit_serial_states"]
    spiking_j: Number
    ann_j: Number
    even_at: Number | None


class YardstickFile(Table):
    """Counts of the model as it was traced and of the chip, and what is estimated from them."""

    float: Counted | None
    chip: Counted
    estimates: list[Estimate]

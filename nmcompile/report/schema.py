"""What report.json holds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[float, Field(allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class LayerFigures(_Table):
    """One input or population; what only a run can tell is None before one."""

    name: str
    neurons: int
    cores: int
    spikes: int | None
    synaptic_events: int | None
    neuron_updates: int | None
    packets: int | None
    hops: int | None
    energy_j: dict[str, Number] | None
    latency_s: Number | None
    utilisation: Number | None


class CheckFigures(_Table):
    """One arrow of the chain of checks."""

    arrow: str
    text: str
    figures: dict[str, Number | int | str | None]


class ReportFile(_Table):
    """The figures of a compilation and, after one, of a run."""

    target: str
    chips: int
    cores: int
    samples: int | None
    accuracy: Number | None
    steps: int | None
    latency_s: dict[str, Number] | None
    energy_j: dict[str, Number] | None
    energy_per_sample_j: Number | None
    layers: list[LayerFigures]
    checks: list[CheckFigures]
    estimated: list[str]

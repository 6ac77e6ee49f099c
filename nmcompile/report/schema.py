"""What report.json holds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds what cannot be printed")
    return text


Number = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, AfterValidator(_printable)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Energy(_Table):
    """Joules in all and by kind."""

    total: Number
    synapse: Number
    neuron: Number
    router: Number
    link: Number
    static: Number


class Latency(_Table):
    """Seconds of a step and of a sample; how many steps outlast the tick of a chip that has one."""

    per_step_mean: Number
    per_step_max: Number
    per_sample_mean: Number
    overruns: int | None = None


class LayerFigures(_Table):
    """One input or population; what only a run can tell is None before one."""

    name: Text
    neurons: int
    cores: int
    spikes: int | None
    synaptic_events: int | None
    neuron_updates: int | None
    packets: int | None
    hops: int | None
    energy_j: Energy | None
    latency_s: Number | None
    utilisation: Number | None


class CheckFigures(_Table):
    """One arrow of the chain of checks."""

    arrow: Text
    text: Text
    figures: dict[Text, Number | int | Text | None]


class ReportFile(_Table):
    """The figures of a compilation and, after one, of a run."""

    target: Text
    chips: int
    cores: int
    samples: int | None
    accuracy: Number | None
    steps: int | None
    latency_s: Latency | None
    energy_j: Energy | None
    energy_per_sample_j: Number | None
    layers: list[LayerFigures]
    checks: list[CheckFigures]
    estimated: list[Text]

    @model_validator(mode="after")
    def _run_is_whole(self) -> ReportFile:
        """What a run fills in is there as a whole or not at all."""
        of_run = [self.samples, self.latency_s, self.energy_j, self.energy_per_sample_j]
        for layer in self.layers:
            of_run += [layer.spikes, layer.synaptic_events, layer.neuron_updates, layer.packets,
                       layer.hops, layer.energy_j, layer.latency_s]
        if len({figure is None for figure in of_run}) != 1:
            raise ValueError("some figures of its run are missing")
        return self

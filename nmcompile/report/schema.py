"""What report.json holds."""

from __future__ import annotations

from math import isclose
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from nmcompile.report.yardstick_schema import YardstickFile


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds what cannot be printed")
    return text


KINDS = ("synapse", "neuron", "router", "link", "static")
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


class Range(_Table):
    """From where to where a figure may be; in its place is None where that is not known."""

    low: Number
    high: Number


class EnergyRange(_Table):
    """From where to where the joules may be, in all and by kind."""

    total: Range | None
    synapse: Range | None
    neuron: Range | None
    router: Range | None
    link: Range | None
    static: Range | None


class CoreColumns(_Table):
    """Joules by kind and seconds of work of each core; core None is what the inputs cause."""

    core: list[int | None]
    busy_s: list[Number]
    synapse: list[Number]
    neuron: list[Number]
    router: list[Number]
    link: list[Number]
    static: list[Number]


class ConstantFigures(_Table):
    """What one constant of the target costs; `events` of the static power are seconds of a chip."""

    constant: Text
    kind: Text
    value: Number
    unit: Text
    known_as: Text
    source: Text
    spread: Text | None
    events: Number
    energy_j: Number
    energy_range_j: Range | None


class HostSample(_Table):
    """Seconds that a host adds to a sample of the workload that the source names."""

    seconds: Number
    range: Range | None
    source: Text


class Outside(_Table):
    """What is not in the figures of the chips: the boundary in words, and what is known beyond."""

    boundary: Text | None
    energy_j: dict[Text, Number]
    energy_range_j: dict[Text, Range | None]
    host_sample: HostSample | None


class ExitPoint(_Table):
    """What one confidence gives."""

    confidence: Number
    steps_mean: Number
    latency_mean_s: Number
    accuracy: Number | None


class ExitFigures(_Table):
    """When samples stopped before their last step, and what lower confidences would have given."""

    confidence: Number
    scale: Number
    decided: int
    steps_mean: Number
    curve: list[ExitPoint]


class Perturbed(_Table):
    """What was made to go wrong."""

    weights: Number
    drop: Number
    add: Number
    stuck_cores: list[int]
    seed: int


class Latency(_Table):
    """Seconds of a step and of a sample; how many steps outlast the tick of a chip that has one."""

    per_step_mean: Number
    per_step_max: Number
    per_sample_mean: Number
    per_sample_range: Range | None
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
    energy_range_j: EnergyRange | None
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
    timing: Text | None
    latency_s: Latency | None
    energy_j: Energy | None
    energy_range_j: EnergyRange | None
    energy_per_sample_j: Number | None
    energy_by_core: CoreColumns | None
    energy_by_constant: list[ConstantFigures] | None
    outside: Outside | None
    late: dict[Text, int] | None
    exit: ExitFigures | None
    perturbed: Perturbed | None
    yardsticks: YardstickFile | None = None
    layers: list[LayerFigures]
    checks: list[CheckFigures]
    estimated: list[Text]

    @model_validator(mode="after")
    def _run_is_whole(self) -> ReportFile:
        """What a run fills in is there as a whole or not at all."""
        of_run = [self.samples, self.timing, self.latency_s, self.energy_j, self.energy_range_j,
                  self.energy_per_sample_j, self.energy_by_core, self.energy_by_constant,
                  self.outside, self.late]
        for layer in self.layers:
            of_run += [layer.spikes, layer.synaptic_events, layer.neuron_updates, layer.packets,
                       layer.hops, layer.energy_j, layer.energy_range_j, layer.latency_s]
        if len({figure is None for figure in of_run}) != 1:
            raise ValueError("some figures of its run are missing")
        return self

    @model_validator(mode="after")
    def _energies_add_up(self) -> ReportFile:
        """Kinds, layers, cores and constants each add up to the energy in all."""
        if self.energy_j is None or self.energy_by_core is None or self.energy_by_constant is None:
            return self
        total = self.energy_j.model_dump()
        parts = {"kinds": sum(total[kind] for kind in KINDS)}
        for kind in ("total", *KINDS):
            parts[f"layers, {kind}"] = sum(
                getattr(layer.energy_j, kind) for layer in self.layers)
        for kind in KINDS:
            parts[f"cores, {kind}"] = sum(getattr(self.energy_by_core, kind))
            parts[f"constants, {kind}"] = sum(
                row.energy_j for row in self.energy_by_constant if row.kind == kind)
        for name, found in parts.items():
            wanted = total[name.rpartition(", ")[2]] if ", " in name else total["total"]
            if not isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-300):
                raise ValueError(f"energies of {name} add up to {found!r} J, not to {wanted!r} J")
        return self

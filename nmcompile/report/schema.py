"""What report.json holds."""

from __future__ import annotations

from collections import Counter
from math import isclose
from typing import Any, Literal

from pydantic import model_validator

from nmcompile.report.earlier import from_format_1
from nmcompile.report.schema_base import Number, Share, Some, Table, Text
from nmcompile.report.schema_place import Floor, Look, Mapped
from nmcompile.report.yardstick_schema import YardstickFile

FORMAT = 2  # of report.json: raised where a field changes its meaning or goes
KINDS = ("synapse", "neuron", "router", "link", "static")


class Energy(Table):
    """Joules in all and by kind."""

    total: Number
    synapse: Number
    neuron: Number
    router: Number
    link: Number
    static: Number


class Range(Table):
    """From where to where a figure may be; in its place is None where that is not known."""

    low: Number
    high: Number


class EnergyRange(Table):
    """From where to where the joules may be, in all and by kind."""

    total: Range | None
    synapse: Range | None
    neuron: Range | None
    router: Range | None
    link: Range | None
    static: Range | None


class CoreColumns(Table):
    """Joules by kind and seconds of work of each core; core None is what the inputs cause."""

    core: list[int | None]
    busy_s: list[Number]
    synapse: list[Number]
    neuron: list[Number]
    router: list[Number]
    link: list[Number]
    static: list[Number]


class ConstantFigures(Table):
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


class TimeConstant(Table):
    """A constant that enters the time of a run; a table of a target is a list of points."""

    constant: Text
    value: Number | Text | list[list[Number]]
    unit: Text
    known_as: Text
    source: Text
    spread: Text | None
    range: Range | None


class HostSample(Table):
    """Seconds that a host adds to a sample of the workload that the source names."""

    seconds: Number
    range: Range | None
    source: Text


class Outside(Table):
    """What is not in the figures of the chips: the boundary in words, and what is known beyond."""

    boundary: Text | None
    energy_j: dict[Text, Number]
    energy_range_j: dict[Text, Range | None]
    host_sample: HostSample | None


class ExitPoint(Table):
    """What one confidence gives."""

    confidence: Number
    steps_mean: Number
    latency_mean_s: Number | None
    accuracy: Number | None


class ExitFigures(Table):
    """When samples stopped before their last step, and what lower confidences would have given."""

    confidence: Number
    scale: Number
    decided: int
    steps_mean: Number
    curve: list[ExitPoint]


class Perturbed(Table):
    """What was made to go wrong."""

    weights: Number
    drop: Number
    add: Number
    stuck_cores: list[int]
    seed: int


class Latency(Table):
    """Seconds of a step and of a sample; how many steps outlast the tick of a chip that has one."""

    per_step_mean: Number
    per_step_max: Number
    per_sample_mean: Number
    per_sample_range: Range | None
    overruns: int | None = None


class LayerFigures(Table):
    """One input or population; what only a run can tell is None before one.

    sources  what a population hears; None of inputs, and of what an earlier version wrote
    """

    name: Text
    sources: list[Text] | None = None
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


class CheckFigures(Table):
    """One arrow of the chain of checks."""

    arrow: Text
    text: Text
    figures: dict[Text, Number | int | Text | None]


class ModelFile(Table):
    """What was compiled: the last part of its file's name or its class, and the file's SHA-256."""

    name: Text
    sha256: Text | None


class DataFigures(Table):
    """What a run was of.

    name      the file's without its folder, or the data set's; None where there is none
    sha256    of the samples
    encoding  of values, in the words of --encode, --gain, --threshold and --off; None: they were
              sent as they are
    seed      of random spikes and of what went wrong
    """

    name: Text | None
    sha256: Text
    encoding: Text | None
    seed: int


class Decisions(Table):
    """The class that was decided of each sample of a run, and its label."""

    decision: list[int]
    label: list[int]


class ReportFile(Table):
    """The figures of a compilation and, after one, of a run.

    decided_by what a decision is made by, in words; None of what an earlier version wrote
    confusion  samples by label (row) and decision (column); None without labels, of very many
               classes, and of what an earlier version wrote
    decisions  of each sample; None without labels, of more than 10,000 samples, and of what an
               earlier version wrote
    """

    format: Literal[2]
    nmcompile: Text
    model: ModelFile | None
    target: Text
    title: Text
    chips: int
    cores: int
    data: DataFigures | None
    samples: Some | None
    accuracy: Share | None
    decided_by: Text | None = None
    confusion: list[list[int]] | None = None
    decisions: Decisions | None = None
    steps: Some | None
    timing: Text | None
    latency_s: Latency | None
    energy_j: Energy | None
    energy_range_j: EnergyRange | None
    energy_per_sample_j: Number | None
    energy_by_core: CoreColumns | None
    energy_by_constant: list[ConstantFigures] | None
    time_constants: list[TimeConstant] | None = None
    outside: Outside | None
    late: dict[Text, int] | None
    exit: ExitFigures | None
    perturbed: Perturbed | None
    yardsticks: YardstickFile | None
    layers: list[LayerFigures]
    checks: list[CheckFigures]
    estimated: list[Text]
    mapping: Mapped
    cores_used: dict[Text, list[Number]]
    floor: Floor
    overflows: dict[Text, dict[Text, int]]
    look: Look | None

    @model_validator(mode="before")
    @classmethod
    def _is_of_this_format(cls, told: Any) -> Any:
        """Take reports of earlier formats too."""
        return from_format_1(told) if isinstance(told, dict) else told

    @model_validator(mode="after")
    def _run_is_whole(self) -> ReportFile:
        """What a run fills in is there as a whole or not at all; costs may not be known."""
        of_run = [self.samples, self.outside, self.late, self.look]
        costs: list[object] = [
            self.timing, self.latency_s, self.energy_j, self.energy_range_j,
            self.energy_per_sample_j, self.energy_by_core, self.energy_by_constant]
        if self.look is not None:
            costs += [self.look.steps.seconds, self.look.steps.busy_s]
        for layer in self.layers:
            of_run += [layer.spikes, layer.synaptic_events, layer.neuron_updates, layer.packets]
            costs += [layer.hops, layer.energy_j, layer.energy_range_j, layer.latency_s]
        known = [{figure is not None for figure in figures} for figures in (of_run, costs)]
        if max(map(len, known)) > 1 or known == [{False}, {True}]:
            raise ValueError("some figures of its run are missing")
        if self.samples is not None and self.steps is None:
            raise ValueError("the steps of its run are missing")
        if self.samples is None and self.data is not None:
            raise ValueError("it tells of data, and of no run")
        return self

    def _has_right(self, right: int) -> bool:
        """Whether the accuracy is that of so many samples that are decided right."""
        return self.accuracy is not None and isclose(
            right, self.accuracy * (self.samples or 0), rel_tol=1e-9, abs_tol=1e-9)

    @model_validator(mode="after")
    def _decisions_make_the_accuracy(self) -> ReportFile:
        """Each sample is decided once, and those on the diagonal are right."""
        if self.confusion is None:
            return self
        classes = range(len(self.confusion))
        if any(len(row) != len(classes) or min(row, default=0) < 0 for row in self.confusion):
            raise ValueError("the decisions by class are no square of counts")
        right = sum(self.confusion[k][k] for k in classes)
        if sum(map(sum, self.confusion)) != self.samples or not self._has_right(right):
            raise ValueError("the decisions by class are not those of the accuracy")
        return self

    @model_validator(mode="after")
    def _decisions_are_those_counted(self) -> ReportFile:
        """Decisions and labels of the samples give the accuracy, and the counts by class."""
        if self.decisions is None:
            return self
        decision, label = self.decisions.decision, self.decisions.label
        if self.accuracy is None or not len(decision) == len(label) == self.samples:
            raise ValueError("the decisions are not one for each sample")
        pairs = Counter(zip(label, decision, strict=True))
        if not self._has_right(sum(
                count for (said, found), count in pairs.items() if said == found)):
            raise ValueError("the decisions are not those of the accuracy")
        if self.confusion is not None and pairs != Counter(
                {(said, found): count for said, row in enumerate(self.confusion)
                 for found, count in enumerate(row)}):
            raise ValueError("the decisions are not those counted by class")
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

    @model_validator(mode="after")
    def _cores_are_those_of_the_floor(self) -> ReportFile:
        """Columns by core are of the cores in use; those of a run end with what inputs cause."""
        cores = self.floor.cores.core
        for limit, shares in self.cores_used.items():
            if len(shares) != len(cores):
                raise ValueError(f"{limit} is told of {len(shares)} cores, {len(cores)} are in use")
        if self.energy_by_core is not None:
            columns = self.energy_by_core.model_dump()
            if columns["core"] != [*cores, None]:
                raise ValueError("the energy by core is not that of the cores in use")
            if any(len(column) != len(cores) + 1 for column in columns.values()):
                raise ValueError("the columns of the energy by core differ in length")
        return self

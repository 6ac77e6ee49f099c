"""A compiled network in Python, and its runs as tables, named arrays and a page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from nmcompile.build import Build, unwritten, write_build
from nmcompile.coding import Coding, Encoding
from nmcompile.device import Device, Place
from nmcompile.errors import unknown_name
from nmcompile.files import replaced_file
from nmcompile.interactive.libraries import data_of
from nmcompile.interactive.libraries import pandas as the_pandas
from nmcompile.interactive.libraries import xarray as the_xarray
from nmcompile.interactive.validated import Validated
from nmcompile.report import Figures
from nmcompile.report.schema import ConstantFigures
from nmcompile.report.units import si
from nmcompile.simulation import TIMING, Result, simulate
from nmcompile.stages import Compiled
from nmcompile.validation.comparison import Metric
from nmcompile.validation.run import Asked, validate

if TYPE_CHECKING:
    import pandas
    import xarray

AXES = ("channel", "row", "column")
CONSTANTS = list(ConstantFigures.model_fields)
FRAME = "<iframe srcdoc='{}' style='width:100%;height:{}px;border:0' title='report'></iframe>"
HEIGHT = 800  # pixels of a report in a notebook
NOTHING: Mapping[str, str] = MappingProxyType({})
NO_LIMITS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CompiledNetwork(Compiled):
    """A network on its chip: `simulate` runs it, `save` writes the folder that `nmc` reads.

    name  of the model, for reports
    """

    name: str = "network"

    @property
    def build(self) -> Build:
        """The build that `save` would write, in memory."""
        return unwritten(self, {"model": self.name})

    def save(self, folder: str | Path) -> Build:
        """Write program, figures and the chip's configuration to `folder`, as a whole."""
        return write_build(self, Path(folder), {"model": self.name})

    def simulate(
        self, x: object, y: object = None, *, steps: int | None = None,
        encoding: Encoding | Coding | None = None, seed: int = 0, timing: str = TIMING,
        record: tuple[str, ...] = (), perturb: str = "",
        progress: Callable[[int, int], None] = lambda frames, total: None,
    ) -> Simulated:
        """Run samples bit by bit, with time and energy.

        x       (samples, steps, ...) spikes or (samples, ...) values, what numpy makes an array of
        y       (samples,) labels, for the accuracy
        record  variables to keep, as "v" or "hidden:v,u"; see `simulator.records.wanted`
        The other parameters are those of `nmcompile.simulate`.

        Raises NmcError where the network cannot take the data.
        """
        result = simulate(self.build, data_of((x, y), "x"), steps=steps, encoding=encoding,
                          seed=seed, timing=timing, record=record, perturb=perturb,
                          progress=progress, where="x")
        return Simulated(run=result.run, figures=result.figures, timeline=result.timeline,
                         compiled=self)

    def validate(
        self, x: object, y: object = None, *, device: str | Device = "sim",
        options: Mapping[str, str] = NOTHING, against: str = "sim", steps: int | None = None,
        encoding: Encoding | Coding | None = None, seed: int = 0, metric: Metric | None = None,
        limits: Mapping[str, float] = NO_LIMITS, batch: int | None = None,
        folder: str | Path | None = None, resume: bool = False, output: str | Path | None = None,
        progress: Callable[[int, int], None] = lambda frames, total: None,
    ) -> Validated:
        """Run samples on a device, and hold all that it tells against what was compiled.

        x, y      as of `simulate`, and so steps, encoding and seed
        device    "NAME" or "NAME:ADDRESS", as "lava" or "file:monday.npz"; or a `Device`
        options   of the device, by name
        against   "sim", the program in the simulator; "integer", its network without the chip;
                  "float", the network before it was quantized, spikes only
        metric    constants of the distances of spike trains
        limits    what may not be exceeded, by name: see `validation.limits.NAMES`
        batch     samples that are run and kept at once; default: as many as memory holds, up to 64
        folder    where the build is written and batches are kept until all are done; default: a
                  temporary one, which keeps nothing
        resume    go on with the run that did not end in `folder`
        output    run file (.npz) of what the device gave
        progress  told how many further steps of samples are done, and how many there are

        Raises NmcError where something cannot be run, or a limit not be judged.
        """
        name, _, address = device.partition(":") if isinstance(device, str) else (device, "", "")
        asked = Asked(
            steps=steps, encoding=encoding, seed=seed, against=against, batch=batch,
            metric=metric or Metric(), limits=dict(limits), resume=resume,
            output=None if output is None else Path(output))
        with ExitStack() as held:
            place = folder or Path(held.enter_context(tempfile.TemporaryDirectory())) / "build"
            return Validated(figures=validate(
                self.save(place), data_of((x, y), "x"), name,
                place=Place(address=address, options=options), asked=asked, progress=progress,
                where="x"))

    def __repr__(self) -> str:
        """The chain of checks, a line each."""
        lines = [f"  {check.arrow:9} {check.text}" for check in self.checks]
        return "\n".join([f"{self.name} on {self.program.target.name}", *lines])

    def _repr_html_(self) -> str:
        """The chain of checks, for notebooks."""
        figures = self.build.figures
        rows = "".join(f"<tr><td>{escape(check['arrow'])}</td><td style='text-align:left'>"
                       f"{escape(check['text'])}</td></tr>" for check in figures["checks"])
        return (f"<b>{escape(self.name)}</b> on {escape(figures['title'])}: {figures['cores']} "
                f"cores<table>{rows}</table>")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Simulated(Result):
    """A run with its figures, as tables, named arrays and a page."""

    compiled: CompiledNetwork

    @property
    def build(self) -> Build:
        """The build with the figures of this run, in memory."""
        return replace(self.compiled.build, figures=self.figures)

    @property
    def layers(self) -> pandas.DataFrame:
        """A row for each input and population; columns in their units, over all samples.

        busy_s  seconds of work a step of its busiest part

        Seconds and joules are not there where the target does not know what events cost.
        """
        rows = [{**{name: row[name] for name in ("neurons", "cores", "spikes", "synaptic_events",
                                                 "packets")},
                 **_costs(row)}
                for row in self.figures["layers"]]
        names = [row["name"] for row in self.figures["layers"]]
        return the_pandas().DataFrame(rows, index=the_pandas().Index(names, name="layer"))

    @property
    def constants(self) -> pandas.DataFrame:
        """A row for each constant that costs energy, with its source and what it costs."""
        rows = self.figures["energy_by_constant"] or []
        return the_pandas().DataFrame(rows, columns=CONSTANTS).set_index("constant")

    @property
    def decisions(self) -> xarray.DataArray:
        """(sample,) the class that the first output says."""
        from nmcompile.report import decisions

        return the_xarray().DataArray(decisions(self.run), dims=("sample",), name="decision")

    @property
    def confusion(self) -> xarray.DataArray | None:
        """(label, decision) samples; None without labels, or of more than a hundred classes."""
        found = self.figures["confusion"]
        return None if found is None else the_xarray().DataArray(
            found, dims=("label", "decision"), name="samples")

    @property
    def step_s(self) -> xarray.DataArray:
        """(sample, step) seconds of each step of the chip."""
        return the_xarray().DataArray(self.run.step_s, dims=("sample", "step"), name="step",
                                   attrs={"units": "s"})

    def array(self, population: str, variable: str = "spikes") -> xarray.DataArray:
        """(sample, step, ...) a variable that was recorded, in the chip's own units.

        Raises NmcError where it was not.
        """
        kept = self.run.records
        if population not in kept:
            raise unknown_name("record", population, kept)
        if variable not in kept[population]:
            raise unknown_name(f"record {population}", variable, kept[population])
        values = kept[population][variable]
        axes = AXES if values.ndim == 2 + len(AXES) else tuple(
            f"axis{k}" for k in range(values.ndim - 2))
        axes = ("neuron",) if values.ndim == 3 else axes
        return the_xarray().DataArray(
            values, dims=("sample", "step", *axes), name=f"{population} {variable}",
            attrs={"units": "payloads" if variable == "spikes" else "units of the chip"})

    def report(self, path: str | Path | None = None) -> Page:
        """The page of the run; written to `path` if that is given."""
        from nmcompile.report.page import page

        made = Page(html=page(self.figures, self.compiled.name))
        if path is not None:
            made.save(path)
        return made

    def __repr__(self) -> str:
        """Figures of a sample, in a line."""
        told = ", ".join(f"{name} {text}" for name, text in _told(self.figures))
        return f"run of {self.compiled.name} on {self.figures['target']}: {told}"

    def _repr_html_(self) -> str:
        """Figures of a sample and the layers, for notebooks."""
        cells = "".join(f"<td><b>{escape(text)}</b><br>{name}</td>"
                        for name, text in _told(self.figures))
        kinds = list(self.figures["energy_j"] or ())
        heads = "".join(f"<th>{head}</th>" for head in ("layer", "neurons", "spikes", *kinds))
        rows = "".join(
            f"<tr><td>{escape(row['name'])}</td><td>{row['neurons']:,}</td>"
            f"<td>{row['spikes']:,}</td>"
            + "".join(f"<td>{si(row['energy_j'][kind], 'J')}</td>" for kind in kinds) + "</tr>"
            for row in self.figures["layers"])
        return (f"<table><tr>{cells}</tr></table><table><thead><tr>{heads}</tr></thead>"
                f"<tbody>{rows}</tbody></table>")


@dataclass(frozen=True, kw_only=True, repr=False)
class Page:
    """A report as HTML that loads nothing; in a notebook it shows itself."""

    html: str

    def save(self, path: str | Path) -> None:
        """Write it to `path`, whole or not at all."""
        with replaced_file(Path(path)) as fresh:
            fresh.write_text(self.html, "utf-8")

    def __repr__(self) -> str:
        """How long it is."""
        return f"report, {len(self.html):,} characters of HTML"

    def _repr_html_(self) -> str:
        """The page in a frame of its own."""
        return FRAME.format(escape(self.html), HEIGHT)


def compiled_network(compiled: Compiled, model: object) -> CompiledNetwork:
    """`compiled` with what a notebook does with it, named after its model."""
    name = Path(model).name if isinstance(model, (str, Path)) else type(model).__name__
    return CompiledNetwork(
        **{field.name: getattr(compiled, field.name) for field in fields(Compiled)}, name=name)


def _costs(row: Figures) -> dict[str, float]:
    """What is known of a layer's hops, time and energy."""
    if row["energy_j"] is None:
        return {}
    return {"hops": row["hops"], "busy_s": row["latency_s"],
            **{f"{kind}_j": joules for kind, joules in row["energy_j"].items()}}


def _told(figures: Figures) -> list[tuple[str, str]]:
    """Name and text of what a sample takes."""
    told = [("accuracy", f"{100 * figures['accuracy']:.2f} %")] if (
        figures["accuracy"] is not None) else []
    if figures["latency_s"] is not None:
        told.append(("latency of a sample", si(figures["latency_s"]["per_sample_mean"], "s")))
    if figures["energy_per_sample_j"] is not None:
        told.append(("energy of a sample", si(figures["energy_per_sample_j"], "J")))
    return [*told, ("samples", f"{figures['samples']:,}"), ("cores", f"{figures['cores']:,}")]

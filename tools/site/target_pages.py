"""A page for each target, made of its file and its backend, so that no figure is typed twice."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from docstrings import columns_of, to_markdown
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from nmcompile.registry import backend
from nmcompile.report.units import PREFIXES
from nmcompile.target import Constant, Target, load_target

SECTIONS = {
    "board": "Board",
    "router": "Routers",
    "core": "Limits of a core",
    "ends": "Inputs and outputs",
    "formats": "Number formats",
    "time_s": "Seconds of an event",
    "network": "What packets wait for",
    "cycle_formula": "Cycles",
    "event_pipeline": "Time of events",
    "timer_loop": "Time of a processor",
    "energy_j": "Joules of an event",
    "power_w": "Watts",
    "io": "Boundary of the figures",
}
COSTS = ("time_s", "energy_j", "power_w")
KINDS = {"measured": "measured on silicon", "published": "published", "estimate": "estimates"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the page of each target behind what docs/targets says of it, if it says something."""
    root = Path(config.config_file_path).parent
    targets = [load_target(path.stem) for path in sorted((root / "targets").glob("*.toml"))]
    for target in targets:
        title = f"# {target.name}: {target.title}"
        text = _behind(files, f"targets/{target.name}.md", title, _page(target, files))
        files.append(File.generated(config, f"targets/{target.name}.md",
                                    content=f"---\ntitle: {target.name}\n---\n{text}"))
    files.append(File.generated(config, "targets/index.md", content=_behind(
        files, "targets/index.md", "# Targets", _overview(targets))))
    return files


def _behind(files: Files, uri: str, title: str, text: str) -> str:
    """`text` behind the page `uri` that is written by hand, or else behind `title`."""
    written = files.get_file_from_path(uri)
    if written is not None:
        title = written.content_string.rstrip()
        files.remove(written)
    return f"{title}\n\n{text}"


def _overview(targets: list[Target]) -> str:
    """The table of all targets."""
    lines = ["| target | chip | cores | weights | graded spikes | resets | estimates |",
             "|---|---|---|---|---|---|---|"]
    for target in targets:
        formats = target.formats
        payload = formats.payload_bits.value
        lines.append(
            f"| [`{target.name}`]({target.name}.md) | {target.title} | {target.n_cores:,} "
            f"| {formats.weight_bits.value} bit | {f'{payload} bit' if payload else 'no'} "
            f"| {', '.join(formats.resets.value)} "
            f"| {len(target.estimates())} of {len(target.constants())} |")
    return "\n".join(lines)


def _page(target: Target, files: Files) -> str:
    return "\n\n".join([_facts(target, files), _arithmetic(target), *_tables(target)])


def _facts(target: Target, files: Files) -> str:
    """What stands on top of a page."""
    board, constants, estimates = target.board, target.constants(), target.estimates()
    shape = (f"{board.mesh_width.value} x {board.mesh_height.value} tiles of "
             f"{board.cores_per_tile.value}") if target.router is None else "each behind its router"
    chips = board.chips.value
    lines = [
        "| | |", "|---|---|",
        f"| Name | `{target.name}`, as in `nmc compile model.pt --target {target.name}` |",
        f"| Chip | {target.title} |",
        f"| Backend | {_backend_link(target.family, files)} |",
        f"| Cores | {target.n_cores:,}: {chips:,} chip{'s' if chips > 1 else ''} of "
        f"{target.cores_per_chip:,} cores ({shape}) |",
        f"| Constants | {len(constants)}, each with its source: " + ", ".join(
            f"{n} {words}" for kind, words in KINDS.items()
            if (n := sum(c.kind == kind for c in constants.values()))) + " |",
    ]
    if not target.costs_known:
        lines.append("| Time and energy | not known, so no figure of them is told: "
                     f"{_cell(target.io.boundary.value)} |")
    elif estimates:
        told = [name for name in estimates if name.split(".")[0] in COSTS]
        lines.append(f"| Estimates among costs | {', '.join(f'`{name}`' for name in told)} |"
                     if told else "| Estimates among costs | none |")
    return "\n".join(lines)


def _backend_link(family: str, files: Files) -> str:
    for uri in (f"backends/{family}.md", "backends/index.md"):
        if files.get_file_from_path(uri):
            return f"[`{family}`](../{uri})"
    return f"`{family}`"


def _arithmetic(target: Target) -> str:
    """What the backend says of the chip's neurons, in the words of their code."""
    chip = backend(target.family)
    lines = [
        "## Arithmetic", "",
        "What `nmc simulate` computes bit for bit. Equations are those of the code; what each was "
        "compared with stands in [Arithmetic](../arithmetic.md).", "",
    ]
    for neuron in chip.neurons:
        text = inspect.getdoc(neuron) or ""
        source = inspect.getsourcefile(neuron)
        lines += [f"### {neuron.__name__}", "", to_markdown(text), "",
                  f"Source: {_source_link(Path(source or ''))}.", ""]
    lines += ["### What the compiler may use", "", "| | |", "|---|---|",
              *(f"| {words} | {told} |" for words, told in _abilities(chip, target).items())]
    return "\n".join(lines)


def _source_link(path: Path) -> str:
    root = Path(__file__).parents[2]
    place = path.resolve().relative_to(root).as_posix()
    return f"[`{place}`](../../{place})"


def _abilities(chip: Any, target: Target) -> dict[str, str]:
    relay = chip.relay(target)
    return {
        "Weights": f"{target.formats.weight_bits.value} bit",
        "Spikes": f"graded, {target.formats.payload_bits.value} bit"
        if target.formats.payload_bits.value else "binary",
        "Delays": f"up to {target.formats.max_delay.value} steps",
        "Resets": ", ".join(target.formats.resets.value),
        "Graded relays": f"payloads up to {relay.largest:,}" if relay else "none",
        "Thresholds of a layer": "each neuron its own" if chip.own_thresholds >= 1 << 30
        else f"{chip.own_thresholds} different ones" if chip.own_thresholds > 1 else "one",
        "A bias where the model has none": "costs nothing" if chip.free_bias else "is not added",
        "Layers on one core": "several" if chip.shares_cores else "one",
        **({"Activations": f"up to {chip.activation_bits} bit, no spikes"}
           if chip.activation_bits else {}),
    }


def _tables(target: Target) -> list[str]:
    """All constants, section by section."""
    found = []
    for section, title in SECTIONS.items():
        table = getattr(target, section)
        if table is None:
            continue
        meanings = columns_of(inspect.getdoc(type(table)) or "")
        lines = [f"## {title}", "", f"`[{section}]` of the target file.", "",
                 "| constant | value | kind | source |", "|---|---|---|---|"]
        lines += [_row(name, constant, meanings.get(name, ""))
                  for name, constant in table if constant is not None]
        found.append("\n".join(lines))
    return found


def _row(name: str, constant: Constant[Any], meaning: str) -> str:
    told = f"`{name}`" + (f"<br>{_cell(meaning)}" if meaning else "")
    return (f"| {told} | {_value(constant)} | {constant.kind} | {_cell(constant.source)}"
            f"{_spread(constant)} |")


def _value(constant: Constant[Any]) -> str:
    """A value with its unit."""
    value, unit = constant.value, constant.unit
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(value, unit)
    if isinstance(value, str):
        return _cell(value)
    if all(isinstance(item, str) for item in value):
        return ", ".join(value) or "none"
    return f"`{json.dumps(value)}` {_cell(unit)}"


def _number(value: float, unit: str) -> str:
    if unit in ("s", "J", "W"):
        factor, prefix = next(((f, p) for f, p in PREFIXES if abs(value) >= f), PREFIXES[0])
        return f"{value / factor:.6g} {prefix}{unit}"
    return f"{value:,} {_cell(unit)}" if isinstance(value, int) else f"{value:g} {_cell(unit)}"


def _spread(constant: Constant[Any]) -> str:
    """The error of a constant and where that comes from."""
    if constant.spread is None:
        return ""
    ends = (f"± {100 * constant.error:g} %" if constant.error is not None
            else f"{constant.low:g} to {constant.high:g} {constant.unit}")
    return f"<br>Error: {ends}. {_cell(constant.spread)}"


def _cell(text: str) -> str:
    """Text that is no markup in a cell of a table."""
    for mark in "\\`*_<|[":
        text = text.replace(mark, f"\\{mark}" if mark != "<" else "&lt;")
    return text.replace("\n", " ")

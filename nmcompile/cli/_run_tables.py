"""The figures of a run on a terminal: what it took, how sure that is, and where it went."""

from __future__ import annotations

from nmcompile.cli._render import counted
from nmcompile.cli._terminal import say, show_table
from nmcompile.report import Figures
from nmcompile.report.certainty import energy_error, guessed_words
from nmcompile.report.units import si


def print_summary(figures: Figures) -> None:
    """Accuracy, latency, energy with their ranges, and the table of layers."""
    cores = f"{counted(figures['cores'], 'core')} on {counted(figures['chips'], 'chip')}"
    say(f"target    {figures['target']}, {cores}")
    if figures["perturbed"] is not None:
        _perturbed(figures["perturbed"])
    if figures["accuracy"] is not None:
        by = f", by {figures['decided_by']}" if figures["decided_by"] else ""
        say(f"accuracy  {100 * figures['accuracy']:.2f} % of {figures['samples']} samples{by}")
    if figures["latency_s"] is not None:
        _latency(figures)
        _energy(figures)
        _outside(figures["outside"])
    elif figures["samples"] is not None:
        say("latency   not known\nenergy    not known")
        say(f"boundary  {figures['outside']['boundary']}")
    if figures["exit"] is not None:
        _exit(figures)
    _layers(figures)
    if figures["estimated"]:
        say(f"estimates {counted(len(figures['estimated']), 'constant')} of the target, as "
            f"nmc targets show {figures['target']} says")


def _latency(figures: Figures) -> None:
    latency = figures["latency_s"]
    say(
        f"latency   {si(latency['per_sample_mean'], 's')} a sample"
        f"{_span(latency['per_sample_range'], 's')}, "
        f"{si(latency['per_step_mean'], 's')} a step of the chip on average, "
        f"{si(latency['per_step_max'], 's')} at most ({figures['steps']} steps and the network's "
        f"lag, {figures['timing']} timing)"
    )
    if latency["overruns"]:
        say(f"overruns  {latency['overruns']:,} steps are not done when the next is due: "
            "the chip's cores fall behind")
    late = [f"{name.replace('_', ' ')} {count:,}" for name, count in figures["late"].items()
            if count]
    if late:
        say(f"late      {', '.join(late)}: spikes and scores are those of late cores")


def _energy(figures: Figures) -> None:
    total, samples = figures["energy_j"]["total"], figures["samples"]
    ends = figures["energy_range_j"]["total"]
    each = None if ends is None else {end: value / samples for end, value in ends.items()}
    stands = guessed_words(figures)
    say(f"energy    {si(figures['energy_per_sample_j'], 'J')} a sample{_span(each, 'J')}, "
        f"{si(total, 'J')} in all{f'; {stands}' if stands else ''}")
    if ends is None:
        say(f"error     {energy_error(figures).removeprefix('error ')}")


def _outside(outside: Figures) -> None:
    if outside["boundary"] is not None:
        say(f"boundary  {outside['boundary']}")
    parts = [
        f"{name.replace('_', ' ')} {si(joules, 'J')}{_span(outside['energy_range_j'][name], 'J')}"
        for name, joules in outside["energy_j"].items()]
    if outside["host_sample"] is not None:
        host = outside["host_sample"]
        parts.append(f"a host's input and output {si(host['seconds'], 's')} a sample in another "
                     f"workload ({host['source']})")
    say(f"outside   {'; '.join(parts) or 'no figures of input and output are known'}")


def _perturbed(perturbed: Figures) -> None:
    cores = perturbed["stuck_cores"]
    parts = [f"{name} {perturbed[name]:g}" for name in ("weights", "drop", "add")
             if perturbed[name]]
    parts += [f"stuck cores {', '.join(map(str, cores))}"] if cores else []
    say(f"perturbed {', '.join(parts) or 'by nothing'} (seed {perturbed['seed']})")


def _exit(figures: Figures) -> None:
    left = figures["exit"]
    say(
        f"exit      at confidence {left['confidence']:g}: {left['decided']:,} of "
        f"{figures['samples']:,} samples stop before their last step, after "
        f"{left['steps_mean']:.1f} of {figures['steps']} steps on average")
    show_table(("confidence", "steps", "latency", "accuracy"), [
        (f"{point['confidence']:g}", f"{point['steps_mean']:.1f}",
         "" if point["latency_mean_s"] is None else si(point["latency_mean_s"], "s"),
         "" if point["accuracy"] is None else f"{100 * point['accuracy']:.2f} %")
        for point in left["curve"]], names=())


def _span(ends: Figures | None, unit: str) -> str:
    """From where to where a figure may be, nothing where that is not known."""
    return "" if ends is None else f" ({si(ends['low'], unit)} to {si(ends['high'], unit)})"


def _layers(figures: Figures) -> None:
    ran, known = figures["samples"] is not None, figures["energy_j"] is not None
    columns = ["layer", "neurons", "cores", "used"]
    columns += ["spikes", "syn. events", "packets"] if ran else []
    columns += ["hops", "busy/step", *figures["energy_j"]] if known else []
    rows = [_cells(row, ran) for row in figures["layers"]]
    if known:
        rows.append(["all", *[""] * 8, *(si(value, "J") for value in figures["energy_j"].values())])
    show_table(columns, rows, sums=known)


def _cells(row: Figures, ran: bool) -> list[str]:
    used = "" if row["utilisation"] is None else f"{100 * row['utilisation']:.0f} %"
    cells = [row["name"], f"{row['neurons']:,}", str(row["cores"]), used]
    if ran:
        cells += [f"{row[name]:,}" for name in ("spikes", "synaptic_events", "packets")]
    if row["energy_j"] is not None:
        cells += [f"{row['hops']:,}", si(row["latency_s"], "s")]
        cells += [si(value, "J") for value in row["energy_j"].values()]
    return cells

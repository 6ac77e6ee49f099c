"""A validation on a terminal: distances, measured figures, and the first difference."""

from __future__ import annotations

from typing import Any

from nmcompile.cli._terminal import say, show_table
from nmcompile.report.units import si

Figures = dict[str, Any]


def print_validation(figures: Figures) -> None:
    """What differs by population, decisions, latency, energy, and where it begins and why."""
    name, address = figures["device"], figures["address"]
    name += f":{address}" if address and address not in name else ""
    say(f"device    {name}, against {figures['against']}, target "
        f"{figures['target']}: {figures['samples']:,} samples of {figures['steps']:,} steps")
    for loss in figures["lost"]:
        say(f"lost      the device, {loss}; it was opened again")
    _decisions(figures["decisions"])
    _measured(figures)
    _populations(figures)
    if figures["not_readable"]:
        say(f"silent    the device tells no spikes of {', '.join(figures['not_readable'])}")
    if figures["not_compared"]:
        say(f"apart     no spikes to compare are those of "
            f"{', '.join(figures['not_compared'])}: a readout, or graded where the "
            "reference is the float network")
    for limit in figures["limits"]:
        word = "above" if limit["exceeded"] else "within"
        say(f"limit     {limit['name']} {limit['value']:.4g} is {word} {limit['limit']:g}")
    if figures["divergence"] is None:
        say("equal     all that the device tells is what was compiled"
            if figures["against"] != "float" else "equal     no spike differs")
    else:
        _divergence(figures["divergence"], figures["against"])


def _decisions(decisions: Figures) -> None:
    labelled = decisions["accuracy_reference"] is not None
    alike = "of decisions are equal" if labelled else "are equal"
    parts = [f"{100 * decisions[key]:.2f} % {words}" for key, words in (
        ("accuracy_reference", "by the reference"), ("accuracy_device", "on the device"),
        ("equal", alike)) if decisions[key] is not None]
    if parts:
        say(f"{'accuracy ' if labelled else 'decisions'} {', '.join(parts)}")


def _measured(figures: Figures) -> None:
    latency, energy = figures["latency_s"], figures["energy_j"]
    if latency is not None:
        say(f"latency   measured {si(latency['measured'], 's')} a sample, predicted "
            f"{_predicted(latency, 's')}")
    if energy is not None:
        say(f"energy    measured {si(energy['measured'], 'J')} a sample, predicted "
            f"{_predicted(energy, 'J')}")
    if figures["boundary"]:
        say(f"boundary  {figures['boundary']}")


def _predicted(figure: Figures, unit: str) -> str:
    return "nothing" if figure["predicted"] is None else si(figure["predicted"], unit)


def _populations(figures: Figures) -> None:
    variables = sorted({v for row in figures["populations"] for v in row["states"]})
    columns = ["population", "spikes", "on device", "differ", "share", "count", "van Rossum",
               "Victor-Purpura", *(f"{v} differ" for v in variables)]
    show_table(columns, [
        [row["name"], *(_spikes(row) or [""] * 7),
         *(_state(row["states"].get(v)) for v in variables)]
        for row in figures["populations"]])


def _spikes(row: Figures) -> list[str] | None:
    """The cells of spikes; None where the device tells of states alone."""
    if row["spikes_device"] is None:
        return None
    return [f"{row['spikes_reference']:,}", f"{row['spikes_device']:,}", f"{row['differing']:,}",
            f"{100 * row['share']:.3g} %",
            *(f"{row[name]['mean']:.4g}" for name in ("count", "van_rossum", "victor_purpura"))]


def _state(state: Figures | None) -> str:
    if state is None:
        return ""
    return f"{state['differing']:,}" + (f" (up to {state['largest']:g})" if state["differing"]
                                        else "")


def _divergence(found: Figures, against: str) -> None:
    what = "spikes" if found["variable"] == "spikes" else f"state {found['variable']}"
    say(f"first     sample {found['sample']}, step {found['step']}, population "
        f"{found['population']}, neuron {found['neuron']}: {what}")
    say(f"          spikes {_pair(found['spikes'])}"
        + "".join(f", {name} {_pair(v)}" for name, v in found["states"].items()))
    if found["states_before"]:
        before = ", ".join(f"{name} {_pair(v)}" for name, v in found["states_before"].items())
        say(f"before    {before}")
    _incoming(found, against)
    _explanations(found, against)
    if found["beside"]:
        say("beside    other populations are not as compiled either, for what was sent to "
            f"them: {', '.join(found['beside'])}")


def _pair(sides: Figures) -> str:
    ours, theirs = sides["reference"], sides["device"]
    if theirs is None:
        return f"{ours} (not told by the device)"
    return f"{ours} and {theirs} on the device" if ours != theirs else f"{ours}"


def _incoming(found: Figures, against: str) -> None:
    rows = found["incoming"]
    if found["incoming_unknown"]:
        say("arriving  what they sent is not told by either side: "
            f"{', '.join(found['incoming_unknown'])}")
    elif not rows:
        say("arriving  nothing in this step")
    if not rows:
        return
    units = " (of the chip)" if against == "float" else ""
    show_table(("arriving", "from neuron", f"payload{units}", f"weight{units}"), [
        (row["projection"] + (" (by the reference)" if row["assumed"] else ""),
         f"{row['source']:,}", f"{row['payload']:,}", f"{row['weight']:,}") for row in rows],
        names=())
    if found["incoming_left_out"]:
        say(f"          and {found['incoming_left_out']:,} more")


def _explanations(found: Figures, against: str) -> None:
    if found["shifts"] is not None:
        late = ", ".join(f"{name} by {steps}" for name, steps in found["shifts"].items())
        say("shifted   the recording is what was compiled, on another clock. It is later "
            f"than the network's own time, in steps: {late}. Take so many off, and record "
            "as many steps more than the input has")
        return
    if not found["explanations"]:
        say(f"rule      {_no_rule(found, against)}")
        return
    values = (f"{found['differing']:,} values of the population that differ in the "
              f"{found['samples']} samples looked into")
    for i, one in enumerate(found["explanations"]):
        known = found["differing"] - one["differing"]
        alike = f"; {one['alike'] - 1:,} others like it do as much" if one["alike"] > 1 else ""
        head = "rule      " if i == 0 else "or        "
        if 2 * known < found["differing"]:
            head += "none of those tried explains it; the nearest is " if i == 0 else ""
        all_of = "all" if one["differing"] == 0 else f"{known:,} of the"
        say(f"{head}{one['rule']}: {one['text']}: explains {all_of} {values}{alike}")
    if found["explanations_left_out"]:
        say(f"          and {found['explanations_left_out']} more")


def _no_rule(found: Figures, against: str) -> str:
    """Why there is no explanation."""
    if against == "float":
        return "none is sought against the float network: quantization shows there"
    if found["differing"] == 0:
        return "none: the population did what was compiled for what was sent to it"
    return "none of the rules that were tried gives more of what was seen"

"""What limits a network on its chip, and what would relieve it, in words with their figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nmcompile.report.units import si

Figures = dict[str, Any]
NEARLY = 0.8  # of a limit, from which a core is nearly full
MUCH = 0.5  # of steps or joules, from which one cause stands for the whole


def advice(figures: Figures) -> list[dict[str, str]]:
    """What a reader should know first: {"about", "what", "relief"}, most telling first."""
    found = [*_accuracy(figures)]
    if figures["energy_j"] is not None:
        found += [*_late(figures), *_energy(figures), *_latency(figures)]
    return [{"about": about, "what": what, "relief": relief}
            for about, what, relief in (*found, *_room(figures), *_estimates(figures))]


Advice = Iterator[tuple[str, str, str]]


def _accuracy(figures: Figures) -> Advice:
    for check in figures["checks"]:
        told = check["figures"]
        names = [n for n in ("accuracy_float", "accuracy_integer") if told.get(n) is not None]
        if check["arrow"] == "quantize" and len(names) == 2:
            before, after = (100 * told[name] for name in names)
            if after < before:
                yield ("accuracy", f"The chip's integers cost {before - after:.2f} points of "
                       f"accuracy on the calibration data ({before:.2f} % to {after:.2f} %).",
                       "nmc quantize MODEL --compare shows which layer loses it; wider weights "
                       "(--bits), more calibration data, or training with Brevitas help.")


def _late(figures: Figures) -> Advice:
    overruns = figures["latency_s"]["overruns"]
    if overruns:
        yield ("time", f"{overruns:,} steps are not done when the next is due, so that spikes come "
               "late.", "Fewer neurons a core (--constraints), fewer spikes, or a longer step.")


def _energy(figures: Figures) -> Advice:
    total = figures["energy_j"]
    if not total["total"]:
        return
    kinds = {kind: joules for kind, joules in total.items() if kind != "total"}
    kind = max(kinds, key=lambda name: kinds[name])
    share = kinds[kind] / total["total"]
    if kind == "static" and share >= MUCH:
        yield ("energy", f"{100 * share:.0f} % of the energy is static power, which is paid for "
               "time whatever the network does.",
               "Shorter samples or fewer steps save most; --search spreads layers for the least "
               "energy times delay.")
    dynamic = {row["name"]: {kind: joules for kind, joules in row["energy_j"].items()
                             if kind not in ("total", "static")} for row in figures["layers"]}
    sums = {name: sum(own.values()) for name, own in dynamic.items()}
    if not sum(sums.values()):
        return
    most = max(sums, key=lambda name: sums[name])
    cause = max(dynamic[most], key=lambda kind: dynamic[most][kind])
    yield ("energy", f"{most} takes {100 * sums[most] / sum(sums.values()):.0f} % of the energy of "
           f"events, {100 * dynamic[most][cause] / sums[most]:.0f} % of it for {WORDS[cause]}.",
           RELIEF[cause])


WORDS = {"synapse": "synaptic events", "neuron": "updates and spikes of neurons",
         "router": "packets and hops on the chip", "link": "packets between chips"}
RELIEF = {
    "synapse": "Fewer spikes into it (training with a penalty on rates) or fewer weights (pruning) "
               "lower it in proportion.",
    "neuron": "Fewer neurons or fewer steps lower it; it does not depend on spikes alone.",
    "router": "nmc map BUILD --search, or layers nearer to each other (--constraints).",
    "link": "A mapping on fewer chips: nmc map BUILD --explain shows who sends across.",
}


def _latency(figures: Figures) -> Advice:
    look = figures["look"]
    if look is None:
        return
    steps = look["steps"]
    layers = [layer for layer in steps["layer"] if layer is not None]
    if not layers:
        return
    last = max(sorted(set(layers)), key=layers.count)
    mine = [k for k, layer in enumerate(steps["layer"]) if layer == last]
    seconds, busy = (sum(steps[name][k] for k in mine) for name in ("seconds", "busy_s"))
    cores = {steps["core"][k] for k in mine}
    where = f"core {min(cores)}" if len(cores) == 1 else f"{len(cores)} cores"
    text = (f"In {len(mine)} of {len(layers)} steps of the first sample {last} is the last to be "
            f"done, on {where}; its work is {100 * min(1.0, busy / seconds):.0f} % of these steps "
            f"({si(seconds / len(mine), 's')} each).")
    relief = ("Spread it over more cores (nmc compile --search, or --constraints)."
              if busy >= MUCH * seconds else "The rest is packets under way and the barrier: put "
              "layers nearer to each other, or on fewer cores.")
    yield "latency", text, relief


def _room(figures: Figures) -> Advice:
    for limit in figures["mapping"]["limits"]:
        share = limit["need"] / limit["have"] if limit["have"] else 0.0
        if share >= NEARLY:
            yield ("room", f"The fullest core uses {100 * share:.0f} % of its "
                   f"{limit['limit'].replace('_', ' ')} ({limit['need']:,} of "
                   f"{limit['have']:,}).", "It decides how many cores the layers take: "
                   "nmc map BUILD --explain says which layer.")
    used, there = figures["mapping"]["cores"], figures["mapping"]["cores_of"]
    if used >= NEARLY * there:
        yield ("room", f"{used:,} of {there:,} cores are in use.", "--chips takes a larger board, "
               "--bits narrower weights.")


def _estimates(figures: Figures) -> Advice:
    rows = figures["energy_by_constant"]
    if rows and figures["energy_j"]["total"]:
        guessed = sum(row["energy_j"] for row in rows if row["known_as"] == "estimate")
        share = guessed / figures["energy_j"]["total"]
        if share > 0:
            yield ("certainty", f"{100 * share:.0f} % of the energy stands on constants that are "
                   "estimates.", "The table of constants names their sources; measure on a board "
                   "with nmc validate.")

"""What limits a network on its chip, and what would relieve it, in words with their figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nmcompile.report.certainty import guessed_words
from nmcompile.report.units import percent, si

Figures = dict[str, Any]
Advice = Iterator[tuple[str, str, str]]
NEARLY = 0.8  # of a limit, from which a core is nearly full
BESIDE = 4  # other layers that a layer is held against
MUCH = 0.5  # of steps or joules, from which one cause stands for the whole
FEWER = "Fewer spikes into it (training with a penalty on rates) or fewer weights (pruning)"
SPREAD = "; nmc map DIR --search -o NEW spreads it over more cores"
WORDS = {"synapse": "synaptic events", "neuron": "updates and spikes of neurons",
         "router": "packets and hops on the chip", "link": "packets between chips"}
RELIEF = {
    "synapse": f"{FEWER} lower it in proportion.",
    "neuron": "Fewer neurons or fewer steps lower it; it does not depend on spikes alone.",
    "router": "Fewer of its spikes, or fewer cores that they go to, lower it; nmc map DIR "
              "--explain shows the traffic.",
    "link": "A mapping on fewer chips; nmc map DIR --explain shows who sends across.",
}


def advice(figures: Figures) -> list[dict[str, str]]:
    """What a reader should know first: {"about", "what", "relief"}, most telling first."""
    found = [*_accuracy(figures), *_late(figures), *_energy(figures), *_latency(figures),
             *_room(figures), *_estimates(figures)]
    return [{"about": about, "what": what, "relief": relief} for about, what, relief in found]


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
    latency = figures["latency_s"]
    if latency is not None and latency["overruns"]:
        late = ", so that spikes come late or are lost" if any(figures["late"].values()) else ""
        yield ("time", f"{latency['overruns']:,} steps are not done when the next is due{late}.",
               "Fewer spikes, fewer neurons a core, or a longer step.")


def _energy(figures: Figures) -> Advice:
    total = figures["energy_j"]
    if total is None or not total["total"]:
        return
    share = total["static"] / total["total"]
    if share >= MUCH:
        yield ("energy", f"Static power takes {percent(share)} of the energy, paid for time "
               "whatever the network does.",
               "Shorter steps, or fewer of them, save most.")
    dynamic = {row["name"]: {kind: row["energy_j"][kind] for kind in WORDS}
               for row in figures["layers"]}
    sums = {name: sum(own.values()) for name, own in dynamic.items()}
    if not sum(sums.values()):
        return
    most = max(sums, key=lambda name: sums[name])
    cause = max(dynamic[most], key=lambda kind: dynamic[most][kind])
    why = _why_events(figures, most) if cause == "synapse" else ""
    yield ("energy", f"{most} takes {percent(sums[most] / sum(sums.values()))} of the energy of "
           f"events, {percent(dynamic[most][cause] / sums[most])} of it for {WORDS[cause]}.{why}",
           RELIEF[cause])


def _why_events(figures: Figures, name: str) -> str:
    """Why a layer has so many synaptic events: spikes into it, and events of each."""
    layers = {row["name"]: row for row in figures["layers"]}
    counted = sum(row["synaptic_events"] for row in figures["layers"])
    if not counted:
        return ""
    own = layers[name]["synaptic_events"]
    text = f" It has {percent(own / counted)} of all synaptic events"
    spikes = _spikes_into(figures, name)
    if not spikes:
        return f"{text}."
    others = {each: (layers[each]["synaptic_events"], _spikes_into(figures, each))
              for each in layers if each != name}
    beside = [f"{each} {_each(events, into)}" for each, (events, into) in others.items()
              if into and events]
    text += (f": {spikes:,} spikes come in, and each sets off {_each(own, spikes)} of them on "
             "average")
    if beside and len(beside) <= BESIDE:
        text += f" ({', '.join(beside)})"
    kept = next((row["stored_bits"] for row in figures["mapping"]["layers"]
                 if row["name"] == name), None)
    return f"{text}; its stored weights take {kept / 8192:,.3g} KiB." if kept else f"{text}."


def _each(events: int, spikes: int) -> str:
    return f"{events / spikes:,.3g}" if events < 1000 * spikes else f"{events // spikes:,}"


def _spikes_into(figures: Figures, name: str) -> int:
    """Spikes of all that a layer hears; 0 where that is not known. Inputs are counted together."""
    layers = {row["name"]: row for row in figures["layers"]}
    sources = layers[name]["sources"] or []
    known = [layers[each] for each in sources if each in layers]
    inputs = [row["spikes"] for row in known if row["sources"] is None]
    sent = [row["spikes"] for row in known if row["sources"] is not None]
    return sum(sent) + max(inputs, default=0)


def _latency(figures: Figures) -> Advice:
    look, latency = figures["look"], figures["latency_s"]
    if look is None or latency is None:
        return
    steps = look["steps"]
    layers = [layer for layer in steps["layer"] if layer is not None]
    if not layers:
        return
    last = max(sorted(set(layers)), key=layers.count)
    mine = [k for k, layer in enumerate(steps["layer"]) if layer == last]
    seconds, busy = (sum(steps[name][k] for k in mine) for name in ("seconds", "busy_s"))
    cores = {steps["core"][k] for k in mine}
    where = f"core {min(cores)}" if len(cores) == 1 else f"one of {len(cores)} cores"
    share = min(1.0, busy / seconds) if seconds else 0.0
    text = (f"In {len(mine)} of the {len(layers)} steps of the first sample in which cores work, "
            f"{last} is the last to be done, on {where}; its work is {percent(share)} of the "
            f"time of these steps ({si(seconds / len(mine), 's')} each).{_next(figures, last)}")
    yield "latency", text, _relief(figures, share)


def _next(figures: Figures, last: str) -> str:
    """The layer that would be the next to hold steps up."""
    others = {row["name"]: row["latency_s"] for row in figures["layers"]
              if row["name"] != last and row["latency_s"]}
    if not others:
        return ""
    name = max(others, key=lambda each: others[each])
    return f" Next comes {name}, whose busiest part works {si(others[name], 's')} a step."


def _relief(figures: Figures, share: float) -> str:
    if share >= MUCH:
        mapped = figures["mapping"]
        more = mapped["searchable"] and mapped["cores"] < mapped["cores_of"]
        return f"{FEWER} shorten it{SPREAD * more}."
    if figures["latency_s"]["overruns"] is not None:
        return "Its cores wait for the next tick most of the time: a shorter step would do."
    return "The rest is packets under way, other cores and the barrier between steps."


def _room(figures: Figures) -> Advice:
    mapped = figures["mapping"]
    used, there = mapped["cores"], mapped["cores_of"]
    for limit in mapped["limits"]:
        full = [row for row in mapped["layers"]
                if row["limit"] == limit["limit"] and row["used"] >= NEARLY]
        if full and limit["have"] > 1:
            most = max(full, key=lambda row: row["used"])
            others = f" and {len(full) - 1} other layers" if len(full) > 1 else ""
            name = limit["limit"].replace("_", " ")
            yield ("room", f"{most['name']}{others} fill their cores: up to "
                   f"{100 * most['used']:.0f} % of the {name} ({most['need']:,} of "
                   f"{limit['have']:,}; this limit is {_known(limit['kind'])}).",
                   f"More of these {name} take more cores, of which {used:,} of {there:,} are in "
                   "use.")
    if used >= NEARLY * there and there > 1:
        yield ("room", f"{used:,} of {there:,} cores are in use.",
               "--chips takes a larger board, --bits narrower weights.")


def _known(kind: str) -> str:
    return "an estimate" if kind == "estimate" else kind


def _estimates(figures: Figures) -> Advice:
    told = guessed_words(figures)
    if told is not None:
        yield ("certainty", f"Of the energy, {told.replace(' of it', '', 1)}.",
               "The tables of constants name their sources; measure on a board with nmc validate.")

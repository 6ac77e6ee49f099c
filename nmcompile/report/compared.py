"""What a comparison tells of each build, what was made otherwise, and what is the same in all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from nmcompile.report.certainty import certainty, guessed_share, guessed_times

Figures = dict[str, Any]
Told = tuple[Figures, Figures]  # a build's report and its manifest
TOLD = 3  # names of a list
DIGITS = 12  # of a SHA-256
BY_WEIGHTS = "cycle formula"  # the model of time that counts weights other than 0
RUN = ("samples", "steps", "timing", "data", "perturbed")


def told_of(name: str, figures: Figures) -> Figures:
    """What a comparison shows of the build called `name`.

    layers     of each: neurons, cores, and of a sample spikes, packets and joules by kind; `busy_s`
               are seconds of work a step of its busiest part
    estimates  share of the energy on constants that are estimates, those that enter the time, and
               what `certainty` says
    """
    samples = figures["samples"]
    model = figures["model"]
    return {
        "name": name, "target": figures["target"], "title": figures["title"],
        "nmcompile": figures["nmcompile"], "model": model and model["name"],
        **{key: figures[key] for key in RUN},
        "layers": [_layer(row, samples) for row in figures["layers"]],
        "estimates": {"energy": guessed_share(figures),
                      "time": guessed_times(figures) if figures["latency_s"] else [],
                      "figures": [list(row) for row in certainty(figures)]},
        "yardsticks": figures["yardsticks"],
    }


def _layer(row: Figures, samples: int | None) -> Figures:
    joules = row["energy_j"]
    each = {name: None if row[name] is None or samples is None else row[name] / samples
            for name in ("spikes", "packets")}
    return {"name": row["name"], "neurons": row["neurons"], "cores": row["cores"], **each,
            "busy_s": row["latency_s"],
            "energy_j": joules and {kind: value / samples for kind, value in joules.items()}}


def made_otherwise(first: Told, other: Told) -> list[str]:
    """What was made otherwise, in words."""
    both = [name for name in RUN if first[0][name] is not None and other[0][name] is not None]
    said = [f"{name} {_word(before)} -> {_word(after)}"
            for (name, before), (_, after) in zip(
                _choices(*first, other[1], both), _choices(*other, first[1], both), strict=True)
            if before != after]
    if first[1].get("model_sha256") != other[1].get("model_sha256"):
        said.insert(0, "the models' files differ")
    if "data" in both and first[0]["data"]["sha256"] != other[0]["data"]["sha256"]:
        said.append("the samples differ")
    widths = [_widths(manifest) for _, manifest in (first, other)]
    changed = [f"{name} {before} -> {widths[1][name]}" for name, before in widths[0].items()
               if name in widths[1] and before != widths[1][name]]
    if changed and not all(_are_as_asked(manifest) for _, manifest in (first, other)):
        said.append(f"bits of weights: {listed(changed)}")
    return said


def _widths(manifest: Figures) -> dict[str, str]:
    return {row["name"]: row["weight_bits"] for row in manifest.get("layers", ())}


def _are_as_asked(manifest: Figures) -> bool:
    """Whether the weights of all layers have the bits that --bits says."""
    return set(_widths(manifest).values()) == {manifest.get("options", {}).get("bits")}


def _choices(
    figures: Figures, manifest: Figures, beside: Figures, both: list[str]
) -> Iterator[tuple[str, Any]]:
    """Name and value of what may be made otherwise, of one of two builds.

    beside  the manifest of the other one
    both    what is told of the runs of both
    """
    yield "target", figures["target"]
    for name in ("model", "nmcompile"):
        yield name, manifest.get(name)
    options = manifest.get("options", {})
    for name in sorted({*options, *beside.get("options", {})}):
        yield f"--{name.replace('_', '-')}", options.get(name)
    for name in ("steps", "cores", "chips"):
        yield name, figures[name]
    yield "simulated", "no" if figures["samples"] is None else "yes"
    if "samples" in both:
        wrong = figures["perturbed"]
        yield from ((name, figures[name]) for name in ("samples", "timing"))
        yield "perturbed", wrong and ", ".join(f"{name} {value}" for name, value in wrong.items())
    if "data" in both:
        yield from ((f"data's {name}", figures["data"][name])
                    for name in ("name", "encoding", "seed"))


def same_in_all(builds: Sequence[Told]) -> list[tuple[str, str]]:
    """What is the same in all builds, name and value in words: that their figures stand together.

    Of runs it is told where all were simulated, of data where it is known of all what they were.
    """
    facts = [dict(_facts(*build)) for build in builds]
    found = [(name, value) for name, value in facts[0].items()
             if value is not None and all(other.get(name) == value for other in facts[1:])]
    asked = [manifest.get("options") or {} for _, manifest in builds]
    if all(asked):
        names = sorted({name for options in asked for name in options})
        unlike = [f"--{name.replace('_', '-')}" for name in names
                  if any(options.get(name) != asked[0].get(name) for options in asked[1:])]
        found.append(("options of nmc compile", f"all but {listed(unlike)}" if unlike else "all"))
    return found


def _facts(figures: Figures, manifest: Figures) -> Iterator[tuple[str, str | None]]:
    model, data = figures["model"], figures["data"]
    yield "target", figures["target"]
    if model is not None:
        yield "model", _file(model["name"], model["sha256"])
    yield "nmcompile", manifest.get("nmcompile") or figures["nmcompile"]
    if figures["samples"] is None:
        return
    if data is not None:
        yield "data", _file(data["name"] or "data without a file", data["sha256"])
    yield "samples", f"{figures['samples']:,}"
    yield "steps of the network", f"{figures['steps']:,}"
    yield "timing", figures["timing"]
    if data is not None:
        yield "values sent as", data["encoding"] or "they are"
        yield "seed of the run", str(data["seed"])


def _file(name: str, digest: str | None) -> str:
    return f"{name} (SHA-256 {digest[:DIGITS]})" if digest else f"{name} (no file's SHA-256)"


def width_note(builds: Sequence[Told]) -> str | None:
    """What bits of weights change and what they do not; None where they are alike, or no matter.

    `simulator.energy.ledger` and the models of time count events, among them those of a stored
    weight of 0, and have one constant for each kind of them. Only a formula of cycles leaves out
    weights that rounding made 0, so of such builds it is not said.
    """
    known = [_widths(manifest) for figures, manifest in builds
             if figures["latency_s"] is not None and figures["timing"] != BY_WEIGHTS]
    if not any(a[name] != b[name] for a, b in combinations(known, 2) for name in a.keys() & b):
        return None
    return ("The targets' constants are of an event, however many bits its weight has: narrower "
            "weights save memory, and change energy and time only by the spikes that they change "
            "and by the cores that they spare.")


def constants_note(builds: Sequence[Figures]) -> str | None:
    """What an error of a constant does to builds that share it; None where no two do.

    builds  their reports
    """
    told = [(figures["target"], _constants(figures)) for figures in builds
            if figures["energy_by_constant"] is not None]
    if len({target for target, _ in told}) == len(told):
        return None
    if any(a != b for (one, a), (other, b) in combinations(told, 2) if one == other):
        return None
    return ("Builds for one target share its constants: an error of a constant scales what it "
            "counts in all of them alike. Differences in counts stand; what they are in joules or "
            "seconds is as sure as the constants.")


def _constants(figures: Figures) -> dict[str, Any]:
    return {row["constant"]: row["value"]
            for row in (*figures["energy_by_constant"], *(figures["time_constants"] or ()))}


def _word(value: Any) -> str:
    return "none" if value is None else str(value)


def listed(words: Sequence[str]) -> str:
    """The first of `words`, and how many more there are."""
    rest = len(words) - TOLD
    return ", ".join(words[:TOLD]) + (f" and {rest} more" if rest > 0 else "")

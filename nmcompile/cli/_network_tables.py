"""A network as tables for a terminal."""

from __future__ import annotations

from nmcompile.cli._terminal import say, show_table
from nmcompile.report.structure import Structure
from nmcompile.report.units import si

APART = ("reset", "reset_at", "fires_at_threshold")  # in a column of their own


def print_structure(network: Structure) -> None:
    """Populations and projections as tables, then outputs, steps, totals and notes."""
    show_table(["population", "shape", "neurons", "kind", "parameters", "reset", "bias"],
               [*(_port(p) for p in network["inputs"]), *map(_population, network["populations"])],
               left=("shape",), text=("kind", "parameters", "reset", "bias"))
    say()
    show_table(["from", "to", "map", "delay", "weights", "not 0", "bits"],
               [_projection(p) for p in network["projections"]],
               left=("to", "map"), names=("from", "to"), text=("map",))
    say()
    outputs = (f"{o['name']} ({o['variable']} of {o['population']})" for o in network["outputs"])
    say(f"outputs   {', '.join(outputs)}")
    if network["steps"]:
        repeated = ", the same values in each" if network["static"] else ""
        say(f"steps     {network['steps']}{repeated}")
    if network["dt_s"]:
        say(f"dt        {si(network['dt_s'], 's')}")
    totals = network["totals"]
    say(f"in all    {totals['neurons']:,} neurons, {totals['weights']:,} weights, "
        f"{totals['nonzero_weights']:,} of them not 0")
    for note in network["notes"]:
        say(f"note      {note}")


def _port(port: Structure) -> list[str]:
    bits = port["payload_bits"]
    kind = "values" if bits is None else "spikes" if bits == 0 else f"{bits}-bit values"
    return [port["name"], _shape(port), f"{port['lines']:,}", f"input, {kind}", "", "", ""]


def _population(population: Structure) -> list[str]:
    known = population["parameters"]
    values = [f"{name} {value}" for name, value in known.items() if name not in APART]
    reset = " at ".join(known[name] for name in APART[:2] if name in known)
    if known.get("fires_at_threshold") == "True":
        reset += ", fires at the threshold"
    return [population["name"], _shape(population), f"{population['neurons']:,}",
            population["kind"], ", ".join(values), reset, population["bias"]]


def _projection(projection: Structure) -> list[str]:
    bits = projection["bits"]
    return [projection["source"], projection["target"], projection["map"],
            str(projection["delay"]), f"{projection['weights']:,}",
            f"{projection['nonzero']:,}", "" if bits is None else str(bits)]


def _shape(node: Structure) -> str:
    return "x".join(map(str, node["shape"]))

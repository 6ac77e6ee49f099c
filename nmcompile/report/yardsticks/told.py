"""The common yardsticks in words, as a terminal and a page show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nmcompile.report.units import si

Figures = dict[str, Any]
NOT_MEASURED = "estimates from counts, a sample: not of this chip, nor measured"
ANN = "The ANN is an ordinary network of the model's layers that runs them once and skips no 0."
NOTE = (f"{ANN} Bit by bit,\nits column takes all 8 bits of each value as set; same cost at is the "
        "share of set bits at which it costs what\nthe spiking network does. ANN less: it costs "
        "less even with all of them set; ANN more: more even with none.")
ESTIMATES = {
    "45nm_float32": "MAC 4.6 pJ, AC 0.9 pJ: 45 nm, 32-bit floats; arithmetic only, no memory",
    "45nm_int8": "MAC 0.23 pJ, AC 0.03 pJ: 45 nm, 8-bit integers; arithmetic only, no memory",
    "bit_serial": "as 45nm float32; ANN bit by bit, 0.9 pJ for each bit that is set (after STEP)",
    "bit_serial_states": "as bit serial, with 3.12 pJ for each bit of membranes and values that is "
                         "read or written",
}


def whose(yardsticks: Figures) -> str:
    """Of which samples the columns are."""
    real, chip = yardsticks["float"], yardsticks["chip"]
    samples = [f"float: the model on {real['samples']:,} samples" if real else "",
               f"chip: {chip['samples']:,} samples" if chip["samples"] else "chip: not simulated"]
    return "; ".join(filter(None, samples))


def counted(yardsticks: Figures) -> list[tuple[str, str, str, str]]:
    """Figure, its values for the model and for the chip, and what it counts."""
    real, chip = yardsticks["float"], yardsticks["chip"]
    return [(name, _cell(real, key, write), _cell(chip, key, write), text)
            for name, key, write, text in ROWS]


def merged(yardsticks: Figures) -> str:
    """Why the chip has more connections than the model, in words; "" where it has not."""
    real, chip = yardsticks["float"], yardsticks["chip"]
    if real is None or chip["connections"] <= real["connections"]:
        return ""
    return ("Layers without neurons, such as average pooling, are part of the next layer's "
            f"connections on the chip: {chip['connections']:,} of them for the model's "
            f"{real['connections']:,}. Dense counts them in every step.")


def estimated(yardsticks: Figures) -> list[tuple[str, str, str, str, str, str]]:
    """Estimate, of what, joules of the network and of the ANN, where they meet, what it takes."""
    return [(row["estimate"].replace("_", " "), row["of"], si(row["spiking_j"], "J"),
             si(row["ann_j"], "J"), _even(row["even_at"]), ESTIMATES[row["estimate"]])
            for row in yardsticks["estimates"]]


def _even(share: float | None) -> str:
    if share is None:
        return ""
    if not 0 < share < 1:
        return "ANN less" if share > 0 else "ANN more"
    return f"{100 * share:.0f} %"


def _cell(counts: Figures | None, key: str, write: Callable[[float], str]) -> str:
    return "" if counts is None or counts[key] is None else write(counts[key])


def _share(value: float) -> str:
    return f"{100 * value:.2f} %"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _bytes(value: float) -> str:
    return f"{value / 1024:,.1f} KiB"


ROWS: tuple[tuple[str, str, Callable[[float], str], str], ...] = (
    ("footprint", "footprint_bytes", _bytes,
     "float: parameters, 4 bytes each; chip: synapse memory of the cores"),
    ("connection sparsity", "connection_sparsity", _share, "share of weights that are 0"),
    ("activation sparsity", "activation_sparsity", _share,
     "share of neurons' steps without a spike; chip: also of steps in which later layers finish"),
    ("effective MACs", "effective_macs", _whole,
     "weights multiplied with a value and added; float skips weights of 0"),
    ("effective ACs", "effective_acs", _whole,
     "weights added for a spike; float skips weights of 0"),
    ("dense", "dense", _whole, "all connections in all steps, nothing skipped"),
    ("membrane updates", "membrane_updates", _whole,
     "float: membranes that changed; chip: all in all of its steps"),
)


def beside(yardsticks: list[Figures]) -> list[list[str]]:
    """Figure, its value for the chip of each, and what it counts."""
    return [[name, *(_cell(each["chip"], key, write) for each in yardsticks), text]
            for name, key, write, text in ROWS]


def estimates_beside(yardsticks: list[Figures]) -> list[list[str]]:
    """Estimate, of what, joules of each network and its ANN, and what it takes; of those in all."""
    tables = [{(row["estimate"], row["of"]): row for row in each["estimates"]}
              for each in yardsticks]
    return [[key[0].replace("_", " "), key[1],
             *(f"{si(table[key]['spiking_j'], 'J')}; ANN {si(table[key]['ann_j'], 'J')}"
               for table in tables), ESTIMATES[key[0]]]
            for key in tables[0] if all(key in table for table in tables)]

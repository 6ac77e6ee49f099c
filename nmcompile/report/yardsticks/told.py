"""The common yardsticks in words, as a terminal and a page show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nmcompile.report.units import si

Figures = dict[str, Any]
NOT_MEASURED = "estimates from counts, a sample: not of this chip, nor measured"
NOTE = ("The ANN has the model's layers, runs them once and skips no 0. Bit by bit, its column "
        "takes every bit of its 8 as set;\neven at is the share of them at which it costs what the "
        "network does.")
ESTIMATES = {
    "45nm_float32": "MAC 4.6 pJ, AC 0.9 pJ: 45 nm, 32-bit floats; arithmetic only, no memory",
    "45nm_int8": "MAC 0.23 pJ, AC 0.03 pJ: 45 nm, 8-bit integers; arithmetic only, no memory",
    "bit_serial": "ANN bit by bit, 0.9 pJ for each bit that is set; STEP's terms and constants",
    "bit_serial_states": "and 3.12 pJ for each bit of membranes and values read or written",
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
    ("footprint", "footprint_bytes", _bytes, "parameters of 4 bytes; synapse memory of the cores"),
    ("connection sparsity", "connection_sparsity", _share, "weights that are 0"),
    ("activation sparsity", "activation_sparsity", _share, "neurons' steps that send nothing"),
    ("effective MACs", "effective_macs", _whole, "weights that values met; no 0 counted in float"),
    ("effective ACs", "effective_acs", _whole, "weights that spikes met; no 0 counted in float"),
    ("dense", "dense", _whole, "the same if nothing were skipped"),
    ("membrane updates", "membrane_updates", _whole, "membranes that changed; all on the chip"),
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

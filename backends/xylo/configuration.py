"""Xylo's configuration as the fields of samna's XyloConfiguration that Rockpool 3.1 fills.

They are those of `config_from_specification` in devices/xylo/syns61201, syns65302 and syns63300
(xylo_samna.py); a field that it leaves alone keeps samna's default and is not named here. The text
that samna itself writes and reads (`to_json`, `from_json`) and the chip's bits are not public.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Fields = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Chip:
    """What differs between samna's configurations.

    module    of samna that holds its XyloConfiguration
    hidden    name of the group of hidden neurons
    two       whether a hidden neuron has a second synaptic current
    fixed     fields that are alike for all networks
    """

    module: str
    hidden: str
    two: bool
    fixed: tuple[tuple[str, Any], ...] = ()


CLOCKS = {name: True for name in (
    "isyn_clock_enable", "ra_clock_enable", "bias_clock_enable", "hm_clock_enable",
    "ram_power_enable")}
CHIPS = {  # by the names of the targets
    "xylo_a2": Chip(module="xyloCore2", hidden="reservoir", two=True, fixed=(("debug", CLOCKS),)),
    "xylo_a3": Chip(module="xyloAudio3", hidden="hidden", two=True),
    "xylo_imu": Chip(module="xyloImu", hidden="hidden", two=False, fixed=(
        ("imu_if_input_enable", False), ("debug", {"always_update_omp_stat": True}))),
}


def configuration(specification: Fields, chip: Chip) -> Fields:
    """The fields for a `specification` of one synaptic current and without aliases.

    specification  what `emit.specification` gives
    """
    given = specification
    syn = ("i_syn_decay", "dash_syn")
    second = [("i_syn2_decay", "dash_syn_2")] if chip.two else []
    fields: Fields = {
        **dict(chip.fixed),
        "bias_enable": True,
        "input": _group(given, "in"),
        chip.hidden: {
            **_group(given, "rec"), "aliasing": False,
            "neurons": _neurons(given, "", syn, *second)},
        "readout": {**_group(given, "out"), "neurons": _neurons(given, "_out", syn)},
    }
    return fields | ({"synapse2_enable": False} if chip.two else {})


def _group(given: Fields, part: str) -> Fields:
    """Weights (sources, targets) of the only synaptic current, and their shift."""
    weights = np.asarray(given[f"weights_{part}"])
    return {"weights": (weights[:, :, 0] if weights.ndim == 3 else weights).tolist(),
            "weight_bit_shift": given[f"weight_shift_{part}"]}


def _neurons(given: Fields, end: str, *decays: tuple[str, str]) -> list[Fields]:
    """The registers of each neuron of a group, whose arguments end in `end`."""
    names = {**dict(decays), "v_mem_decay": "dash_mem", "threshold": "threshold",
             "v_mem_bias": "bias"}
    columns = [given[f"{argument}{end}"] for argument in names.values()]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

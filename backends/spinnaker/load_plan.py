"""What is loaded where: images of SDRAM, routing tables as routers take them, and reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from nmcompile_backends.spinnaker.images import (
    OUTPUT_TAG,
    RECORDED_STEPS,
    CoreImage,
    images_of,
    tables_with_gatherers,
)
from nmcompile_backends.spinnaker.population_table import Sender, senders_of
from nmcompile_backends.spinnaker.regions import INPUT_PORT

from nmcompile.errors import NmcError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

PLAN, SDRAM, TABLES, REPORTS = "load.json", "sdram.bin", "tables.bin", "json_files"
PLACEMENTS, ROUTES, KEYS = (f"{REPORTS}/{name}.json"
                            for name in ("placements", "routing_tables", "keys"))
FILES = (PLAN, SDRAM, TABLES, PLACEMENTS, ROUTES, KEYS)
ENTRY = np.dtype([("number", "<u2"), ("pad", "<u2"), ("route", "<u4"), ("key", "<u4"),
                  ("mask", "<u4")])  # spinnman/processes/load_routes_process.py
TABLE_END = b"\xff" * ENTRY.itemsize


def write_plan(program: Program, folder: Path) -> dict[str, str]:
    """Write load.json, sdram.bin, tables.bin and the reports, or say why not."""
    try:
        images = images_of(program)
        tables = tables_with_gatherers(program, images)
    except NmcError as error:
        return dict.fromkeys(FILES, f"not written: {error}")
    senders = senders_of(program)
    (folder / REPORTS).mkdir()
    (folder / SDRAM).write_bytes(b"".join(
        region.words.astype("<u4").tobytes() for image in images
        for region in image.regions.values()))
    binary = {place: table_bytes(rows) for place, rows in tables.items()}
    (folder / TABLES).write_bytes(b"".join(binary.values()))
    _dump(folder / PLAN, {
        "target": program.target.name, "recorded_steps": RECORDED_STEPS,
        "output_tag": OUTPUT_TAG, "input_port": INPUT_PORT,
        "cores": _cores(program, images), "tables": _tables(tables)})
    _dump(folder / PLACEMENTS, [{"vertex_label": i.label, "x": i.x, "y": i.y, "p": i.processor}
                                for i in images])
    _dump(folder / ROUTES, [_report(place, rows) for place, rows in tables.items()])
    _dump(folder / KEYS, _keys(program, senders, images))
    return {
        PLAN: "for each core its chip, processor, program and regions of SDRAM, with their place "
              f"in its block and in {SDRAM}; where each chip's table is in {TABLES}",
        SDRAM: "the written words of all regions, as sPyNNaker 7.4.1's programs read them",
        TABLES: "routing tables as SC&MP loads them, 16 bytes an entry, each behind its last "
                "entry 16 bytes of 0xFF",
        PLACEMENTS: "cores in the shape of the SpiNNaker tools' own report",
        ROUTES: "routing tables in the shape of the SpiNNaker tools' own report",
        KEYS: "the keys of each population's parts and of the inputs"}


def table_bytes(rows: Array) -> bytes:
    """A table of (n, 3) keys, masks and routes as SC&MP loads it."""
    made = np.zeros(len(rows), ENTRY)
    made["number"] = np.arange(len(rows))
    made["key"], made["mask"], made["route"] = rows.T
    return made.tobytes() + TABLE_END


def _cores(program: Program, images: list[CoreImage]) -> list[dict[str, Any]]:
    found, at = [], 0
    for image in images:
        offsets, regions = image.offsets(), []
        for number, region in image.regions.items():
            regions.append({"region": number, "offset": offsets[number], "size": region.size,
                            "file_offset": at, "written": region.words.nbytes})
            at += region.words.nbytes
        found.append({
            "label": image.label, "x": image.x, "y": image.y, "p": image.processor,
            "program": f"{image.program}.aplx", "size": image.size, "regions": regions,
            **_part(program, image.part)})
    return found


def _part(program: Program, number: int) -> dict[str, Any]:
    """The population and neurons of a part; nothing for a core without."""
    if number < 0:
        return {}
    slices, network = program.mapping.slices, program.network
    population = network.populations[int(slices.population[number])]
    return {"population": population.name,
            "neurons": slices.members(population.shape, number).tolist()}


def _tables(tables: dict[tuple[int, int], Array]) -> list[dict[str, int]]:
    found, at = [], 0
    for (x, y), rows in tables.items():
        found.append({"x": x, "y": y, "file_offset": at, "entries": len(rows)})
        at += ENTRY.itemsize * (len(rows) + 1)
    return found


def _report(place: tuple[int, int], rows: Array) -> dict[str, Any]:
    entries = [{"key": key, "mask": mask, "defaultable": False, "spinnaker_route": route}
               for key, mask, route in rows.tolist()]
    return {"x": place[0], "y": place[1], "entries": entries}


def _keys(
    program: Program, senders: list[Sender], images: list[CoreImage],
) -> list[dict[str, Any]]:
    label = {image.part: image.label for image in images if image.part >= 0}
    router = program.target.router
    assert router is not None
    return [{"vertex_label": label.get(number, f"{s.source}[{s.lines[0]}:{s.lines[-1] + 1}]"),
             "source": s.source, "first": int(s.lines[0]), "n": len(s.lines), "key": s.key,
             "mask": s.mask, "key_shift": router.spare_bits.value}
            for number, s in enumerate(senders)]


def _dump(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n", "utf-8")

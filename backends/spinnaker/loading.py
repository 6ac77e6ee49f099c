"""The emitted files onto a board: blocks of SDRAM, routing tables, programs; all read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby, zip_longest
from pathlib import Path

import numpy as np
from nmcompile_backends.spinnaker.images import TABLE_WORDS
from nmcompile_backends.spinnaker.load_plan import ENTRY, PLAN, SDRAM, TABLES
from nmcompile_backends.spinnaker.monitor import (
    CORE_INFO,
    CORE_INFO_BYTES,
    IDLE,
    SDRAM_BYTES,
    SYNC_0,
    USER_0,
    Monitor,
)
from nmcompile_backends.spinnaker.regions import (
    GATHERER_PROVENANCE,
    NEURON_PARAMS,
    RECORDING,
    SEND_BUFFER,
    SOURCE_PROVENANCE,
)
from pydantic import BaseModel, ConfigDict, Field

from nmcompile.errors import (
    BoardError,
    BuildError,
    DeviceLostError,
    NmcError,
    VendorToolError,
    reading,
)
from nmcompile.mapping import Program

CORE_TAG, TABLE_TAG = 200, 1  # 200 and the processor: spinn_front_end_common constants.py
HEADER = np.array([0xAD130AD6, 0x10000], "<u4")
REGIONS = 32
INPUTS, GATHERER = "inputs", "live_packet_gather.aplx"
PATIENCE_S = 10.0
NAME_BYTES = 16


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedRegion(_Strict):
    """A region: its place in the core's block and in sdram.bin, bytes of both."""

    region: int = Field(ge=0, lt=REGIONS)
    offset: int = Field(ge=4 * TABLE_WORDS, multiple_of=4)
    size: int = Field(ge=0)
    file_offset: int = Field(ge=0)
    written: int = Field(ge=0, multiple_of=4)


class PlannedCore(_Strict):
    """A core of the plan; one with neurons has a population."""

    label: str
    x: int = Field(ge=0, lt=255)
    y: int = Field(ge=0, lt=255)
    p: int = Field(ge=1, le=17)
    program: str
    size: int = Field(ge=4 * TABLE_WORDS, le=SDRAM_BYTES)
    regions: list[PlannedRegion]
    population: str | None = None
    neurons: list[int] = []

    @property
    def place(self) -> tuple[int, int, int]:
        """Chip and processor."""
        return self.x, self.y, self.p

    @property
    def needs(self) -> tuple[int, ...]:
        """The regions that the host writes or reads while it runs."""
        if self.population is not None:
            return NEURON_PARAMS, RECORDING
        if self.label == INPUTS:
            return SEND_BUFFER, SOURCE_PROVENANCE
        return (GATHERER_PROVENANCE,) if self.program == GATHERER else ()

    def region(self, number: int) -> PlannedRegion:
        """One of its regions."""
        return next(region for region in self.regions if region.region == number)


class PlannedTable(_Strict):
    """A chip's routing table in tables.bin."""

    x: int = Field(ge=0, lt=255)
    y: int = Field(ge=0, lt=255)
    file_offset: int = Field(ge=0)
    entries: int = Field(ge=1, le=1023)


class Plan(_Strict):
    """load.json."""

    target: str
    recorded_steps: int = Field(ge=1)
    output_tag: int = Field(ge=0, le=7)
    input_port: int = Field(ge=0, le=7)
    cores: list[PlannedCore]
    tables: list[PlannedTable]


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """What is on the board: the plan, the words of SDRAM, and each core's block."""

    plan: Plan
    sdram: bytes
    address: Mapping[tuple[int, int, int], int]

    def content(self, region: PlannedRegion) -> bytes:
        """What is written of a region."""
        return self.sdram[region.file_offset : region.file_offset + region.written]

    def at(self, core: PlannedCore, region: int) -> int:
        """Where a region of a core is."""
        return self.address[core.place] + core.region(region).offset


@dataclass(frozen=True, kw_only=True, eq=False)
class Files:
    """What load.json, sdram.bin and tables.bin hold."""

    plan: Plan
    sdram: bytes
    tables: bytes


def read_plan(config: Path, program: Program) -> Files:
    """The plan of a folder and what it points to.

    Raises NmcError where a file is missing, is none of ours or not of `program`, or the plan points
    beyond it.
    """
    path = config / PLAN
    if not path.is_file():
        raise BuildError(str(path), "is not there: the build has no plan to load",
                         "manifest.json says why.")
    with reading(str(path)):
        plan = Plan.model_validate_json(path.read_bytes())
    with reading(str(config), "cannot be read"):
        sdram, tables = (config / SDRAM).read_bytes(), (config / TABLES).read_bytes()
    for core in plan.cores:
        for region in core.regions:
            beyond = region.offset + region.size > core.size or region.written > region.size
            if beyond or region.file_offset + region.written > len(sdram):
                raise BuildError(f"{path}: {core.label}", f"region {region.region} lies beyond its "
                                 f"block or {SDRAM}")
    for table in plan.tables:
        if table.file_offset + ENTRY.itemsize * (table.entries + 1) > len(tables):
            raise BuildError(f"{path}: table of chip {table.x}, {table.y}", f"lies beyond {TABLES}")
    _require_regions(path, plan)
    _require_parts(path, plan, program)
    return Files(plan=plan, sdram=sdram, tables=tables)


def _require_regions(path: Path, plan: Plan) -> None:
    """Raise NmcError where a core is planned twice, or lacks a region that runs need."""
    if len({core.place for core in plan.cores}) != len(plan.cores):
        raise BuildError(str(path), "plans two programs for one core", "Compile again.")
    for core in plan.cores:
        numbers = [region.region for region in core.regions]
        lacking = sorted(set(core.needs) - set(numbers))
        if lacking or len(set(numbers)) != len(numbers):
            fault = f"has no region {lacking[0]}" if lacking else "has a region twice"
            raise BuildError(f"{path}: {core.label}", fault, "Compile again.")


def _require_parts(path: Path, plan: Plan, program: Program) -> None:
    """Raise NmcError where the cores' neurons are not the program's, or none sends the inputs."""
    slices, network = program.mapping.slices, program.network
    populations = [network.populations[int(number)] for number in slices.population]
    wanted = sorted((population.name, slices.members(population.shape, part).tolist())
                    for part, population in enumerate(populations))
    found = sorted((core.population, core.neurons) for core in plan.cores
                   if core.population is not None)
    for (name, neurons), (own, others) in zip_longest(wanted, found, fillvalue=("none", [])):
        if (name, neurons) != (own, others):
            raise BuildError(str(path), f"has {_part(own, others)} where the program has "
                             f"{_part(name, neurons)}", "Compile again.")
    if [core.population for core in plan.cores if core.label == INPUTS] != [None]:
        raise BuildError(str(path), f"has no one core {INPUTS!r}", "Compile again.")


def _part(name: str, neurons: list[int]) -> str:
    ends = f", {min(neurons)} to {max(neurons)}" if neurons else ""
    return f"a core with {len(neurons)} neurons of {name!r}{ends}"


def find_programs(folders: list[Path], plan: Plan) -> dict[str, bytes]:
    """The bytes of each program that the plan names.

    Raises NmcError where one is in none of `folders`.
    """
    found = {}
    for name in sorted({core.program for core in plan.cores}):
        if Path(name).name != name:
            raise BuildError(PLAN, f"{name!r} is no program's name", "Compile again.")
        paths = [folder / name for folder in folders if (folder / name).is_file()]
        if not paths:
            raise VendorToolError(
                name, "is in none of the folders of programs",
                "Give --device-option binaries=DIR:DIR, with sPyNNaker 7.4.1's folders "
                "spynnaker/pyNN/model_binaries and spinn_front_end_common/common_model_binaries.")
        code = paths[0].read_bytes()
        found[name] = code.ljust(-(-len(code) // 4) * 4, b"\0")
    return found


def load(monitor: Monitor, files: Files, programs: list[Path], take: bool) -> Loaded:
    """Put all of a plan on the board.

    take  end what runs under the application's number

    Raises NmcError where a core is not there or in use, DeviceLostError where the board does not
    answer or does not hold what was written.
    """
    plan, tables = files.plan, files.tables
    code = find_programs(programs, plan)
    monitor.claim([core.place for core in plan.cores], take)
    _require_cores(monitor, plan)
    address, ahead = {}, len(monitor.mark)
    for core in plan.cores:
        block = monitor.allocate(core.x, core.y, ahead + core.size, CORE_TAG + core.p)
        monitor.link.write(core.x, core.y, block, monitor.mark)
        address[core.place] = base = block + ahead
        monitor.link.write(core.x, core.y, CORE_INFO + CORE_INFO_BYTES * core.p + USER_0,
                           base.to_bytes(4, "little"))
    loaded = Loaded(plan=plan, sdram=files.sdram, address=address)
    for core in plan.cores:
        _write_block(monitor, loaded, core)
    for table in plan.tables:
        end = table.file_offset + ENTRY.itemsize * (table.entries + 1)
        monitor.load_routes(table.x, table.y, tables[table.file_offset : end], TABLE_TAG)
    start(monitor, loaded, code)
    return loaded


def start(monitor: Monitor, loaded: Loaded, code: Mapping[str, bytes]) -> None:
    """Start the programs, each on its cores, and see that it is the one that runs there."""
    cores = sorted(loaded.plan.cores, key=lambda core: (core.x, core.y, core.program, core.p))
    for (x, y, name), group in groupby(cores, key=lambda core: (core.x, core.y, core.program)):
        monitor.start(x, y, code[name], [core.p for core in group])
    places = [core.place for core in cores]
    monitor.await_states(places, [SYNC_0], PATIENCE_S)
    require_own(monitor, loaded)


def require_own(monitor: Monitor, loaded: Loaded) -> None:
    """Raise DeviceLostError where a core does not run what was loaded from here, or not now."""
    cores = loaded.plan.cores
    running = monitor.own([core.place for core in cores])
    for core, (found, is_own) in zip(cores, running, strict=True):
        name = Path(core.program).stem
        monitor.claimed &= is_own
        if not is_own or not found.name or not name.startswith(found.name[: NAME_BYTES - 1]):
            raise DeviceLostError(
                monitor.link.where, f"core {core.place} does not run the {name!r} that was loaded: "
                f"it has {found.name!r} of application {found.app}", "Load it again; another host "
                "may have taken the board.")


def _write_block(monitor: Monitor, loaded: Loaded, core: PlannedCore) -> None:
    """The regions of a core, then the table of pointers to them."""
    base, table = loaded.address[core.place], np.zeros((REGIONS, 3), "<u4")
    for region in core.regions:
        content = loaded.content(region)
        if content:
            monitor.link.write(core.x, core.y, base + region.offset, content)
        words = np.frombuffer(content, "<u4")
        table[region.region] = (base + region.offset, int(words.sum(dtype=np.uint64)) & 0xFFFFFFFF,
                                len(words))
    monitor.link.write(core.x, core.y, base, HEADER.tobytes() + table.tobytes())


def _require_cores(monitor: Monitor, plan: Plan) -> None:
    """Raise NmcError where a core of the plan is not there, or not idle."""
    for (x, y), group in groupby(sorted(plan.cores, key=lambda c: c.place),
                                 key=lambda c: (c.x, c.y)):
        try:
            states = monitor.states(x, y)
        except DeviceLostError:
            raise
        except NmcError as error:
            raise BoardError(monitor.link.where, f"has no chip {x}, {y}, or a dead one: "
                             f"{error.what}", "Compile with --constraints that leave it "
                             "out.") from error
        for core in group:
            if states[core.p] != IDLE:
                raise BoardError(
                    monitor.link.where, f"core {core.p} of chip {x}, {y} is dead or in "
                    "use", "Compile with --constraints that leave it out, or stop what "
                    "others run.")


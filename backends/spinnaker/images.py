"""Every core of a program with what SDRAM holds for it: neurons, source of inputs, gatherers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from nmcompile_backends.spinnaker import regions as layout
from nmcompile_backends.spinnaker.arithmetic import SpinnakerNeuron
from nmcompile_backends.spinnaker.population_table import (
    blocks_of,
    senders_of,
    table_and_matrix,
)
from nmcompile_backends.spinnaker.regions import Region, Regions
from nmcompile_backends.spinnaker.ring import slots_of
from nmcompile_backends.spinnaker.routes import places_of

from nmcompile.errors import BoardLimitError, RouteError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

FIRST_PROCESSOR = 1  # 0 is the monitor
# The chip at 0, 0 has one core more than the 16 that every chip has for neurons: SpiNNMachine 7.4.1
# version_5.py, CHIPS_PER_BOARD, and version_3.py.
LAST_OF_FIRST_CHIP = 17
DEFAULT_STEP_US = 1000  # spynnaker.cfg
RECORDED_STEPS = 4096
MARK_BYTES = 16  # ahead of each core's block: random, of one host
TABLE_WORDS = 2 + 3 * 32  # of the pointers ahead of a core's regions (constants.py)
OUTPUT_TAG = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreImage:
    """A core, its program, and the regions of its memory.

    part     number of the slice, -1 for a core without neurons
    sources  the senders (`senders_of`) that it has rows for
    """

    x: int
    y: int
    processor: int
    program: str
    label: str
    regions: Regions
    part: int = -1
    sources: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        """Bytes of its block of SDRAM: the table of pointers, then all regions."""
        return 4 * TABLE_WORDS + sum(region.size for region in self.regions.values())

    def offsets(self) -> dict[int, int]:
        """Where each region begins in the block."""
        at, found = 4 * TABLE_WORDS, {}
        for number, region in self.regions.items():
            found[number], at = at, at + region.size
        return found


def images_of(program: Program) -> list[CoreImage]:
    """The cores of `program` by chip and processor.

    Raises NmcError where a chip has no room in its SDRAM.
    """
    source, gatherers = _services(program)
    step_us = _step_us(program)
    images = [*_neuron_images(program, gatherers.keys()), *(
        CoreImage(x=x, y=y, processor=processor, program="live_packet_gather",
                  label=f"spikes({x},{y})",
                  regions=layout.gatherer_regions(OUTPUT_TAG, step_us))
        for (x, y), processor in gatherers.items())]
    x, y = places_of(program)[0]
    images.append(CoreImage(x=x, y=y, processor=source, program="reverse_iptag_multicast_source",
                            label="inputs", regions=layout.source_regions(step_us)))
    images.sort(key=lambda image: (image.x, image.y, image.processor))
    _require_room(program, images)
    return images


def _neuron_images(program: Program, gathered: Collection[tuple[int, int]]) -> Iterator[CoreImage]:
    """The cores of all slices; they send spikes if one listens, or their chip is `gathered`."""
    network, slices, target = program.network, program.mapping.slices, program.target
    router = target.router
    assert router is not None
    spare = router.spare_bits.value
    senders, places, room = senders_of(program), places_of(program), slots_of(program)
    all_blocks = blocks_of(program, senders)
    heard = {block.sender for blocks in all_blocks for block in blocks}
    for number, blocks in enumerate(all_blocks):
        population = network.populations[int(slices.population[number])]
        neuron, neurons = population.neuron, slices.members(population.shape, number)
        assert isinstance(neuron, SpinnakerNeuron)
        chip, inside = divmod(int(slices.core[number]), target.cores_per_chip)
        x, y = places[chip]
        keys = senders[number].key + (np.arange(len(neurons)) << spare)
        sends = number in heard or (x, y) in gathered
        found = layout.neuron_regions(population, neurons, keys if sends else None,
                                      int(room[number]), RECORDED_STEPS, _step_us(program))
        label = f"{population.name}[{number}]"
        table, matrix = table_and_matrix(blocks, senders, spare, label)
        found[layout.POPULATION_TABLE] = Region(words=table, size=table.nbytes)
        found[layout.SYNAPTIC_MATRIX] = Region(words=matrix, size=max(matrix.nbytes, 4))
        yield CoreImage(
            x=x, y=y, processor=inside + FIRST_PROCESSOR, program=layout.program_of(neuron),
            label=label, part=number, sources=frozenset(block.sender for block in blocks),
            regions=dict(sorted(found.items())))


def _step_us(program: Program) -> int:
    """Microseconds of the timer of all cores."""
    tick = program.target.times.tick
    return DEFAULT_STEP_US if tick is None else round(tick.value * 1e6)


def _services(program: Program) -> tuple[int, dict[tuple[int, int], int]]:
    """The processor that sends inputs, on the first chip, and those that gather spikes.

    Each chip with neurons, and the first, has a gatherer if it has a core to spare.
    """
    places, free = places_of(program), _free_processors(program)
    source = free[0].pop() if free[0] else LAST_OF_FIRST_CHIP
    chips = {0, *(program.mapping.slices.core // program.target.cores_per_chip).tolist()}
    return source, {(places[chip][0], places[chip][1]): free[chip].pop()
                    for chip in sorted(chips) if free[chip]}


def _free_processors(program: Program) -> list[list[int]]:
    """Of each chip, the processors that neither hold neurons nor are dead."""
    cores = program.target.cores_per_chip
    taken = set(program.mapping.slices.core.tolist()) | set(program.mapping.faults.cores.tolist())
    return [[inside + FIRST_PROCESSOR for inside in range(cores)
             if chip * cores + inside not in taken]
            for chip in range(program.target.board.chips.value)]


def _require_room(program: Program, images: list[CoreImage]) -> None:
    """Raise NmcError where a chip's SDRAM does not hold its cores' blocks and recordings."""
    room = program.target.core.synapse_bits.value // 8 * program.target.cores_per_chip
    needs: dict[tuple[int, int], int] = {}
    for image in images:
        need = MARK_BYTES + image.size
        if image.part >= 0:
            need += int(image.regions[layout.RECORDING].words[1 + 3 * layout.SPIKES])
        needs[image.x, image.y] = needs.get((image.x, image.y), 0) + need
    for (x, y), need in needs.items():
        if need > room:
            raise BoardLimitError(
                f"chip {x}, {y}", f"needs {need:,} bytes of SDRAM, it has {room:,}",
                "Spread the network over more chips.")


def tables_with_gatherers(
    program: Program, images: list[CoreImage],
) -> dict[tuple[int, int], Array]:
    """Of each chip (n, 3) key, mask and route, with the ways to its gatherer ahead of the others.

    What inputs send comes to the gatherer of the first chip, so that the host learns in which step
    it came.

    Raises NmcError where a router has no room for them.
    """
    routing, router = program.mapping.routing, program.target.router
    assert routing is not None
    assert router is not None
    tables, found = routing.tables, {}
    heard = frozenset().union(*(image.sources for image in images))
    gatherer = {(i.x, i.y): i.processor for i in images if i.program == "live_packet_gather"}
    for chip, (x, y) in enumerate(places_of(program)):
        own = slice(int(tables.start[chip]), int(tables.start[chip + 1]))
        rows = np.stack([tables.key[own], tables.mask[own], tables.route[own]], axis=1)
        rows = rows.astype(np.uint32)
        if (x, y) in gatherer:
            here = [i.part for i in images if (i.x, i.y) == (x, y) and i.part >= 0]
            if chip == 0:
                here += range(len(program.mapping.slices), len(routing.keys.key))
            ahead = []
            for sender in here:
                key, mask = int(routing.keys.key[sender]), int(routing.keys.mask[sender])
                way = _route(rows, key) if sender in heard else 0
                ahead.append([key, mask, way | 1 << 6 + gatherer[x, y]])
            rows = np.concatenate([np.array(ahead, np.uint32), rows[~_shadowed(rows, ahead)]])
        if len(rows) > router.entries.value:
            raise RouteError(f"chip {x}, {y}", f"{len(rows)} routing entries, with those to gather "
                             f"spikes; it has {router.entries.value}",
                             "Spread the network over more chips.")
        if len(rows):
            found[x, y] = rows
    return found


def _shadowed(rows: Array, ahead: list[list[int]]) -> Array:
    """Which entries match nothing but what one of those ahead does."""
    hidden = np.zeros(len(rows), bool)
    for key, mask, _ in ahead:
        hidden |= ((rows[:, 1] & mask) == mask) & ((rows[:, 0] & mask) == key)
    return hidden


def _route(rows: Array, key: int) -> int:
    """Where the first entry that matches sends a packet of this chip's own; 0 is nowhere."""
    matches = np.flatnonzero((key & rows[:, 1]) == rows[:, 0])
    return int(rows[matches[0], 2]) if len(matches) else 0

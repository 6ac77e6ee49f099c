"""Every core of a program with what SDRAM holds for it: neurons, source of inputs, gatherers."""

from __future__ import annotations

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

from nmcompile.errors import NmcError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

FIRST_PROCESSOR = 1  # 0 is the monitor
# The chip at 0, 0 has one core more than the 16 that every chip has for neurons: SpiNNMachine 7.4.1
# version_5.py, CHIPS_PER_BOARD, and version_3.py.
LAST_OF_FIRST_CHIP = 17
RECORDED_STEPS = 4096
TABLE_WORDS = 2 + 3 * 32  # of the pointers ahead of a core's regions (constants.py)
OUTPUT_TAG = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreImage:
    """A core, its program, and the regions of its memory.

    part  number of the slice, -1 for a core without neurons
    """

    x: int
    y: int
    processor: int
    program: str
    label: str
    part: int
    regions: Regions

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
    images = _neuron_images(program)
    images += _service_images(program, images)
    images.sort(key=lambda image: (image.x, image.y, image.processor))
    _require_room(program, images)
    return images


def _neuron_images(program: Program) -> list[CoreImage]:
    network, slices, target = program.network, program.mapping.slices, program.target
    router = target.router
    assert router is not None
    spare = router.spare_bits.value
    senders, places, room = senders_of(program), places_of(program), slots_of(program)
    images = []
    for number, blocks in enumerate(blocks_of(program, senders)):
        population = network.populations[int(slices.population[number])]
        neurons = slices.members(population.shape, number)
        keys = senders[number].key + (np.arange(len(neurons)) << spare)
        chip, inside = divmod(int(slices.core[number]), target.cores_per_chip)
        label = f"{population.name}[{number}]"
        found = layout.neuron_regions(population, neurons, keys, int(room[number]),
                                      RECORDED_STEPS)
        table, matrix = table_and_matrix(blocks, senders, spare, label)
        found[layout.POPULATION_TABLE] = Region(words=table, size=table.nbytes)
        found[layout.SYNAPTIC_MATRIX] = Region(words=matrix, size=max(matrix.nbytes, 4))
        neuron = population.neuron
        assert isinstance(neuron, SpinnakerNeuron)
        images.append(CoreImage(
            x=places[chip][0], y=places[chip][1], processor=inside + FIRST_PROCESSOR,
            program=layout.program_of(neuron), label=label, part=number,
            regions=dict(sorted(found.items()))))
    return images


def _service_images(program: Program, images: list[CoreImage]) -> list[CoreImage]:
    """The source of inputs on the first chip, and on each chip with a core to spare a gatherer."""
    places = places_of(program)
    free = _free_processors(program)
    root = places[0]
    first = free[0].pop() if free[0] else LAST_OF_FIRST_CHIP
    made = [CoreImage(x=root[0], y=root[1], processor=first,
                      program="reverse_iptag_multicast_source", label="inputs", part=-1,
                      regions=layout.source_regions())]
    chips = {(image.x, image.y) for image in images} | {(root[0], root[1])}
    for chip, (x, y) in enumerate(places):
        if (x, y) in chips and free[chip]:
            made.append(CoreImage(
                x=x, y=y, processor=free[chip].pop(), program="live_packet_gather",
                label=f"spikes({x},{y})", part=-1, regions=layout.gatherer_regions(OUTPUT_TAG)))
    return made


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
        recorded = 0
        if image.part >= 0:
            recorded = int(image.regions[layout.RECORDING].words[1 + 3 * layout.SPIKES])
        needs[image.x, image.y] = needs.get((image.x, image.y), 0) + image.size + recorded
    for (x, y), need in needs.items():
        if need > room:
            raise NmcError(f"chip {x}, {y}", f"needs {need:,} bytes of SDRAM, it has {room:,}",
                           "Spread the network over more chips.")


def tables_with_gatherers(program: Program, images: list[CoreImage]) -> dict[
        tuple[int, int], Array]:
    """Of each chip (n, 3) key, mask and route, with the ways to its gatherer ahead of the others.

    What inputs send comes to the gatherer of the first chip, so that the host learns in which step
    it came.

    Raises NmcError where a router has no room for them.
    """
    routing, router = program.mapping.routing, program.target.router
    assert routing is not None
    assert router is not None
    tables, places = routing.tables, places_of(program)
    gatherer = {(i.x, i.y): i.processor for i in images if i.program == "live_packet_gather"}
    found = {}
    for chip, place in enumerate(map(tuple, places)):
        own = slice(int(tables.start[chip]), int(tables.start[chip + 1]))
        rows = np.stack([tables.key[own], tables.mask[own], tables.route[own]], axis=1)
        rows = rows.astype(np.uint32)
        here = [i.part for i in images if (i.x, i.y) == place and i.part >= 0]
        if chip == 0:
            here += range(len(program.mapping.slices), len(routing.keys.key))
        if place in gatherer and here:
            bit = 1 << 6 + gatherer[place]
            ahead = [[int(routing.keys.key[part]), int(routing.keys.mask[part]),
                      _route(rows, int(routing.keys.key[part])) | bit] for part in here]
            rows = np.concatenate([np.array(ahead, np.uint32), rows[~_shadowed(rows, ahead)]])
        if len(rows) > router.entries.value:
            raise NmcError(f"chip {place[0]}, {place[1]}", f"{len(rows)} routing entries, with "
                           f"those to gather spikes; it has {router.entries.value}",
                           "Spread the network over more chips.")
        if len(rows):
            found[int(place[0]), int(place[1])] = rows
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

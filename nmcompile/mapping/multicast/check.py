"""Walk keys through finished tables: whether each reaches its targets, and on which ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.multicast._walk_kernels import first_matches
from nmcompile.mapping.multicast.demand import Demand
from nmcompile.mapping.multicast.machine import LOCAL, Machine
from nmcompile.mapping.multicast.routing import Keys, Tables
from nmcompile.target.topology import LINKS

AT_ONCE = 1 << 25  # packets times chips that are walked at once


class RoutingError(RuntimeError):
    """Tables do not send every key to its targets, once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reached:
    """Where packets ended, a row for each key and chip that gives it to cores.

    source  (r,) int64   slice that sent it
    key     (r,) int64
    chip    (r,) int32
    cores   (r,) uint32  bit p is set where core p got it
    hops    links crossed by all packets together
    """

    source: Array
    key: Array
    chip: Array
    cores: Array
    hops: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Ways:
    """The routers that a packet of each sender passes, a row each (n,), nearest ones first.

    source  sender
    chip    of the router
    route   where it sends the packet: bits 0 to 5 links out, bit 6 + p core p
    hops    links from the sender's chip
    """

    source: Array
    chip: Array
    route: Array
    hops: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Packets:
    """Packets that leave for the routers: (k,) their sender, its chip, and their key (int64)."""

    source: Array
    chip: Array
    key: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """Packets that are at a router, a row each: (k,) number, chip, link travelled, and route."""

    packet: Array
    chip: Array
    link: Array
    route: Array


def walk(machine: Machine, demand: Demand, keys: Keys, made: Tables) -> Reached:
    """Send one packet of every key from its slice's chip, all at once, a link in each step.

    Raises RoutingError where a packet is lost in its first router, takes a link that does not
    exist, meets a dead core or comes to a chip twice.
    """
    every = int(demand.neurons.sum()) or 1
    none = Packets(source=np.zeros(0, np.int64), chip=demand.chip[:0], key=np.zeros(0, np.int64))
    return _walked(machine, made, next(_packets(demand, keys, 0, every), none))


def ways_of(machine: Machine, demand: Demand, keys: Keys, made: Tables) -> Ways:
    """The ways of each sender's packets, by its first key; raises RoutingError as `walk` does."""
    sends = np.flatnonzero(np.diff(demand.start) > 0)
    most = max(1, AT_ONCE // len(machine))
    parts = [np.zeros((4, 0), np.int64)]
    for low in range(0, len(sends), most):
        some = sends[low : low + most]
        steps = _steps(machine, made, keys.key[some].astype(np.int64), demand.chip[some])
        parts += [np.stack([some[step.packet], step.chip, step.route,
                            np.full(len(step.packet), hops)])
                  for hops, step in enumerate(steps)]
    source, chip, route, hops = np.concatenate(parts, axis=1)
    nearest = np.argsort(hops, kind="stable")
    return Ways(source=source[nearest], chip=chip[nearest], route=route[nearest],
                hops=hops[nearest])


def check(
    machine: Machine, demand: Demand, keys: Keys, made: Tables, spare_bits: int = 0
) -> int:
    """Links that one packet of every key crosses, all together.

    spare_bits  low bits of a key that its neuron has for itself

    Raises RoutingError where keys of slices overlap, or a packet does not reach exactly the cores
    of its slice's targets, or as `walk` does.
    """
    order = np.argsort(keys.key)
    first = keys.key[order].astype(np.int64)
    last = first + (~keys.mask[order]).astype(np.int64)
    _must(bool(np.all(first[1:] > last[:-1])), "two slices share keys")
    _must(not np.any(keys.key & ~keys.mask), "a key has bits outside of its mask")
    _must(not np.any(~keys.mask & (~keys.mask + np.uint32(1))), "a mask has gaps")
    room = (~keys.mask).astype(np.int64) + 1
    _must(bool(np.all(demand.neurons << spare_bits <= room)), "keys are missing")
    _must(not np.any(made.mask & np.uint32((1 << spare_bits) - 1)),
          "an entry tells keys of one neuron apart")
    _must(bool(np.all(made.entries() <= machine.entries)), "a table is too long")
    return sum(_checked(machine, demand, made, packets)
               for packets in _packets(demand, keys, spare_bits, max(1, AT_ONCE // len(machine))))


def _packets(demand: Demand, keys: Keys, spare_bits: int, most: int) -> Iterator[Packets]:
    """One packet of every key of slices that send, at most so many at a time."""
    count = np.where(np.diff(demand.start) > 0, demand.neurons, 0)
    end = np.cumsum(count)
    total = int(count.sum())
    for low in range(0, total, most):
        number = np.arange(low, min(low + most, total))
        source = np.searchsorted(end, number, "right")
        line = number - (end - count)[source]
        yield Packets(source=source, chip=demand.chip[source],
                      key=keys.key[source].astype(np.int64) + (line << spare_bits))


def _checked(machine: Machine, demand: Demand, made: Tables, packets: Packets) -> int:
    """Links that `packets` cross, all together; see `check`."""
    reached, n = _walked(machine, made, packets), len(machine)
    first, size = demand.start[packets.source], np.diff(demand.start)[packets.source]
    each = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
    target = np.repeat(first, size) + each
    key = np.repeat(packets.key, size)
    found = np.stack([reached.key * n + reached.chip, reached.cores])
    wanted = np.stack([key * n + demand.target[target], demand.cores[target]])
    found, wanted = found[:, np.argsort(found[0])], wanted[:, np.argsort(wanted[0])]
    _must(np.array_equal(found, wanted), "a packet does not reach its targets")
    return reached.hops


def _walked(machine: Machine, made: Tables, packets: Packets) -> Reached:
    packet, chip, cores, hops = [], [], [], 0
    for step in _steps(machine, made, packets.key, packets.chip):
        to_cores = step.route >> len(LINKS)
        _must(not np.any(to_cores & ~machine.cores[step.chip].astype(np.int64)),
              "a packet goes to a dead core")
        given = to_cores > 0
        packet.append(step.packet[given])
        chip.append(step.chip[given])
        cores.append(to_cores[given])
        hops += int(np.count_nonzero(step.link != LOCAL))
    ends = np.concatenate([*packet, np.zeros(0, np.int64)])
    return Reached(source=packets.source[ends], key=packets.key[ends],
                   chip=np.concatenate([*chip, np.zeros(0, np.int32)]),
                   cores=np.concatenate([*cores, np.zeros(0, np.int64)]), hops=hops)


def _steps(machine: Machine, made: Tables, key: Array, chip: Array) -> Iterator[Step]:
    """Packets with `key` (k,) int64 that start on `chip` (k,), one link further in each step."""
    packet, link = np.arange(len(key)), np.full(len(key), LOCAL, np.int8)
    seen = np.zeros((len(key), len(machine)), bool)
    entries = [part.astype(np.int64) for part in (made.key, made.mask, made.route)]
    while len(packet):
        again = seen[packet, chip].any() or len(
            np.unique(packet * len(machine) + chip)) < len(packet)
        _must(not again, "a packet comes to a chip twice")
        seen[packet, chip] = True
        route = np.where(link == LOCAL, -1, np.left_shift(1, link, dtype=np.int64))
        first_matches(made.start, *entries, key[packet], chip, route)
        _must(bool(np.all(route >= 0)), "a packet is lost in the router of its own chip")
        yield Step(packet=packet, chip=chip, link=link, route=route)
        row, out = np.nonzero(route[:, None] >> np.arange(len(LINKS)) & 1)
        there = machine.neighbour[chip[row], out]
        _must(bool(np.all(there >= 0)), "a packet takes a link that is dead or missing")
        packet, chip, link = packet[row], there, out.astype(np.int8)


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise RoutingError(what)

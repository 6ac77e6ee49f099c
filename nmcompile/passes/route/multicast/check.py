"""Walk every key of every source slice through finished tables, and say what it reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.passes.route.multicast.demand import Demand
from nmcompile.passes.route.multicast.keys import Keys
from nmcompile.passes.route.multicast.machine import LINKS, LOCAL, Machine
from nmcompile.passes.route.multicast.tables import Tables


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


def walk(machine: Machine, demand: Demand, keys: Keys, made: Tables) -> Reached:
    """Send one packet of every key from its slice's chip, all at once, a link in each step.

    Raises RuntimeError where a packet is lost in its first router, takes a link that does not
    exist, meets a dead core or comes to a chip twice.
    """
    sends = np.diff(demand.start) > 0
    count = np.where(sends, demand.neurons, 0)
    source = np.repeat(np.arange(len(demand)), count)
    key = keys.key[source].astype(np.int64) + np.arange(len(source))
    key -= np.repeat(np.cumsum(count) - count, count)
    chip, link = demand.chip[source], np.full(len(source), LOCAL, np.int8)
    seen = np.zeros((0,), np.int64)
    ends, hops = [], 0
    packet = np.arange(len(source))
    while len(packet):
        visit = packet * len(machine) + chip
        seen = np.concatenate([seen, visit])
        _must(len(np.unique(seen)) == len(seen), "a packet comes to a chip twice")
        route = _routes(made, key[packet], chip, link)
        _must(bool(np.all(route >= 0)), "a packet is lost in the router of its own chip")
        cores = route >> len(LINKS)
        _must(not np.any(cores & ~machine.cores[chip]), "a packet goes to a dead core")
        given = cores > 0
        ends.append((packet[given], chip[given], cores[given]))
        row, out = np.nonzero(route[:, None] >> np.arange(len(LINKS)) & 1)
        there = machine.neighbour[chip[row], out]
        _must(bool(np.all(there >= 0)), "a packet takes a link that is dead or missing")
        packet, chip, link = packet[row], there, out.astype(np.int8)
        hops += len(packet)
    packet, chip, cores = (np.concatenate(part) for part in zip(*ends, strict=True)) if ends else (
        np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))
    return Reached(source=source[packet], key=key[packet], chip=chip, cores=cores, hops=hops)


def check(machine: Machine, demand: Demand, keys: Keys, made: Tables) -> int:
    """Links that one packet of every key crosses, all together.

    Raises RuntimeError where keys of slices overlap, or a packet does not reach exactly the cores
    of its slice's targets, or as `walk` does.
    """
    order = np.argsort(keys.key)
    first = keys.key[order].astype(np.int64)
    last = first + (~keys.mask[order]).astype(np.int64)
    _must(bool(np.all(first[1:] > last[:-1])), "two slices share keys")
    _must(not np.any(keys.key & ~keys.mask), "a key has bits outside of its mask")
    _must(bool(np.all(demand.neurons <= (~keys.mask).astype(np.int64) + 1)), "keys are missing")
    _must(bool(np.all(made.entries() <= machine.entries)), "a table is too long")
    reached = walk(machine, demand, keys, made)
    n = len(machine)
    found = np.stack([reached.key * n + reached.chip, reached.cores])
    source = np.repeat(np.arange(len(demand)), np.diff(demand.start))
    copies = demand.neurons[source]
    each = np.arange(int(copies.sum())) - np.repeat(np.cumsum(copies) - copies, copies)
    wanted_key = np.repeat(keys.key[source].astype(np.int64), copies) + each
    wanted = np.stack([wanted_key * n + np.repeat(demand.target, copies),
                       np.repeat(demand.cores, copies)])
    found, wanted = found[:, np.argsort(found[0])], wanted[:, np.argsort(wanted[0])]
    _must(np.array_equal(found, wanted), "a packet does not reach its targets")
    return reached.hops


def _routes(made: Tables, key: Array, chip: Array, link: Array) -> Array:
    """Route of each packet: of the first match, else straight on; -1 if it has no way."""
    straight = np.where(link == LOCAL, -1, np.left_shift(1, link, dtype=np.int64))
    route = straight.copy()
    order = np.argsort(chip, kind="stable")
    begin = np.searchsorted(chip[order], np.arange(len(made.start)))
    for c in np.unique(chip):
        rows = order[begin[c]:begin[c + 1]]
        open_rows = np.ones(len(rows), bool)
        for entry in range(made.start[c], made.start[c + 1]):
            hit = open_rows & ((key[rows] & int(made.mask[entry])) == int(made.key[entry]))
            route[rows[hit]] = made.route[entry]
            open_rows &= ~hit
    return route


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise RuntimeError(what)

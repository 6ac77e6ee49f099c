"""The master population table and the synaptic matrix of a core, as its program reads them.

A packet's key finds an entry of the table (key and mask), the entry finds its addresses, and each
address a block of rows of one length, one row for each source neuron (sPyNNaker 7.4.1
master_pop_table.py, `_MasterPopEntryCType` and `_AddressListEntryCType`; population_table.h).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import scipy.sparse
from nmcompile_backends.spinnaker.rows import HEADER, matrix_of, synapse_words

from nmcompile.errors import CoreLimitError
from nmcompile.ir import Projection
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import run_of_lines

ENTRY_WORDS = 5
ADDRESS_UNIT = 16  # bytes; addresses of blocks are multiples of it (`_ADDRESS_SCALE`)
LONGEST_ROW = 256  # synapses: 8 bits hold one less (POP_TABLE_MAX_ROW_LENGTH)
LAST_ADDRESS = 2**24 - 2  # `_MAX_ADDRESS`; the one behind it marks an address without rows
MOST_ADDRESSES = 2**13 - 1  # `_MAX_ADDRESS_START`


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """The rows of one sender into one core, through one projection.

    sender  number among `Routing`'s senders
    rows    (n, 3 + longest) uint32: header, synapses, zeros
    """

    sender: int
    rows: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Sender:
    """A slice or a run of input lines: its key, and the neurons or lines behind it."""

    key: int
    mask: int
    source: str
    lines: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """The synapses (s,) of one sender onto one slice of `n` neurons, by line, then neuron.

    sender, part  numbers of the sender and the slice
    line          place among the sender's lines; neuron  place in the slice; weight  signed
    """

    sender: int
    part: int
    n: int
    line: Array
    neuron: Array
    weight: Array


def senders_of(program: Program) -> list[Sender]:
    """All senders in the order of their keys: slices, then runs of inputs."""
    network, slices, routing = program.network, program.mapping.slices, program.mapping.routing
    assert routing is not None
    parts = [(network.populations[int(p)].name,
              slices.members(network.populations[int(p)].shape, i))
             for i, p in enumerate(slices.population)]
    for port in network.inputs:
        run = run_of_lines(port.size, program.target)
        parts += [(port.name, np.flatnonzero(run == k)) for k in range(int(run.max()) + 1)]
    return [Sender(key=int(key), mask=int(mask), source=source, lines=lines)
            for key, mask, (source, lines) in zip(
                routing.keys.key, routing.keys.mask, parts, strict=True)]


def blocks_of(program: Program, senders: list[Sender]) -> list[list[Block]]:
    """For each slice, its blocks by projection and sender; none where there is no synapse."""
    found = [list[Block]() for _ in range(len(program.mapping.slices))]
    for projection in program.network.projections:
        for cut in cuts_of(program, projection, senders):
            rows = _rows(cut, len(senders[cut.sender].lines), projection.delay)
            found[cut.part].append(Block(sender=cut.sender, rows=rows))
    return found


def cuts_of(program: Program, projection: Projection, senders: list[Sender]) -> Iterator[Cut]:
    """The synapses of a projection by slice and sender; no pair without."""
    network, slices = program.network, program.mapping.slices
    population = network.population(projection.target)
    parts = np.flatnonzero(slices.population == network.populations.index(population))
    heard = [i for i, sender in enumerate(senders) if sender.source == projection.source]
    members = [slices.members(population.shape, part) for part in parts.tolist()]
    part, neuron = _inverse(members)
    sender, line = _inverse([senders[i].lines for i in heard])
    synapses = scipy.sparse.coo_array(matrix_of(projection.map))
    source = synapses.coords[0].astype(np.int64) + (projection.sources or (0, 0))[0]
    target, weight = synapses.coords[1], synapses.data
    pair = part[target] * len(heard) + sender[source]
    order = np.lexsort((neuron[target], line[source], pair))
    pair, line, neuron, weight = (
        pair[order], line[source][order], neuron[target][order], weight[order])
    starts = np.flatnonzero(np.diff(pair, prepend=-1)).tolist()
    for begin, end in pairwise([*starts, len(pair)]):
        to, by = divmod(int(pair[begin]), len(heard))
        yield Cut(sender=heard[by], part=int(parts[to]), n=len(members[to]),
                  line=line[begin:end], neuron=neuron[begin:end], weight=weight[begin:end])


def _inverse(groups: list[Array]) -> tuple[Array, Array]:
    """Of each number that is in one of `groups`: which group, and its place there."""
    listed, sizes = np.concatenate(groups), [len(group) for group in groups]
    group, place = np.zeros((2, len(listed)), np.int64)
    group[listed] = np.repeat(np.arange(len(groups)), sizes)
    place[listed] = np.concatenate([np.arange(size) for size in sizes])
    return group, place


def table_and_matrix(
    blocks: list[Block], senders: list[Sender], spare_bits: int, where: str,
) -> tuple[Array, Array]:
    """The words of the PopTable and SynBlocks regions of one core.

    spare_bits  low bits of a key that are no neuron's (colour)

    Raises NmcError where the table has no bits for an address.
    """
    if len(blocks) > MOST_ADDRESSES:
        raise CoreLimitError(where, f"{len(blocks)} blocks of synapses, a population table lists "
                             f"{MOST_ADDRESSES}", "Use more cores.")
    words, addresses, at = [], [], 0
    for block in blocks:
        addresses.append(at // ADDRESS_UNIT)
        size = -(-block.rows.nbytes // ADDRESS_UNIT) * ADDRESS_UNIT
        words.append(np.pad(block.rows.reshape(-1), (0, (size - block.rows.nbytes) // 4)))
        at += size
    if addresses and addresses[-1] > LAST_ADDRESS:
        raise CoreLimitError(where, f"{at:,} bytes of synapses, a population table reaches "
                             f"{LAST_ADDRESS * ADDRESS_UNIT:,}", "Use more cores.")
    entries, listed = list(_entries(blocks, senders, spare_bits)), []
    by_key = sorted(range(len(blocks)), key=lambda i: senders[blocks[i].sender].key)
    for i in by_key:
        listed.append(addresses[i] << 8 | blocks[i].rows.shape[1] - HEADER - 1)
    table = np.array([len(entries), len(listed), *(w for e in entries for w in e), *listed],
                     np.int64).astype(np.uint32)
    matrix = np.concatenate([np.zeros(0, np.uint32), *words])
    return table, matrix


def _entries(
    blocks: list[Block], senders: list[Sender], spare_bits: int,
) -> Iterator[tuple[int, int, int, int, int]]:
    """The five words of each entry, by key."""
    numbers, start = sorted((b.sender for b in blocks), key=lambda n: senders[n].key), 0
    for number, group in groupby(numbers):
        sender, count = senders[number], len(list(group))
        n = len(sender.lines)
        shift = (~sender.mask & 0xFFFFFFFF).bit_count()
        yield (sender.key, sender.mask, start | spare_bits << 13 | count << 16,
               shift << 16, n | -(-n // 32) << 16)
        start += count


def _rows(cut: Cut, n_lines: int, delay: int) -> Array:
    """(n_lines, 3 + longest) the rows of a sender's lines."""
    counts = np.bincount(cut.line, minlength=n_lines)
    rows = np.zeros((n_lines, HEADER + int(counts.max())), np.uint32)
    rows[:, 1] = counts
    place = np.arange(len(cut.line)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows[cut.line, HEADER + place] = synapse_words(cut.weight, cut.neuron, cut.n, delay)
    return rows

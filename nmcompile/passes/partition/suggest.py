"""What would make a network fit that does not: each way is tried, not guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nmcompile.backend import Backend
from nmcompile.ir import Network, Population
from nmcompile.ir.maps import Conv
from nmcompile.mapping.capacity import CapacityError
from nmcompile.passes.partition.partition import partition
from nmcompile.passes.partition.shares import most_shares, share
from nmcompile.passes.partition.sizes import overfull
from nmcompile.target import Target

NARROWER = (4, 2)
MOST_CHIPS = 4096
MOST_PARTS = 64
ANY = 1 << 30


def suggestions(
    network: Network, target: Target, backend: Backend, cores: int, found: CapacityError
) -> Iterator[str]:
    """Changes that would make `network` fit, the least first, as sentences without a full stop.

    cores  that may be used
    found  what it lacks
    """
    for bits in NARROWER:
        narrow = _narrowed(network, bits)
        if narrow and (need := _cores(narrow, target, backend, cores)):
            yield f"With --bits {bits} it takes {need:,} of {cores:,} cores"
            break
    if found.limit == "cores":
        chips = _chips(network, target, backend, target.n_cores - cores)
        if chips:
            yield f"With --chips {chips:,} it fits"
    elif found.layer:
        population = network.population(found.layer)
        parts = _parts(network, population, target, backend)
        if parts:
            yield (f"Split the inputs of {population.name} over {parts} layers whose outputs it "
                   "adds up")
        yield from _strided(network, population, target, backend)


def _cores(network: Network, target: Target, backend: Backend, cores: int) -> int:
    """How many of `cores` a partition takes; 0 where there is none."""
    try:
        return len(partition(network, target, backend, cores))
    except CapacityError:
        return 0


def _narrowed(network: Network, bits: int) -> Network | None:
    """The network with weights of at most `bits`, None where none is wider."""
    formats = [p.format for p in network.projections]
    if all(f is None or f.bits <= bits for f in formats):
        return None
    return replace(network, projections=tuple(
        replace(p, format=p.format and replace(p.format, bits=min(p.format.bits, bits)))
        for p in network.projections))


def _chips(network: Network, target: Target, backend: Backend, taken: int) -> int:
    """The fewest chips whose cores are enough; 0 where a chip alone stands for the machine."""
    need = _cores(network, target, backend, ANY)
    chips = -(-(need + taken) // target.cores_per_chip)
    return chips if need and target.board.chips.value < chips <= MOST_CHIPS else 0


def _parts(network: Network, population: Population, target: Target, backend: Backend) -> int:
    """Into how many parts the inputs of `population` must be split so that one of them fits."""
    for parts in range(2, MOST_PARTS + 1):
        incoming = tuple(share(p, parts - 1, parts) if most_shares(p) >= parts else p
                         for p in network.incoming(population.name))
        part = replace(network, projections=(
            *(p for p in network.projections if p.target != population.name), *incoming))
        if not overfull(part, population, target, backend):
            return parts
    return 0


def _strided(
    network: Network, population: Population, target: Target, backend: Backend
) -> Iterator[str]:
    """A stride of 2, where a convolution fits with it."""
    incoming = network.incoming(population.name)
    if len(incoming) != 1 or not isinstance(incoming[0].map, Conv):
        return
    along_y, along_x = incoming[0].map.stride
    conv = replace(incoming[0].map, stride=(2 * along_y, 2 * along_x))
    smaller = replace(population, shape=conv.out_shape)
    changed = replace(
        network, populations=tuple(smaller if p is population else p for p in network.populations),
        projections=(replace(incoming[0], map=conv),))
    if min(conv.out_shape) > 0 and not overfull(changed, smaller, target, backend):
        yield f"With a stride of {conv.stride[0]} {population.name} fits"

"""What would make a network fit that does not: each way is tried, not guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from nmcompile.backend import Backend
from nmcompile.errors import NmcError
from nmcompile.ir import Network, Population
from nmcompile.ir.maps import Conv
from nmcompile.mapping.capacity import CapacityError
from nmcompile.passes.partition.shares import fewest, fullest, most_shares
from nmcompile.passes.partition.sizes import overfull
from nmcompile.passes.partition.splitters import may_split, spare_steps
from nmcompile.target import Target, fitting_chips

NARROWER = (4, 2)
MOST_CHIPS = 4096
MOST_PARTS = 64
MOST_STEPS = 3
Need = Callable[[Network], int]


def suggestions(
    network: Network, target: Target, backend: Backend, need: Need, cores: int,
    found: CapacityError,
) -> Iterator[str]:
    """Changes that would make `network` fit, the least first, as sentences without a full stop.

    need   the cores that a network takes, the fewest where that is more than may be used
    cores  that may be used
    found  what it lacks
    """
    for bits in NARROWER:
        narrow = _narrowed(network, bits)
        if narrow and 0 < (taken := _cores(need, narrow)) <= cores:
            yield f"With --bits {bits} it takes {taken:,} of {cores:,} cores"
            break
    if found.limit == "cores":
        taken = _cores(need, network) + target.n_cores - cores
        chips = fitting_chips(target, -(-taken // target.cores_per_chip))
        if target.board.chips.value < chips <= MOST_CHIPS:
            yield f"With --chips {chips:,} it fits"
    elif found.limit == "output_axons":
        population = network.population(found.layer)
        if may_split(population, target):
            yield from _slower_loop(network, population, need)
    elif found.layer:
        population = network.population(found.layer)
        parts = _parts(network, population, target, backend)
        if parts:
            yield (f"Split the inputs of {population.name} over {parts} layers whose outputs it "
                   "adds up")
        yield from _strided(network, population, target, backend)


def _slower_loop(network: Network, population: Population, need: Need) -> Iterator[str]:
    """Steps more in the loops of `population`, where splitters may then stand in them."""
    tight = [p for p, spare in zip(network.projections, spare_steps(network), strict=True)
             if p.source == population.name and not spare]
    for steps in range(1, MOST_STEPS + 1 if tight else 1):
        slower = replace(network, projections=tuple(
            replace(p, delay=p.delay + steps * (p in tight)) for p in network.projections))
        if _cores(need, slower):
            yield (f"With a delay of {1 + steps} steps in {', '.join(p.name for p in tight)} "
                   "splitters may stand there")
            return


def _cores(need: Need, network: Network) -> int:
    """How many cores a network takes; 0 where it cannot be mapped however many there are."""
    try:
        return need(network)
    except NmcError:
        return 0


def _narrowed(network: Network, bits: int) -> Network | None:
    """The network with weights of at most `bits`, None where none is wider."""
    formats = [p.format for p in network.projections]
    if all(f is None or f.bits <= bits for f in formats):
        return None
    return replace(network, projections=tuple(
        replace(p, format=p.format and replace(p.format, bits=min(p.format.bits, bits)))
        for p in network.projections))


def _parts(network: Network, population: Population, target: Target, backend: Backend) -> int:
    """Into how many parts the inputs of `population` must be split so that one of them fits."""
    def fits(parts: int) -> bool:
        incoming = tuple(fullest(p, min(parts, most_shares(p)))
                         for p in network.incoming(population.name))
        part = replace(network, projections=(
            *(p for p in network.projections if p.target != population.name), *incoming))
        return not overfull(part, population, target, backend)

    return fewest(2, MOST_PARTS, fits)


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

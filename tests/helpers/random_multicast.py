"""Random machines with faults, random slices on them, and a router in plain Python."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from nmcompile.passes.route import multicast


@st.composite
def machines(draw):
    """Grids of up to 5 x 5 chips with some dead chips, links and cores, or the 48-chip board."""
    def some(*parts):
        return tuple(draw(st.lists(st.tuples(*parts), max_size=6)))

    on_board = draw(st.booleans())
    width, height = (8, 8) if on_board else (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    x, y = st.integers(0, width - 1), st.integers(0, height - 1)
    faults = multicast.Faults(chips=some(x, y)[:width * height - 1],
                              links=some(x, y, st.integers(0, 5)),
                              cores=some(x, y, st.integers(1, 17)))
    if on_board:
        return multicast.spin5(faults)
    return multicast.grid(width, height, faults=faults, wrap=draw(st.booleans()),
                          links=draw(st.sampled_from(["triangular", "mesh"])))


@st.composite
def demands(draw, machine):
    """Slices on living cores, each of which sends to some of them or to none."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cores = np.argwhere(machine.cores[:, None] >> np.arange(18) & 1)
    n = min(draw(st.integers(1, 40)), len(cores))
    chosen = cores[np.sort(random.choice(len(cores), n, replace=False))]
    neurons = random.integers(1, draw(st.sampled_from([2, 40])), n)
    block = draw(st.integers(1, 8))  # slices that send to the same ones, as populations do
    meets = random.random((-(-n // block),) * 2) < draw(st.sampled_from([0.1, 0.4, 1.0]))
    source, target = np.nonzero(np.kron(meets, np.ones((block, block)))[:n, :n])
    return multicast.demand(chosen[:, 0], chosen[:, 1], neurons, source, target)


def reachable(machine, start):
    """Chips that living links lead to."""
    found, todo = {start}, [start]
    while todo:
        for there in machine.neighbour[todo.pop()].tolist():
            if there >= 0 and there not in found:
                found.add(there)
                todo.append(there)
    return found


def delivered(machine, made, chip, key):
    """(chip, core) pairs that one packet reaches, by the rules of the router, one at a time."""
    got, todo, steps = set(), [(chip, None)], 0
    while todo:
        chip, link = todo.pop()
        steps += 1
        assert steps < 10000
        route = 1 << link if link is not None else 0
        for entry in range(made.start[chip], made.start[chip + 1]):
            if key & int(made.mask[entry]) == int(made.key[entry]):
                route = int(made.route[entry])
                break
        got |= {(chip, core) for core in range(18) if route >> (6 + core) & 1}
        todo += [(int(machine.neighbour[chip, out]), out) for out in range(6) if route >> out & 1]
    return got


def wanted(demand, source):
    """(chip, core) pairs that a source slice sends to."""
    return {(int(demand.target[k]), core)
            for k in range(demand.start[source], demand.start[source + 1])
            for core in range(18) if int(demand.cores[k]) >> core & 1}

"""Synaptic currents that are written out: sums of all that arrived, each step's decayed since.

    syn = a * syn + x        mem = decay * mem + syn

The recorder sees what this adds up to, x[t] + a x[t-1] + a a x[t-2] + ..., which is what an
integrator of x holds; without the factor a it is one that keeps all.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from nmcompile.frontends.adapters.interface import Described
from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.membranes import spread_of
from nmcompile.frontends.tracing.values import Expr, Link, Term
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons import LI
from nmcompile.ir.neurons.base import Array

SHORTEST = 4  # steps; fewer terms may be taps of a filter that ends
Links = tuple[Link, ...]


@dataclass(frozen=True, eq=False)
class Chain:
    """Terms of one source in all steps up to the last, each once more through `decay`.

    decay  None where they are all the same
    late   steps between the latest of them and the step that takes it
    """

    head: Term
    decay: Link | None
    place: int
    late: int

    @property
    def base(self) -> Links:
        """The links ahead of the decay."""
        return self.head.links[: self.place]

    @property
    def tail(self) -> Links:
        """The links behind the decay."""
        return self.head.links[self.place :]

    def terms(self, step: int) -> list[Term]:
        """What of it arrives in `step`."""
        decay = () if self.decay is None else (self.decay,)
        return [Term(self.head.source, self.head.variable, step - self.late - k,
                     (*self.base, *decay * k, *self.tail))
                for k in range(step - self.late + 1)]


def with_currents(calls: dict[str, Calls], silent: dict[str, int]) -> dict[str, int]:
    """Put an integrator in place of each such sum in the currents of `calls`, and among them.

    silent   source -> the steps ahead of its first, where it gives nothing
    returns  the same of the integrators
    """
    made: dict[str, int] = {}
    for node in tuple(calls.values()):
        groups: dict[tuple[Link | None, Links], list[Chain]] = {}
        for chain in _chains(node.currents) if len(node.currents) >= SHORTEST else ():
            groups.setdefault((chain.decay, chain.tail), []).append(chain)
        for chains in groups.values():
            found = _integrator(node, chains, silent, calls)
            if found is not None:
                made[found] = silent.get(chains[0].head.source, 0)
    return made


def _chains(currents: list[Expr]) -> list[Chain]:
    """The longest chains of the last step, no term in two of them."""
    step, left = len(currents) - 1, set(currents[-1].terms)
    found: list[Chain] = []
    for head in sorted(currents[-1].terms, key=lambda term: len(term.links)):
        chain = _chain(head, currents[-1].terms, step) if head in left else None
        if chain is not None and left.issuperset(chain.terms(step)):
            left.difference_update(chain.terms(step))
            found.append(chain)
    return found


def _chain(head: Term, terms: tuple[Term, ...], step: int) -> Chain | None:
    """The chain that `head` begins, if one of `terms` is the same a step earlier and decayed."""
    if head.step is None or head.step < SHORTEST - 1:
        return None
    for term in terms:
        if (term.source, term.variable, term.step) != (head.source, head.variable, head.step - 1):
            continue
        if term.links == head.links:
            return Chain(head, None, len(head.links), step - head.step)
        for place, link in enumerate(term.links):
            if _decays(link) and head.links == (*term.links[:place], *term.links[place + 1 :]):
                return Chain(head, link, place, step - head.step)
    return None


def _decays(link: Link) -> bool:
    return isinstance(link.map, Scale) and bool(
        np.all((link.map.factor > 0) & (link.map.factor <= 1)))


def _integrator(
    node: Calls, chains: list[Chain], silent: dict[str, int], calls: dict[str, Calls]
) -> str | None:
    """The path of an integrator that now stands for `chains` in `node`, None where none can."""
    pauses = {silent.get(chain.head.source, 0) for chain in chains}
    rests = _without(node.currents, chains)
    if len(pauses) != 1 or rests is None:
        return None
    (pause,), decay, tail = pauses, chains[0].decay, chains[0].tail
    kept = _factor(decay, chains[0].base, node)
    split = _constants([expr.bias for expr in rests], kept, tail, pause)
    if split is None:
        return None
    own, others = split
    path, late = _free(f"{node.path}.current", calls), min(chain.late for chain in chains)
    integrator = Calls(path, Described(neuron=LI(decay=np.asarray(kept.factor, np.float32))),
                       kept.in_shape)
    for step in range(len(node.currents) + silent.get(node.path, 0) - pause):
        arriving = ((chain, step + late - chain.late) for chain in chains)
        integrator.currents.append(Expr(tuple(
            Term(chain.head.source, chain.head.variable, then, chain.base)
            for chain, then in arriving if then >= 0), own))
    calls[path] = integrator
    for step, rest in enumerate(rests):
        taken = (Term(path, "v", step - late, tail),) if step >= late else ()
        node.currents[step] = Expr((*rest.terms, *taken), others[step])
    return path


def _factor(decay: Link | None, base: Links, node: Calls) -> Scale:
    """What an integrator keeps of its membrane in a step."""
    if decay is None:
        shape = base[-1].map.out_shape if base else node.shape
        return Scale(factor=np.ones((), np.float32), in_shape=shape)
    assert isinstance(decay.map, Scale)
    return decay.map


def _without(currents: list[Expr], chains: list[Chain]) -> list[Expr] | None:
    """`currents` without the chains; None where they are not whole in every step."""
    rests = []
    for step, expr in enumerate(currents):
        gone, left = Counter(t for chain in chains for t in chain.terms(step)), []
        for term in expr.terms:
            if gone[term]:
                gone[term] -= 1
            else:
                left.append(term)
        if any(gone.values()):
            return None
        rests.append(Expr(tuple(left), expr.bias))
    return rests


def _constants(
    biases: list[Array], decay: Scale, tail: Links, pause: int
) -> tuple[Array, list[Array]] | None:
    """The constant that the integrator gets, and what of `biases` does not come from it.

    From zero it gives c, c + a c, ...; step 0 may have the start of the membrane in it.
    """
    size = max(np.size(bias) for bias in biases)
    seen = np.array([np.broadcast_to(bias, (size,)) for bias in biases], np.float64)
    if np.allclose(seen[1:], seen[-1:], rtol=1e-5, atol=1e-7):
        return np.zeros(()), list(biases)
    if not all(isinstance(link.map, Scale) for link in tail):
        return None
    factor = np.broadcast_to(np.asarray(spread_of(decay), np.float64), (size,))
    gain = np.prod([np.broadcast_to(spread_of(link.map), (size,)) for link in tail  # type: ignore[arg-type]
                    ] or [np.ones(size)], axis=0)
    own = (seen[2] - seen[1]) / factor ** (2 + pause) / gain
    held, state = [], np.zeros(size)
    for _ in range(len(biases) + pause):
        state = factor * state + own
        held.append(state * gain)
    others = seen - np.array(held[pause:])
    if not np.allclose(others[1:], others[1], rtol=1e-5, atol=1e-5):
        return None
    others[np.abs(others) < 1e-6 * np.abs(seen).max()] = 0  # what the rounding left
    others[1:] = others[1]
    return own, list(others)


def _free(name: str, taken: dict[str, Calls]) -> str:
    while name in taken:
        name += "_"
    return name

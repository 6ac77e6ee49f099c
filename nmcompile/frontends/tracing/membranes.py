"""Membranes of neurons that are written out in a model's own code, seen where they are compared.

    mem = decay * mem + x        spike = (scale * mem + shift > c)       mem = mem * (1 - spike)

A comparison makes a population, whose membrane v is what is compared or, where all of it was
scaled last (as by a batch normalisation of the membrane), what was there before. Code that
multiplies the membrane by one less its spikes, or adds spikes to it, continues from v: the next
comparison that holds v of the step before is the next step of the same neurons.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
import torch

from nmcompile.frontends.adapters.interface import Described
from nmcompile.frontends.tracing.binary import levels
from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.elementwise import constant_expr, scaled
from nmcompile.frontends.tracing.recorder import Call, Recorder, source_line, user_frames
from nmcompile.frontends.tracing.values import Expr, NotTraceableError, Term, Value
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons import LIF, Reset
from nmcompile.ir.neurons.base import Array

UNKNOWN = LIF(decay=np.zeros((), np.float32), threshold=np.zeros((), np.float32),
              reset=Reset.NONE)
DEPTH = 3  # factors between a membrane and its comparison
RESET = "v after its reset"
ARRIVED = "what arrived less what the reset took"
Terms = tuple[Term, ...]
Place = tuple[Hashable, ...]  # where the user's code is


@dataclass(eq=False)
class Comparisons:
    """All comparisons at one place of the code, in their order.

    silent  those of constants: the number of each -> what was compared, and the result
    """

    count: int = 0
    silent: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)


@dataclass(eq=False)
class Site:
    """A population that a comparison made.

    level, at_level  what its membrane is compared with, and whether it fires there
    at               the line of the comparison
    place, numbers   its comparisons are those of these numbers there
    compared         what was compared in each step
    arrived          step -> what that step's spikes keep from the membrane of the next one
    scale, shift     scale * v + shift was compared; None until the code tells what v is
    """

    node: Calls
    level: Array
    at_level: bool
    at: str
    place: Comparisons
    numbers: list[int] = field(default_factory=list)
    arrived: dict[int, Expr] = field(default_factory=dict)
    compared: list[Expr] = field(default_factory=list)
    scale: Array | None = None
    shift: Array | None = None

    def silence(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The comparisons of constants ahead of the first one: membranes, and whether they fired.

        Code that compares before it adds its input has one in step 0, or more.
        """
        first, apart = self.numbers[0], np.unique(np.diff(self.numbers))
        if not first or len(apart) != 1:
            return []
        earlier = range(first % apart[0], first, apart[0])
        if any(number not in self.place.silent for number in earlier):
            return []
        return [self.place.silent[number] for number in earlier]


@dataclass(frozen=True, eq=False)
class Seen:
    """Terms that are a membrane, up to a constant: `scale` times them was compared.

    before  constants of what had these very terms and became what was compared; none where no
            tensor is known that had
    """

    site: Site
    step: int
    scale: Array
    bias: Array
    before: tuple[Array, ...]

    def fits(self, bias: Array) -> bool:
        """True where terms with the constant `bias` are the membrane and no other sum of them."""
        return not self.before or any(np.allclose(bias, b, rtol=1e-6) for b in self.before)


class Sites:
    """The comparisons of one run, and the membranes that they saw.

    scaled   true where a membrane may be what was scaled ahead of its comparison; false where
             that is another state of the neuron, as a synaptic current is in step 0
    made_of  what became of a sum or product with a constant -> what that took
    """

    def __init__(self, scaled: bool = True) -> None:
        self.scaled = scaled
        self.made_of: dict[Expr, Expr] = {}
        self.by_name: dict[str, Site] = {}
        self.seen: dict[Terms, Seen] = {}
        self.places: dict[Place, Comparisons] = {}

    def silent(self, call: Call) -> None:
        """Note a comparison of what depends on no input."""
        if call.out.dim() > 1 and isinstance(call.args[0], torch.Tensor):
            place = self._place(call)
            place.silent[place.count] = (call.args[0].clone(), call.out)
            place.count += 1

    def _place(self, call: Call) -> Comparisons:
        lines = ((f.f_code.co_filename, f.f_lineno) for f in user_frames())
        key = (call.recorder.module(), call.name, tuple(call.out.shape), *lines)
        return self.places.setdefault(key, Comparisons())

    def membrane(self, value: Value) -> tuple[Seen, Array] | None:
        """The membrane that `value` is a multiple of, and the factor."""
        if not self.seen or len(value.exprs) != 1:
            return None
        for terms, factor in without_factors(value.exprs[0].terms):
            seen = self.seen.get(terms)
            if seen and seen.fits(value.exprs[0].bias / factor):
                return seen, factor
        return None

    def derived(self, value: Value, result: object) -> None:
        """Note that `result` is `value` with a constant added or times one."""
        if isinstance(result, Value) and len(result.exprs) == len(value.exprs) == 1:
            if result.exprs[0] is not value.exprs[0]:
                self.made_of[result.exprs[0]] = value.exprs[0]

    def _ancestry(self, expr: Expr) -> list[Expr]:
        """`expr` and what it was made of by constants."""
        found = [expr]
        while found[-1] in self.made_of:
            found.append(self.made_of[found[-1]])
        return found

    def resolved(self, call: Call, value: Value, other: Value | None) -> Value:
        """`value` in terms of v, if it is the membrane of neurons and is carried to the next step.

        So it is where it is multiplied (`other` None), where it meets nothing but what its own
        neurons gave in that step, and where it meets something of a later one.
        """
        found = self.membrane(value)
        if found is None:
            return value
        seen, factor = found
        if other is not None and not _is_own(other, seen) and not any(
                t.step is not None and t.step > seen.step for e in other.exprs for t in e.terms):
            return value
        return self._state(call, value, seen, factor)

    def _state(self, call: Call, value: Value, seen: Seen, factor: Array) -> Value:
        """The site's v in place of `value`, which is `factor` times its membrane."""
        site, bias = seen.site, value.exprs[0].bias / factor
        shift = seen.bias - seen.scale * bias
        if site.scale is None or site.shift is None:
            site.scale, site.shift = seen.scale, shift
        elif not (np.allclose(site.scale, seen.scale) and np.allclose(site.shift, shift)):
            raise NotTraceableError("a membrane that is compared in one way in one step and in "
                                    "another in the next")
        term = Term(site.node.path, "v", seen.step)
        return scaled(call, Value(value.dims, (Expr((term,), np.zeros(())),)), factor)

    def product(self, call: Call, a: Value, b: Value) -> Value | None:
        """A membrane times its own spikes, or times one less them: after a reset to zero."""
        for value, gate in ((a, b), (b, a)):
            two, carried = levels(call, gate), self.resolved(call, value, None)
            if two is None or value.dims != gate.dims:
                continue
            after = self._after_reset(carried, gate)
            if after is None and np.all(two[0] == 1) and np.all(two[1] == 0):
                after = self._all_after_reset(carried, gate)
            if after is None:
                continue
            if np.all(two[0] == 1) and np.all(two[1] == 0):
                return after
            if np.all(two[0] == 0) and np.all(two[1] == 1):
                less = scaled(call, after, -1.0).exprs[0]
                return Value(value.dims, (carried.exprs[0].plus(less),))
        return None

    def choice(
        self, call: Call, gate: Value, fired: torch.Tensor, quiet: Value
    ) -> Value | None:
        """The membrane `quiet` where its neuron is quiet, and the constant `fired` elsewhere."""
        after = self._after_reset(self.resolved(call, quiet, None), gate)
        if after is None:
            return None
        level = constant_expr(fired.expand(call.out.shape), quiet.dims).bias
        spikes = Value(quiet.dims, (Expr((Term(
            gate.exprs[0].terms[0].source, "spikes", gate.exprs[0].terms[0].step),),
            np.zeros(())),))
        if not np.any(level):
            return after
        return Value(quiet.dims, (after.exprs[0].plus(scaled(call, spikes, level).exprs[0]),))

    def _after_reset(self, carried: Value, gate: Value) -> Value | None:
        """The state after a reset by `gate`, where `carried` is the membrane that it belongs to."""
        own = (gate.exprs[0].terms[0].source, "v", gate.exprs[0].terms[0].step)
        expr = carried.exprs[0]
        if any((t.source, t.variable, t.step) != own for t in expr.terms) or np.any(expr.bias):
            return None
        terms = tuple(replace(t, variable=RESET) for t in expr.terms)
        return Value(carried.dims, (Expr(terms, np.zeros(())),))

    def _all_after_reset(self, carried: Value, gate: Value) -> Value | None:
        """The state and what has arrived with it, both after a reset by `gate`."""
        path, step = gate.exprs[0].terms[0].source, gate.exprs[0].terms[0].step
        site, expr = self.by_name.get(path), carried.exprs[0]
        own = tuple(t for t in expr.terms if (t.source, t.variable, t.step) == (path, "v", step))
        if site is None or not own or step is None:
            return None
        rest = tuple(t for t in expr.terms if t not in own)
        site.arrived[step] = Expr(rest, expr.bias)
        terms = (*(replace(t, variable=RESET) for t in own), Term(path, ARRIVED, step))
        return Value(carried.dims, (Expr(terms, np.zeros(())),))

    def compare(
        self, call: Call, value: Value, level: Array, at_level: bool, tensor: torch.Tensor
    ) -> Value:
        """The spikes of neurons whose membrane `value`, of `tensor`, is."""
        if len(value.exprs) != 1 or not value.exprs[0].terms:
            raise NotTraceableError("a comparison of several steps at once")
        expr = value.exprs[0]
        place = self._place(call)
        site = self._site(call.recorder, value) or self._new_site(
            call.recorder, value, (level, at_level, place))
        site.numbers.append(place.count)
        place.count += 1
        if not np.array_equal(site.level, level) or site.at_level != at_level:
            raise NotTraceableError("a threshold that differs between steps")
        step = len(site.compared)
        site.compared.append(expr)
        site.node.currents.append(expr)
        site.node.record("spikes", call.out.to(torch.float32), value.dims)
        site.node.record("v", tensor, value.dims)
        ancestry = self._ancestry(expr)
        for terms, factor in without_factors(expr.terms)[: None if self.scaled else 1]:
            before = tuple(e.bias for e in ancestry if e.terms == terms)
            self.seen[terms] = Seen(site, step, factor, expr.bias, before)
        return Value(value.dims, (Expr((Term(site.node.path, "spikes", step),), np.zeros(())),))

    def _site(self, recorder: Recorder, value: Value) -> Site | None:
        """The population whose next step compares `value`."""
        expr = value.exprs[0]
        for term in expr.terms:
            site = self.by_name.get(term.source)
            if site and term.variable != "spikes" and term.step == len(site.compared) - 1:
                return site
        for path in _names(recorder):
            site = self.by_name.get(path)
            if site is None and path not in recorder.neurons:
                return None
            again = site and value.is_static() and site.compared[0].terms == expr.terms
            if site and site.scale is None and (
                    again or len(site.compared) == expr.last_step()):
                return site
        raise AssertionError

    def _new_site(
        self, recorder: Recorder, value: Value, seen: tuple[Array, bool, Comparisons]
    ) -> Site:
        level, at_level, place = seen
        path = next(n for n in _names(recorder) if n not in recorder.neurons)
        node = Calls(path, Described(neuron=UNKNOWN), value.features or (1,))
        recorder.neurons[path] = node
        self.by_name[path] = Site(node, level, at_level, source_line(), place)
        return self.by_name[path]


def _names(recorder: Recorder) -> Iterator[str]:
    """The module's path, and that with the numbers from 2 on."""
    name = recorder.module() or "neuron"
    return (name if number == 1 else f"{name}_{number}" for number in count(1))


def _is_own(value: Value, seen: Seen) -> bool:
    """True where each element depends on what the same neuron gave in that step alone."""
    own = (seen.site.node.path, seen.step)
    return all((t.source, t.step) == own and all(isinstance(x.map, Scale) for x in t.links)
               for e in value.exprs for t in e.terms)


def without_factors(terms: Terms) -> list[tuple[Terms, Array]]:
    """The `terms` less none, one, ... of the last factors that all share, and what was left off."""
    found = [(terms, np.ones(()))]
    for _ in range(DEPTH):
        terms, factor = found[-1]
        last = {id(t.links[-1]) if t.links else None for t in terms}
        if len(last) != 1 or None in last or not isinstance(terms[0].links[-1].map, Scale):
            break
        spread = spread_of(terms[0].links[-1].map)
        if np.any(spread <= 0):
            break
        shorter = tuple(Term(t.source, t.variable, t.step, t.links[:-1]) for t in terms)
        found.append((shorter, factor * spread))
    return found


def spread_of(linear: Scale) -> Array:
    """A scalar, or one factor for each element."""
    if linear.factor.ndim == 0:
        return linear.factor
    return np.broadcast_to(linear.factor, linear.in_shape).reshape(-1)

"""The operations around which written-out neurons are found: comparisons, resets and sums."""

from __future__ import annotations

import numpy as np
import torch

from nmcompile.frontends.tracing.binary import levels
from nmcompile.frontends.tracing.elementwise import constant_expr, scaled
from nmcompile.frontends.tracing.generic import fallback
from nmcompile.frontends.tracing.membranes import Sites
from nmcompile.frontends.tracing.recorder import Call, Handlers, Result
from nmcompile.frontends.tracing.selections import grown
from nmcompile.frontends.tracing.values import (
    Expr,
    Value,
    sizes_of,
)
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons.base import Array

COMPARISONS = ("gt", "ge", "lt", "le", "heaviside")
PRODUCTS = ("mul", "mul_", "div", "div_")
SUMS = ("add", "add_", "sub", "sub_", "rsub")
CHOICES = ("where", "masked_fill", "masked_fill_")


def with_neurons(handlers: Handlers, sites: Sites) -> Handlers:
    """`handlers` with those that note membranes in `sites`."""
    watched = _Watched(handlers, sites)
    return {**handlers, **dict.fromkeys(COMPARISONS, watched.compared),
            **dict.fromkeys(PRODUCTS, watched.multiplied), **dict.fromkeys(SUMS, watched.added),
            **dict.fromkeys(CHOICES, watched.chosen)}


class _Watched:
    """Handlers that look for membranes, and hand on what has none."""

    def __init__(self, handlers: Handlers, sites: Sites) -> None:
        self.handlers, self.sites = handlers, sites

    def compared(self, call: Call) -> Result:
        """A membrane above a constant; a comparison the other way round is not followed."""
        flipped = call.value(call.args[0]) is None
        tensor, other = (call.args[1], call.args[0]) if flipped else call.args[:2]
        value = call.value(tensor)
        above = ("lt", "le") if flipped else ("gt", "ge", "heaviside")
        if value is None or call.name not in above or call.value(other) is not None:
            return self._others(call)
        if not any(expr.terms for expr in value.exprs):
            self.sites.silent(call)
            return None
        at_level = call.name in ("ge", "le")
        level = torch.as_tensor(other, dtype=torch.float32)
        if call.name == "heaviside":
            at_level, level = bool(torch.all(level > 0)), torch.zeros(())
        value = grown(call, value)
        flat = constant_expr(level.expand(call.out.shape), value.dims).bias
        membrane = tensor.expand(call.out.shape)
        return self.sites.compare(call, value, flat, at_level, membrane)

    def multiplied(self, call: Call) -> Result:
        """A membrane times spikes, or times a constant, which carries it to the next step."""
        a, b = call.value(call.args[0]), call.value(call.args[1])
        if a is not None and b is not None:
            found = None if call.name.startswith("div") else self.sites.product(call, a, b)
            return found if found is not None else self._others(call)
        for tensor, value in zip(call.args[:2], (a, b), strict=True):
            if value is not None:
                call.recorder.mark(tensor, self.sites.resolved(call, value, None))
        return self._with_constant(call)

    def added(self, call: Call) -> Result:
        """A membrane and what its neurons gave, or what arrives in the next step."""
        first, second = call.args[:2]
        a, b = call.value(first), call.value(second)
        if a is not None and b is not None:
            call.recorder.mark(first, self.sites.resolved(call, a, b))
            call.recorder.mark(second, self.sites.resolved(call, b, a))
            return self._others(call)
        return self._with_constant(call)

    def chosen(self, call: Call) -> Result:
        """Where(mask, x, y), and masked_fill(y, mask, x), of spikes and a membrane."""
        if call.name.startswith("masked_fill"):
            quiet, mask, fired = call.args[:3]
        else:
            mask, fired, quiet = call.args[:3]
        gate = call.value(mask)
        two = None if gate is None else levels(call, gate)
        if gate is None or two is None or not _is_binary(two):
            return self._others(call)
        chosen = _choice_of_spikes(call, gate, two, (fired, quiet))
        if chosen is not None:
            return chosen
        if np.all(two[0] == 1):
            fired, quiet = quiet, fired
        membrane = call.value(quiet)
        if membrane is None or call.value(fired) is not None:
            return self._others(call)
        constant = torch.as_tensor(fired, dtype=torch.float32)
        found = self.sites.choice(call, gate, constant, membrane)
        return found if found is not None else self._others(call)

    def _with_constant(self, call: Call) -> Result:
        value = call.value(call.args[0]) or call.value(call.args[1])
        result = self._others(call)
        if value is not None:
            self.sites.derived(value, result)
        return result

    def _others(self, call: Call) -> Result:
        return self.handlers.get(call.name, fallback)(call)


def _is_binary(two: tuple[Array, Array]) -> bool:
    """True for all 0 without a spike and all 1 with one, or the other way round."""
    return any(np.all(two[0] == low) and np.all(two[1] == 1 - low) for low in (0, 1))


def _choice_of_spikes(
    call: Call, gate: Value, two: tuple[Array, Array], choices: tuple[object, object]
) -> Value | None:
    """A choice between constants and functions of the very spikes that choose; None for others.

    two      the gate without a spike and with one
    choices  what is taken where the gate is 1, and where it is 0
    """
    if tuple(call.out.shape) != sizes_of(gate.dims):
        return None
    on, off = (_levels_beside(call, gate, item) for item in choices)
    if on is None or off is None:
        return None
    quiet, fired = (np.where(two[n], on[n], off[n]) for n in (0, 1))
    slope = (fired - quiet) / (two[1] - two[0])
    shift = quiet - slope * two[0]
    return scaled(call, gate, slope).each(lambda e: Expr(e.terms, e.bias + shift))


def _levels_beside(call: Call, gate: Value, item: object) -> tuple[Array, Array] | None:
    """What `item` is where the neurons of `gate` are quiet and where they fire, if that decides."""
    value = call.value(item)
    if value is None:
        constant = torch.as_tensor(item, dtype=torch.float32).expand(call.out.shape)
        level = constant_expr(constant, gate.dims).bias
        return level, level
    same = value.dims == gate.dims and all(
        (t.source, t.step) == (u.source, u.step)
        and all(isinstance(link.map, Scale) for link in (*t.links, *u.links))
        for a, b in zip(value.exprs, gate.exprs, strict=True)
        for t in a.terms for u in b.terms)
    return levels(call, value) if same else None

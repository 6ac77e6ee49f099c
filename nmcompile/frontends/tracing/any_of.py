"""Max pooling of spikes: neurons without memory that fire where a window holds a spike."""

from __future__ import annotations

import numpy as np

from nmcompile.frontends.adapters.interface import Described
from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.recorder import Call
from nmcompile.frontends.tracing.values import (
    Axis,
    Expr,
    Link,
    NotTraceableError,
    Term,
    Value,
    is_features,
)
from nmcompile.ir.neurons import LIF, Reset

ANY = LIF(decay=np.zeros((), np.float32), threshold=np.full((), 0.5, np.float32),
          reset=Reset.NONE)  # fires where the sum of binary spikes is 1 or more
POOLS = ("MaxPool1d", "MaxPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d")
ONLY_SPIKES = ("max pooling of something else than the spikes of one layer; pool behind the "
               "neurons, or use average pooling")


def any_of(
    call: Call, spikes: Value, sums: Link, features: tuple[int, ...]
) -> tuple[Expr, ...]:
    """The result of `call`, a pooling of `spikes`, as the spikes of neurons that it adds.

    sums      the sum over each window
    features  shape of the result
    """
    known = call.recorder.neurons
    source = _source(call, spikes)
    path, kind = call.recorder.modules[-1] if call.recorder.modules else ("", "")
    name = path if kind in POOLS else f"{source.path}.any"
    made = known.setdefault(name, Calls(name, Described(
        neuron=ANY, spike_value=source.described.spike_value), features))
    exprs = tuple(Expr((Term(source.path, "spikes", e.terms[0].step),), np.zeros(())).then(sums)
                  for e in spikes.exprs)
    steps = range(len(made.currents), len(made.currents) + len(exprs))
    if made.taken is not None or [e.terms[0].step for e in exprs] != list(steps):
        raise NotTraceableError("max pooling in some of the steps, or several times in one; use "
                                "a MaxPool module for each")
    made.currents.extend(exprs)
    leading = tuple(dim for dim in spikes.dims if not is_features(dim))
    values = call.out[0] if isinstance(call.out, tuple) else call.out
    made.record("spikes", values, (*leading, *((Axis("F", n),) for n in features)))
    return made.sent("spikes", steps, call.recorder.links)


def _source(call: Call, spikes: Value) -> Calls:
    """The one layer of neurons of equal, binary spikes that `spikes` are; nothing else is taken."""
    known = call.recorder.neurons
    terms = [term for expr in spikes.exprs for term in expr.terms]
    names = {(term.source, term.variable) for term in terms}
    if len(names) != 1 or any(len(e.terms) != 1 or np.any(e.bias) for e in spikes.exprs):
        raise NotTraceableError(ONLY_SPIKES)
    ((name, variable),) = names
    if name not in known or variable != "spikes":
        raise NotTraceableError(ONLY_SPIKES)
    source = known[name]
    worth = source.worth(call.recorder.links)
    if any(term.links != ((worth,) if worth else ()) for term in terms):
        raise NotTraceableError(ONLY_SPIKES)
    value = source.described.spike_value
    if getattr(source.described.neuron, "spikes_per_step", 1) > 1 or value.size > 1 or value <= 0:
        raise NotTraceableError("max pooling of spikes that differ in size")
    return source

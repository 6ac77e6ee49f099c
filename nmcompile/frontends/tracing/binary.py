"""Functions of binary spikes, each element of a tensor one neuron.

A function of one spike is affine, f(s) = f(0) + (f(1) - f(0)) s. One of two spikes is affine with a
gate, neurons without memory that fire where both, either or one without the other does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch.utils._pytree import tree_map

from nmcompile.frontends.tracing.elementwise import constant_expr, scaled
from nmcompile.frontends.tracing.gates import gate, name_of_gate, summed
from nmcompile.frontends.tracing.generic import fallback
from nmcompile.frontends.tracing.recorder import Call, Handlers, Result
from nmcompile.frontends.tracing.selections import grown, together
from nmcompile.frontends.tracing.values import (
    Dims,
    Expr,
    NotTraceableError,
    Term,
    Value,
    size_of,
    sizes_of,
)
from nmcompile.ir.maps import Scale, Sparse
from nmcompile.ir.neurons.base import Array

# Operations on single elements, of one tensor or of several.
FUNCTIONS = frozenset("""
    relu relu_ clamp clamp_ clamp_min clamp_min_ clamp_max clamp_max_ hardtanh hardtanh_ leaky_relu
    leaky_relu_ _prelu_kernel abs sign sgn sqrt rsqrt pow exp expm1 exp2 log log1p log2 log10
    reciprocal sigmoid tanh erf sin cos elu gelu silu mish softplus hardswish hardsigmoid hardshrink
    softshrink threshold gt ge lt le eq ne logical_not logical_and logical_or logical_xor
    bitwise_not bitwise_and bitwise_or bitwise_xor round floor ceil trunc frac floor_divide
    remainder fmod where masked_fill masked_fill_ maximum minimum fmax fmin heaviside nan_to_num
""".split())
SUMS = ("add", "add_", "sub", "sub_", "rsub", "mul", "mul_", "neg")  # linear but of truth values
IN_PLACE = "it changes a tensor in place; write a = f(a, b)"


@dataclass(frozen=True, eq=False)
class Bits:
    """A value whose elements are quiet + (fired - quiet) * spike, each of one neuron's spike.

    quiet, fired  scalars or flat arrays
    neuron        flat index of the neuron of each element, -1 where there is none
    """

    value: Value
    quiet: Array
    fired: Array
    neuron: Array

    @property
    def worth(self) -> Array:
        """What a spike adds."""
        return self.fired - self.quiet

    def spikes(self, call: Call) -> Value:
        """The spikes themselves, 0 or 1."""
        bare = tuple(link for link in self.value.exprs[0].terms[0].links
                     if isinstance(link.map, Sparse))
        terms = (e.terms[0] for e in self.value.exprs)
        exprs = tuple(Expr((Term(t.source, t.variable, t.step, bare),), np.zeros(()))
                      for t in terms)
        return scaled(call, Value(self.value.dims, exprs), (self.worth != 0).astype(np.float32))

    def are_those_of(self, other: Bits) -> bool:
        """True where each element is the spike of the same neuron in the same step."""
        pairs = zip(self.value.exprs, other.value.exprs, strict=True)
        return np.array_equal(self.neuron, other.neuron) and all(
            (x.terms[0].source, x.terms[0].step) == (y.terms[0].source, y.terms[0].step)
            for x, y in pairs)


def bits(call: Call, value: Value) -> Bits | None:
    """`value` as binary spikes; None where it is something else, or not the same in every step."""
    first = value.exprs[0]
    if any(len(e.terms) != 1 for e in value.exprs) or first.terms[0].variable != "spikes":
        return None
    links = first.terms[0].links
    source = call.recorder.neurons.get(first.terms[0].source)
    if source is None or source.described.neuron.graded or getattr(
            source.described.neuron, "spikes_per_step", 1) > 1:
        return None
    if any(e.terms[0].links != links or e.terms[0].source != source.path
           or not np.array_equal(e.bias, first.bias) for e in value.exprs):
        return None
    gain, neuron = np.ones(()), np.arange(prod(source.shape))
    for link in links:
        linear = link.map
        if isinstance(linear, Scale):
            gain = gain * np.broadcast_to(linear.factor, linear.in_shape).reshape(-1)
        elif isinstance(linear, Sparse) and _selects(linear):
            gain = linear.apply(np.broadcast_to(gain, (1, prod(linear.in_shape))))[0]
            neuron = _picked(linear, neuron)
        else:
            return None
    neuron = np.where(np.broadcast_to(gain, neuron.shape) != 0, neuron, -1)
    return Bits(value, first.bias, first.bias + gain, neuron)


def levels(call: Call, value: Value) -> tuple[Array, Array] | None:
    """What each element of `value` is without and with a spike, as scalars or flat arrays."""
    found = bits(call, value)
    return None if found is None else (found.quiet, found.fired)


def _selects(linear: Sparse) -> bool:
    """True where each target has at most one source."""
    return len(np.unique(linear.target)) == len(linear.target)


def _picked(linear: Sparse, neuron: Array) -> Array:
    """The neuron of each target of a map that selects."""
    result = np.full(prod(linear.out_shape), -1)
    result[linear.target] = np.repeat(neuron, np.diff(linear.start))
    return result


def function_of_spikes(
    call: Call, value: Value, function: Callable[[torch.Tensor], torch.Tensor]
) -> Value | None:
    """`function`, which works on single elements, of binary spikes; None where they are others."""
    found = bits(call, value)
    if found is None:
        return None
    quiet, fired = (function(torch.tensor(level, dtype=torch.float32)).to(torch.float64).numpy()
                    for level in (found.quiet, found.fired))
    return _affine(call, found, quiet, fired)


def of_bits(call: Call) -> Value | None:
    """What `call` gives, which works on single elements, of one or two binary spikes each.

    None where its arguments are something else, or the spikes of three neurons.
    """
    tracked = {id(tensor): (tensor, value) for tensor, value in call.tracked()}
    found = [bits(call, value) for _, value in tracked.values()]
    if not isinstance(call.out, torch.Tensor) or not 1 <= len(found) <= 3 or None in found:
        return None
    operands = _Operands(call, [tensor for tensor, _ in tracked.values()],
                         [b for b in found if b is not None])
    return operands.result()


class _Operands:
    """The tracked tensors of a call, spread to the axes of its result."""

    def __init__(self, call: Call, tensors: list[torch.Tensor], found: list[Bits]) -> None:
        self.call, self.tensors = call, tensors
        values = [b.value for b in found]
        for _ in range(2):  # the last may make the first larger
            for i in range(1, len(values)):
                values[0], values[i] = together(call, values[0], values[i])
        if tuple(call.out.shape) != sizes_of(values[0].dims):
            values = [grown(call, v) for v in values]
        self.bits = [b if v is b.value else _required(call, v)
                     for b, v in zip(found, values, strict=True)]
        self.dims = values[0].dims

    def result(self) -> Value | None:
        """An affine expression, with a gate where it is one of two spikes."""
        first, *others = self.bits
        kinds = [0] + [0 if b.are_those_of(first) else 1 for b in others]
        second = [b for b, kind in zip(self.bits, kinds, strict=True) if kind]
        if not second:
            return _affine(self.call, first, self.level(kinds, (False,)),
                           self.level(kinds, (True,)))
        if any(not b.are_those_of(second[0]) for b in second):
            return None
        table = {(i, j): self.level(kinds, (i, j)) for i in (False, True) for j in (False, True)}
        return self._of_two(first, second[0], table)

    def level(self, kinds: list[int], fired: tuple[bool, ...]) -> Array:
        """What the call gives where all spikes of each kind are there, or not; scalar or flat."""
        laid = {
            id(tensor): laid_out(b.fired if fired[kind] else b.quiet, b.value.dims).to(tensor.dtype)
            for tensor, b, kind in zip(self.tensors, self.bits, kinds, strict=True)}
        for constant in self.call.changed():  # the trial changes a copy
            laid.setdefault(id(constant), torch.as_tensor(self.call.constant(constant)).clone())
        args, kwargs = tree_map(
            lambda leaf: laid.get(id(leaf), leaf) if isinstance(leaf, torch.Tensor) else leaf,
            (self.call.args, self.call.kwargs))
        try:
            out = self.call.function(*args, **kwargs).to(torch.float64)
        except RuntimeError as error:
            raise NotTraceableError(f"it could not be tried out ({str(error)[:80]})") from error
        shape = sizes_of(self.dims)
        return constant_expr(out.expand(shape), self.dims).bias

    def _of_two(self, a: Bits, b: Bits, table: dict[tuple[bool, bool], Array]) -> Value:
        """A function of two spikes, by one gate where it differs for one pair of them only."""
        call = self.call
        none, only_a, only_b, both = (table[k] for k in ((False, False), (True, False),
                                                         (False, True), (True, True)))
        crossed = both - only_a - only_b + none
        if not np.any(crossed):
            return _sum(_affine(call, a, none, only_a), _affine(call, b, none * 0, only_b - none))
        for odd, level in table.items():
            rest = [np.broadcast_arrays(other, crossed)[0]
                    for pair, other in table.items() if pair != odd]
            if all(np.array_equal(rest[0], other) for other in rest[1:]):
                usual = rest[0]
                if odd == (False, False):
                    return _over(call, self._fires(a, b, odd), level, usual)
                return _over(call, self._fires(a, b, odd), usual, level)
        fired = scaled(call, self._fires(a, b, (True, True)), crossed)
        return _sum(_sum(_affine(call, a, none, only_a),
                         _affine(call, b, none * 0, only_b - none)), fired)

    def _fires(self, a: Bits, b: Bits, pair: tuple[bool, bool]) -> Value:
        """Neurons that fire for this pair of spikes alone; for no spikes, where there is one."""
        call = self.call
        if call.function._schema.is_mutable:
            raise NotTraceableError(IN_PLACE)
        seen = [self._seen(x) for x in (a, b)]
        x, y = a.spikes(call), b.spikes(call)
        path = name_of_gate(call, (), "or" if pair == (False, False) else "and")
        if pair == (False, False):
            return gate(call, path, summed(x, y, 0.0), seen[0] | seen[1])
        fired = [s if wanted else ~s for s, wanted in zip(seen, pair, strict=True)]
        x, y = (v if wanted else scaled(call, v, -1.0)
                for v, wanted in zip((x, y), pair, strict=True))
        both = summed(x, y, -1.0 if all(pair) else 0.0)
        return gate(call, path, both, fired[0] & fired[1])

    def _seen(self, b: Bits) -> torch.Tensor:
        """Where the spikes were in this run."""
        tensor = next(t for t, known in zip(self.tensors, self.bits, strict=True) if known is b)
        return seen(b, tensor.expand(self.call.out.shape))


def seen(found: Bits, tensor: torch.Tensor) -> torch.Tensor:
    """Where `tensor`, which `found` tells of, has a spike."""
    middle = laid_out((found.quiet + found.fired) / 2, found.value.dims)
    sign = laid_out(np.sign(found.worth), found.value.dims)
    return (tensor.to(torch.float64) - middle) * sign > 0


def laid_out(flat: Array, dims: Dims) -> torch.Tensor:
    """A scalar or flat array of the features of `dims` as a tensor, one for samples and steps."""
    parts = [(a, any(b.tag == "F" for b in dim)) for dim in dims for a in dim]
    features = [a.size if a.tag == "F" else 1 for a, _ in parts]
    shaped = np.broadcast_to(flat, (prod(features),)).reshape(features)
    full = np.broadcast_to(shaped, [a.size if kept else 1 for a, kept in parts])
    sizes = [size_of(dim) if any(a.tag == "F" for a in dim) else 1 for dim in dims]
    return torch.from_numpy(np.array(full, np.float64).reshape(sizes))


def _required(call: Call, value: Value) -> Bits:
    found = bits(call, value)
    assert found is not None
    return found


def _affine(call: Call, found: Bits, quiet: Array, fired: Array) -> Value:
    """`quiet` without and `fired` with the spike of each element."""
    if not (np.all(np.isfinite(quiet)) and np.all(np.isfinite(fired))):
        raise NotTraceableError("it is not finite for a spike or without one")
    worth = found.worth
    nothing = np.zeros_like(worth + fired + quiet)
    slope = np.divide(fired - quiet, worth, out=nothing, where=worth != 0)
    shift = quiet - slope * found.quiet
    return scaled(call, found.value, slope).each(lambda e: Expr(e.terms, e.bias + shift))


def _over(call: Call, spikes: Value, quiet: Array, fired: Array) -> Value:
    """`quiet` without and `fired` with each of `spikes`, which are 0 or 1."""
    return scaled(call, spikes, fired - quiet).each(lambda e: Expr(e.terms, e.bias + quiet))


def _sum(a: Value, b: Value) -> Value:
    return summed(a, b, 0.0)


def with_spikes(handlers: Handlers) -> Handlers:
    """`handlers` with those of single elements first tried on binary spikes."""
    def tried(name: str, wanted: Callable[[Call], bool]) -> Callable[[Call], Result]:
        def handle(call: Call) -> Result:
            found = of_bits(call) if wanted(call) else None
            return handlers.get(name, fallback)(call) if found is None else found
        return handle

    return {**handlers, **{name: tried(name, lambda call: True) for name in FUNCTIONS},
            "_to_copy": tried("_to_copy", _is_whole),
            **{name: tried(name, _is_whole) for name in SUMS},
            **{name: tried(name, lambda call: _is_whole(call) or _is_product(call))
               for name in ("mul", "mul_")},
            **{name: tried(name, lambda call: call.value(call.args[1]) is not None)
               for name in ("div", "div_")}}


def _is_whole(call: Call) -> bool:
    return isinstance(call.out, torch.Tensor) and not call.out.is_floating_point()


def _is_product(call: Call) -> bool:
    return all(call.value(factor) is not None for factor in call.args[:2])

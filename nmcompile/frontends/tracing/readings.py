"""Find how a model wants its input: which axis is time, and who runs the loop over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.errors import (
    ModelFileError,
    ModelSizeError,
    NmcError,
    TimeAxisError,
    TraceError,
)
from nmcompile.frontends.adapters import adapters
from nmcompile.frontends.adapters.interface import MERGED, STEPS_LAST
from nmcompile.frontends.tracing.explanation import Failure, explanation
from nmcompile.frontends.tracing.membrane_parameters import finish
from nmcompile.frontends.tracing.recorder import RAISED, EndlessError, Known
from nmcompile.frontends.tracing.results import (
    known_of,
    over_steps,
    result_of,
    stacked,
    tensors_of,
)
from nmcompile.frontends.tracing.session import Session
from nmcompile.frontends.tracing.values import NotTraceableError, Opaque
from nmcompile.ir.neurons.base import Array

INPUT = "input"
SAMPLES = 61  # a prime: no other axis of a model has this size by chance
PRIMES = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, SAMPLES, 67, 71, 73, 79)
MAX_ELEMENTS = 64_000_000  # of the traced input
DEFAULT_STEPS = 25
MAX_STEPS = 100_000
KINDS = {"TB": "steps in front", "BT": "samples in front", MERGED: "samples and steps as one axis",
         STEPS_LAST: "steps behind the features"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """A run that fits the model.

    kind     how the model was called, in words
    values   (samples, steps, *shape) float32, as the network takes it
    shape    of the input of one step
    steps    number of steps; `own` where the model itself decides it
    static   true where the same values are sent in every step
    outputs  what is known of each tensor that the model returned
    result   the first of these tensors, with an axis of steps in front where each was a call
    samples  how many of the traced samples are the user's (the rest repeat them)
    """

    kind: str
    session: Session
    values: Array
    shape: tuple[int, ...]
    steps: int
    own: bool
    static: bool
    outputs: tuple[Known, ...]
    result: torch.Tensor | None
    samples: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Values to trace with.

    values  any numbers; axes as `as_model` says
    as_model  true where the axes are those of the model's forward, false where they are
              (samples, [steps,] features...)
    where   what a message calls it
    drawn   true for values of our own, (samples, steps, features): a model that runs its steps by
            itself is given those of one step
    hint    what to do where no reading fits
    """

    values: Array
    as_model: bool
    where: str
    drawn: bool = False
    hint: str = ""


@dataclass(frozen=True, eq=False)
class Attempt:
    """A model and a sample that are to be read in one way, and the runs that it took so far.

    scaled  whether membranes may be scaled ahead of their comparison, as in Sites
    """

    model: nn.Module
    sample: Sample
    steps: int | None
    scaled: bool = True
    sessions: list[Session] = field(default_factory=list)

    def session(self) -> Session:
        """A fresh session of the model."""
        self.sessions.append(Session(self.model, self.scaled))
        return self.sessions[-1]

    def failure(self, error: Exception) -> Failure:
        """`error`, and how far the runs had come."""
        return Failure(error, max((s.recorder.followed for s in self.sessions), default=0))


Trial = Callable[[Attempt], Reading]


def read(model: nn.Module, sample: Sample, steps: int | None) -> Reading:
    """The one way of calling `model` on `sample` that keeps samples apart and steps in order.

    Tries: a time axis in front, a time axis after the samples, a call for each step, and values
    without a time axis. Raises NmcError with the reason where none fits.
    """
    failures: list[Failure] = []
    own = _own_loop(model, sample, steps) if sample.drawn else None
    if own is not None:
        return own
    for trials in (_artificial_trials(model), _series_trials(model, sample), (_values,)):
        found = []
        for trial in trials:
            result = _tried(trial, Attempt(model, sample, steps))
            if isinstance(result, Reading):
                found.append(result)
            else:
                failures.append(result)
        if len(found) > 1:
            raise TimeAxisError(sample.where, f"can be read in several ways: {found[0].kind} and "
                                f"{found[1].kind}", "Give a sample with another number of steps.")
        if found:
            if _has_neurons(model):
                _require_one_step(model, sample, steps, found[0])
            return found[0]
    raise explanation(model, sample.values.shape, sample.where, sample.hint, failures)


def _tried(trial: Trial, attempt: Attempt) -> Reading | Failure:
    """What `trial` gives, tried once more with other membranes where neurons were refused."""
    try:
        return _finished(trial(attempt))
    except EndlessError:
        raise
    except (NmcError, NotTraceableError, *RAISED) as error:
        failure = attempt.failure(error)
    refused = isinstance(failure.error, NmcError)
    if refused and attempt.scaled and any(session.sites.by_name for session in attempt.sessions):
        again = _tried(trial, replace(attempt, scaled=False, sessions=[]))
        return again if isinstance(again, Reading) else failure
    return failure


def _finished(reading: Reading) -> Reading:
    """`reading` with the parameters of its written-out neurons."""
    session = reading.session
    try:
        outputs = finish(session.sites, session.calls, reading.outputs)
    except NotTraceableError as reason:
        raise TraceError(
            "model", f"its own neurons cannot be followed: {reason.reason}") from reason
    return replace(reading, outputs=outputs)


def _require_one_step(
    model: nn.Module, sample: Sample, steps: int | None, found: Reading
) -> None:
    """Refuse a sample with steps for a model that runs its own steps on the values of one."""
    values = sample.values
    if not found.own or sample.as_model or values.ndim < 3 or values.shape[1] == 1:
        return
    if _own_loop(model, sample, steps) is not None:
        raise TimeAxisError(
            sample.where, f"has shape {values.shape}, and the model runs {found.steps} steps of "
            "its own on values without steps",
            f"Give x as (samples, {', '.join(map(str, values.shape[2:]))}).")


def _own_loop(model: nn.Module, sample: Sample, steps: int | None) -> Reading | None:
    """The reading of a model that repeats one value input for steps of its own, or None."""
    try:
        found = _values(Attempt(model, replace(sample, values=sample.values[:, 0]), steps))
        return _finished(found) if found.own else None
    except EndlessError:
        raise
    except (NmcError, NotTraceableError, *RAISED):
        return None


def _artificial_trials(model: nn.Module) -> tuple[Trial, ...]:
    """A call on values for a model that has no neurons of a library."""
    return () if _has_neurons(model) else (_activations,)


def _has_neurons(model: nn.Module) -> bool:
    return any(a.knows(module) for _, module in model.named_modules() for a in adapters())


def _activations(attempt: Attempt) -> Reading:
    """The one pass of a model that has activations and no neurons."""
    found = _values(attempt)
    if not all(calls.static for calls in found.session.calls.values()):
        raise NotTraceableError("it has neurons", True)
    return found


def _series_trials(model: nn.Module, sample: Sample) -> tuple[Trial, ...]:
    if sample.values.ndim < 3:
        return ()
    axes = {a.axes(m) for _, m in model.named_modules() for a in adapters() if a.knows(m)}
    for kind, trial in ((MERGED, _merged), (STEPS_LAST, _steps_last)):
        if kind in axes:
            return (trial,)
    return (_time_first, _batch_first) if sample.as_model else (
        _time_first, _batch_first, _per_step)


def _time_first(attempt: Attempt) -> Reading:
    values = attempt.sample.values
    return _whole(attempt, values.swapaxes(0, 1) if attempt.sample.as_model else values, "TB")


def _batch_first(attempt: Attempt) -> Reading:
    return _whole(attempt, attempt.sample.values, "BT")


def _merged(attempt: Attempt) -> Reading:
    values = attempt.sample.values
    return _whole(attempt, values[None] if attempt.sample.as_model else values, MERGED)


def _steps_last(attempt: Attempt) -> Reading:
    values = attempt.sample.values
    moved = np.moveaxis(values, -1, 1) if attempt.sample.as_model else values
    return _whole(attempt, moved, STEPS_LAST)


def _whole(attempt: Attempt, values: Array, tags: str) -> Reading:
    """One call with the whole series; `values` are (samples, steps, ...)."""
    model = attempt.model
    values, samples = _padded(values, values.shape[1], _exported(model, tags.index("B")))
    session, n_steps = attempt.session(), values.shape[1]
    moved = {"TB": (0, 1), STEPS_LAST: (1, -1)}.get(tags, (0, 0))
    laid = np.ascontiguousarray(np.moveaxis(values, *moved))
    laid = laid.reshape(-1, *values.shape[2:]) if tags == MERGED else laid
    given = torch.from_numpy(laid)
    session.mark(given, tags, INPUT, list(range(n_steps)))
    returned = session.run(lambda: model(given))
    _require_followed(session, returned)
    counts = _counts(session)
    if set(counts.values()) != {n_steps}:
        path = next(p for p, n in counts.items() if n != n_steps)
        if path in session.sites.by_name:
            raise session.recorder.lost or TraceError(
                path, f"its membrane is compared{session.sites.by_name[path].at}, and then cannot "
                "be followed to the next step", "A decay, sums and a reset by its spikes go in.")
        raise TraceError(path, f"it ran {counts[path]} times in {n_steps} steps",
                         "Call each neuron module once a step, and give as many steps as it runs.")
    return Reading(
        kind=KINDS[tags], session=session,
        values=values, shape=values.shape[2:], steps=n_steps, own=False, static=False,
        outputs=known_of(session, returned), result=result_of(session, returned), samples=samples,
    )


def _per_step(attempt: Attempt) -> Reading:
    given = attempt.sample.values
    values, samples = _padded(given, given.shape[1])
    return _called_each_step(attempt, values, samples, static=False)


def _called_each_step(attempt: Attempt, values: Array, samples: int, static: bool) -> Reading:
    model, session, n_steps = attempt.model, attempt.session(), values.shape[1]

    results: list[torch.Tensor | None] = []

    def run() -> list[tuple[Known | None, ...]]:
        returned = []
        for step in range(n_steps):
            given = torch.from_numpy(np.ascontiguousarray(values[:, step]))
            session.mark(given, "B", INPUT, [None if static else step])
            result = model(given)
            _require_followed(session, result)
            returned.append(tuple(map(session.recorder.known, tensors_of(result))))
            results.append(result_of(session, result))
            counts = _counts(session)
            if set(counts.values()) != {step + 1}:
                raise NotTraceableError("the model runs a loop over steps by itself", True)
        return returned

    each = session.run(run)
    return Reading(
        kind="one step a call", session=session, values=values, shape=values.shape[2:],
        steps=n_steps, own=False, static=static, outputs=over_steps(each), samples=samples,
        result=stacked(results))


def _values(attempt: Attempt) -> Reading:
    """Values without a time axis: the model's own loop over them, or the caller's."""
    model, sample, count = attempt.model, attempt.sample, _exported(attempt.model, 0)
    values, samples = _padded(sample.values, 1, count)
    session = attempt.session()
    given = torch.from_numpy(np.ascontiguousarray(values))
    session.mark(given, "B", INPUT, [None])
    returned = session.run(lambda: model(given))
    _require_followed(session, returned)
    n_steps = min(_counts(session).values(), default=0)
    if n_steps == 1:
        wanted = steps_of(model, attempt.steps)
        series = (len(sample.values), wanted, *sample.values.shape[1:])
        repeated, samples = _padded(np.broadcast_to(sample.values[:, None], series), wanted, count)
        return _called_each_step(attempt, repeated, samples, static=True)
    n_steps = max(1, n_steps)
    return Reading(
        kind="values", session=session, values=np.repeat(values[:, None], n_steps, axis=1),
        shape=values.shape[1:], steps=n_steps, own=True, static=True,
        outputs=known_of(session, returned), result=result_of(session, returned), samples=samples,
    )


def steps_of(model: nn.Module, asked: int | None) -> int:
    """Steps for a model that leaves them to its caller: as asked, its own `num_steps`, or 25."""
    steps = asked or getattr(model, "num_steps", None) or DEFAULT_STEPS
    if not isinstance(steps, Integral) or not 0 < int(steps) <= MAX_STEPS:
        raise TimeAxisError("model", f"its num_steps is no whole number of 1 to {MAX_STEPS:,}",
                            "Pass --steps N, or set num_steps to how many steps it runs.")
    return int(steps)


def _exported(model: nn.Module, axis: int) -> int | None:
    """The size of one axis of the input where the model was exported for it."""
    shape = getattr(model, "exported_shape", ())
    return shape[axis] if axis < len(shape) else None


def _padded(values: Array, steps: int, count: int | None = None) -> tuple[Array, int]:
    """As many samples as are traced, repeated up to a prime number that no other axis has.

    count  how many the model must be given, if it does not take any number
    """
    if count is not None:
        return values[np.arange(count) % len(values)].astype(np.float32), min(count, len(values))
    room = MAX_ELEMENTS // max(1, prod(values.shape[1:]))
    if not room:
        raise ModelSizeError(
            "sample", f"one sample has {prod(values.shape[1:]):,} numbers over all its "
            f"steps, {MAX_ELEMENTS:,} can be traced", "Give fewer steps.")
    samples = min(len(values), SAMPLES, room)
    taken = {steps, *values.shape[1:]}
    count = next(p for p in PRIMES if p >= samples and p not in taken)
    return values[np.arange(count) % samples].astype(np.float32), samples


def _require_followed(session: Session, returned: Any) -> None:
    """Raise what could not be followed where it is why no neuron was found."""
    hidden = [k for k in known_of(session, returned) if isinstance(k, Opaque)]
    if hidden and not session.calls:
        raise hidden[0].error


def _counts(session: Session) -> dict[str, int]:
    """Steps of each population that has any."""
    if not session.calls:
        raise ModelFileError("model", "no neuron and no activation that is known was run",
                             f"{'; '.join(a.supported for a in adapters() if a.supported)} are "
                             "supported, and ReLU.")
    sites = session.sites.by_name
    return {path: len(calls.currents) + (len(sites[path].silence()) if path in sites else 0)
            for path, calls in session.calls.items() if not calls.static}

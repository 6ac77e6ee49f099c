"""Why no reading of a model fits, said of the one that got furthest."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from nmcompile.errors import NmcError, SampleError, TimeAxisError, TraceError
from nmcompile.frontends.tracing.values import NotTraceableError


@dataclass(frozen=True, eq=False)
class Failure:
    """Why one way of reading failed, and how many operations could be followed until then."""

    error: Exception
    followed: int


def explanation(
    model: nn.Module, given: tuple[int, ...], where: str, hint: str, failures: list[Failure]
) -> NmcError:
    """What to say of `failures`: of those by a refusal, or else of all, the one that got furthest.

    Among equals the first; where none followed anything an error of torch or of the model.
    given  shape of the sample, which is called `where`; `hint` says what to do with it
    """
    refusals = [f for f in failures if isinstance(f.error, NmcError) and f.followed]
    furthest = max(failure.followed for failure in refusals or failures)
    errors = [f.error for f in refusals or failures if f.followed == furthest]
    for error in errors:
        if isinstance(error, NmcError):
            return error
    if furthest:
        errors = errors[:1]
    raised = [error for error in errors if not isinstance(error, NotTraceableError)]
    shape = " x ".join(map(str, given))
    expected = _first_layer(model)
    if raised and isinstance(raised[-1], RuntimeError | IndexError | ValueError):
        said = f"torch says: {_first_line(raised[-1])}."
        return SampleError(where, f"{shape} values do not go through the model{expected}",
                           " ".join(filter(None, (said, hint))))
    if raised:
        return TraceError("model", f"its forward fails on a sample of {shape} values: "
                          f"{type(raised[-1]).__name__}: {_first_line(raised[-1])}", hint)
    reason = errors[-1]
    return TimeAxisError(
        "model", f"no axis of the sample ({shape}) can be followed as time: {reason}",
        hint)


def _first_layer(model: nn.Module) -> str:
    for path, module in model.named_modules():
        features = getattr(module, "in_features", None)
        if isinstance(module, nn.Linear) and isinstance(features, int):
            return f", whose first layer {path} takes {features} features"
        channels = getattr(module, "in_channels", None)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and isinstance(channels, int):
            return f", whose first layer {path} takes {channels} channels"
    return ""


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ["nothing"]
    return lines[0][:160].rstrip(".")

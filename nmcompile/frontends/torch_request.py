"""From the user's request to a traced network: the model, the sample, the run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.coding import TRACED
from nmcompile.errors import ModelSizeError, SampleError
from nmcompile.frontends.interface import Request, Traced
from nmcompile.frontends.loading.model import Loaded, load_model
from nmcompile.frontends.tracing import MAX_ELEMENTS, Sample, steps_of, trace


def load_request(request: Request) -> Traced:
    """The network of a torch model, traced on the sample given, carried or drawn."""
    if request.path is not None:
        loaded = load_model(request)
    else:
        assert isinstance(request.model, nn.Module)
        example = getattr(request.model, "example_input_array", None)
        loaded = Loaded(model=request.model, verified_by="the model's own forward",
                        example=example)
    return trace_loaded(request, loaded)


def trace_loaded(request: Request, loaded: Loaded) -> Traced:
    """The network of a torch module, traced on the sample given, carried or drawn."""
    sample, notes = _sample(request, loaded)
    sample = replace(sample, hint=loaded.hint)
    return trace(loaded.model, sample, steps=request.steps, verified_by=loaded.verified_by,
                 notes=(*loaded.notes, *notes))


def _sample(request: Request, loaded: Loaded) -> tuple[Sample, tuple[str, ...]]:
    if request.sample is not None:
        values = _numbers(request.sample, "sample")
        return Sample(values=values, as_model=False, where="sample"), ()
    if loaded.example is not None:
        values = _numbers(loaded.example, loaded.source)
        return Sample(values=values, as_model=True, where=loaded.source), ()
    if request.spare is not None:
        values = _numbers(request.spare[:TRACED], "calibration data")
        return Sample(values=values, as_model=False, where="calibration data"), ()
    return _drawn(loaded.model, request.steps)


def _numbers(given: Any, where: str) -> Any:
    values = given.detach().cpu().numpy() if isinstance(given, torch.Tensor) else given
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub" or values.ndim < 2:
        raise SampleError(where, f"is {_described(values)}, expected an array of numbers (samples, "
                          "steps, ...) or (samples, ...)")
    if 0 in values.shape or not np.all(np.isfinite(values)):
        raise SampleError(where, "is empty or holds values that are not finite")
    return values.astype(np.float32)


def _described(values: Any) -> str:
    if isinstance(values, np.ndarray):
        return f"{values.dtype} of shape {values.shape}"
    return f"a {type(values).__name__}"


def _drawn(model: nn.Module, steps: int | None) -> tuple[Sample, tuple[str, ...]]:
    """Uniform random values for a model whose first layer says how many it takes."""
    first = next((m for m in nn.Module.modules(model) if not list(m.children())), None)
    weight = getattr(first, "weight", None) if isinstance(first, nn.Linear) else None
    if not isinstance(weight, torch.Tensor) or weight.dim() != 2:
        raise SampleError(
            "model", "its input shape is not known",
            "Pass --sample FILE with (samples, steps, ...) or (samples, ...) values, or "
            "--calibrate FILE.")
    n_steps = steps_of(model, steps)
    if n_steps * weight.shape[1] > MAX_ELEMENTS:
        raise ModelSizeError(
            "model", f"{n_steps:,} steps of {weight.shape[1]:,} values are more than the "
            f"{MAX_ELEMENTS:,} that can be traced", "Take fewer --steps.")
    count = max(1, min(TRACED, MAX_ELEMENTS // max(1, n_steps * weight.shape[1])))
    random = np.random.default_rng(0)
    values = random.random((count, n_steps, weight.shape[1])).astype(np.float32)
    note = "checked on random values between 0 and 1; pass --sample for data of your own"
    return Sample(values=values, as_model=False, where="random sample", drawn=True), (note,)

"""What a model itself says of each class, to hold the network's decisions against."""

from __future__ import annotations

import numpy as np

from nmcompile.frontends.tracing.readings import Reading
from nmcompile.ir.neurons.base import Array


def returned_scores(reading: Reading) -> Array | None:
    """(samples, classes) of the first tensor that the model returned, summed over its steps.

    None where its axes cannot be told apart and where it names a class instead of scoring each.
    """
    given, traced = reading.result, len(reading.values)
    if given is None or not given.is_floating_point():
        return None
    result = given.numpy()
    if len(result) == traced * reading.steps and reading.steps > 1:  # samples in front of steps
        result = result.reshape(traced, reading.steps, *result.shape[1:])
    places = [axis for axis, size in enumerate(result.shape) if size == traced]
    if len(places) != 1:
        return None
    result = np.moveaxis(result, places[0], 0)
    times = [axis for axis, size in enumerate(result.shape[1:], 1) if size == reading.steps]
    if result.ndim > 2:
        if len(times) != 1:
            return None
        result = result.sum(axis=times[0], dtype=np.float64)
    flat = result.reshape(traced, -1)[: reading.samples].astype(np.float64)
    return flat if flat.shape[1] > 1 else None

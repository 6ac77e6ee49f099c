"""What NIR cannot say of a neuron or of weights, as entries of their node's `metadata`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nmcompile.errors import DamagedFileError
from nmcompile.ir.maps import Conv, Dense, Grid
from nmcompile.ir.neurons import LIF, CubaLIF, Neuron, Reset, ResetAt

NUMBERS = ("v_min", "v_init", "u_init", "state_step")


def annotations_of(neuron: Any) -> dict[str, Any]:
    """The fields of `neuron` that differ from what NIR's own neuron would be."""
    found: dict[str, Any] = {}
    if isinstance(neuron, LIF | CubaLIF):
        if neuron.reset is not Reset.ZERO:
            found["reset"] = neuron.reset.value
        if neuron.reset_at is not ResetAt.SPIKE:
            found["reset_at"] = neuron.reset_at.value
        if neuron.fires_at_threshold:
            found["fires_at_threshold"] = True
        if neuron.spikes_per_step > 1:
            found["spikes_per_step"] = neuron.spikes_per_step
    for name in NUMBERS:
        value = getattr(neuron, name, None)
        if value is not None and np.any(value != (-np.inf if name == "v_min" else 0)):
            found[name] = _stored(value)
    return found


def _stored(values: Any) -> Any:
    """Numbers as NIR files hold them: an array, or a plain float for one without axes."""
    array = np.asarray(values, np.float64)
    return array if array.ndim else float(array)


def annotated(name: str, neuron: Neuron, metadata: Any) -> Neuron:
    """`neuron` as its node's `metadata` says; entries of other programs are left alone."""
    given = metadata if isinstance(metadata, dict) else {}
    fields: dict[str, Any] = {}
    try:
        if "reset" in given:
            fields["reset"] = Reset(str(given["reset"]))
        if "reset_at" in given:
            fields["reset_at"] = ResetAt(str(given["reset_at"]))
        if "fires_at_threshold" in given:
            fields["fires_at_threshold"] = bool(np.asarray(given["fires_at_threshold"]).all())
        if "spikes_per_step" in given:
            fields["spikes_per_step"] = int(given["spikes_per_step"])
        for number in NUMBERS:
            if number in given:
                fields[number] = np.asarray(given[number], np.float32)
        return replace(neuron, **fields) if fields else neuron  # type: ignore[type-var]
    except (TypeError, ValueError, OverflowError) as error:
        raise DamagedFileError(name, f"its metadata says nothing of use: {error}") from error


def annotations_of_map(linear: Any) -> dict[str, Any]:
    """The integers that the weights of `linear` were trained as."""
    if not isinstance(linear, Dense | Conv) or linear.grid is None:
        return {}
    return {"weight_step": _stored(linear.grid.step), "weight_bits": linear.grid.bits}


def annotated_map(name: str, linear: Any, metadata: Any) -> Any:
    """`linear` on the grid that its node's `metadata` names, if it does."""
    given = metadata if isinstance(metadata, dict) else {}
    if not {"weight_step", "weight_bits"} <= given.keys():
        return linear
    try:
        grid = Grid(step=np.asarray(given["weight_step"], np.float32),
                    bits=int(given["weight_bits"]))
    except (TypeError, ValueError, OverflowError) as error:
        raise DamagedFileError(name, f"its metadata says nothing of use: {error}") from error
    grid.verify(name, linear.weight)
    return replace(linear, grid=grid)

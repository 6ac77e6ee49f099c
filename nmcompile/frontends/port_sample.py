"""The sample for a network whose source cannot be run: the user's, or spikes of our own."""

from __future__ import annotations

from math import prod

import numpy as np

from nmcompile.errors import DataShapeError
from nmcompile.frontends.interface import Request
from nmcompile.ir import Input
from nmcompile.ir.neurons.base import Array

SAMPLES, STEPS, RATE = 4, 50, 0.2  # of the spikes drawn where no sample is given


def port_sample(
    request: Request, ports: tuple[Input, ...]
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Values for each port, (samples, steps, *shape) float32, and what the user should know."""
    if request.sample is None:
        random, steps = np.random.default_rng(0), request.steps or STEPS
        drawn = {p.name: (random.random((SAMPLES, steps, *p.shape)) < RATE).astype(np.float32)
                 for p in ports}
        return drawn, ("checked on random spikes; pass --sample for data of your own",)
    if len(ports) != 1:
        raise DataShapeError("sample", f"the network has {len(ports)} inputs, a sample serves one")
    given, (port,) = request.sample, ports
    if given.ndim < 3 or prod(given.shape[2:]) != port.size:
        listed = ", ".join(map(str, port.shape))
        raise DataShapeError(
            "sample", f"has shape {given.shape}, the network takes (samples, steps, "
            f"{listed})")
    return {port.name: given.reshape(*given.shape[:2], *port.shape).astype(np.float32)}, ()

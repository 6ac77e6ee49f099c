"""From an ONNX file to a traced network."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from nmcompile.errors import ModelSizeError, SampleError
from nmcompile.frontends.interface import Request, Traced
from nmcompile.frontends.loading.model import Loaded
from nmcompile.frontends.onnx_import.model import OnnxModel
from nmcompile.frontends.onnx_import.read import read_graph
from nmcompile.frontends.torch_request import trace_loaded
from nmcompile.frontends.tracing import MAX_ELEMENTS

SAMPLES, NUMBERS = 16, 1 << 21  # drawn at most where the user gives none
DRAWN = "checked on random values between 0 and 1; pass --sample for data of your own"


def load_request(request: Request) -> Traced:
    """The network of a file, traced on the sample given or drawn for the input that it names."""
    assert request.path is not None
    graph = read_graph(request.path)
    loaded = Loaded(model=OnnxModel(graph).eval(), verified_by="the ONNX graph run with torch")
    if request.sample is None and request.spare is None:
        shape = [size for size in graph.shape[1:] if size is not None]
        if len(shape) < len(graph.shape) - 1:
            raise SampleError(graph.input, "its shape is not known", "Pass --sample FILE with "
                              "(samples, ...) values.")
        size = prod(shape)
        if size * SAMPLES > MAX_ELEMENTS:
            raise ModelSizeError(graph.input, f"one sample has {size:,} numbers, "
                                 f"{MAX_ELEMENTS // SAMPLES:,} can be traced")
        count = max(1, min(SAMPLES, NUMBERS // max(size, 1)))
        values = np.random.default_rng(0).random((count, *shape)).astype(np.float32)
        loaded = replace(loaded, example=values, notes=(DRAWN,),
                         source="random sample")
    return trace_loaded(request, loaded)

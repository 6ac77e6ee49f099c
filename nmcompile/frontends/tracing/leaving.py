"""Values of tracked tensors that a model's code takes out of torch, where nothing is recorded."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from nmcompile.frontends.tracing.recorder import Recorder
from nmcompile.frontends.tracing.values import NotTraceableError

WAYS = (torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.__array__,
        torch.Tensor.__deepcopy__, torch.Tensor.__reduce_ex__, torch.Tensor.__dlpack__,
        torch.Tensor.untyped_storage)


class Leaving(TorchFunctionMode):
    """Refuses what would come back to `recorder` as a constant."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run `func`."""
        if func in WAYS and not self.recorder.paused:
            known = self.recorder.known(args[0])
            if known is not None:
                raise self.recorder.opaque(NotTraceableError(
                    "its values leave torch, and what is made of them cannot be followed"),
                    [known], func.__name__).error
        return func(*args, **(kwargs or {}))

"""Values of tracked tensors that a model's code takes out of torch, where nothing is recorded."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from nmcompile.frontends.tracing.recorder import Call, Recorder
from nmcompile.frontends.tracing.values import NotTraceableError, Opaque

WAYS = (torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.__array__,
        torch.Tensor.__deepcopy__, torch.Tensor.__dlpack__)


def rebuilt(call: Call) -> None:
    """Note that a tensor made of a storage, as by copy.copy, is one that has that storage."""
    storage = call.args[1] if len(call.args) > 1 else None
    if not isinstance(storage, torch.UntypedStorage):
        return
    for tensor in call.recorder.marked():
        if tensor.untyped_storage().data_ptr() == storage.data_ptr():
            known = call.recorder.known(tensor)
            alike = tensor.stride() == call.out.stride() and tensor.shape == call.out.shape
            if not alike or isinstance(known, Opaque) or known is None:
                known = call.recorder.opaque(NotTraceableError("a part of a storage"), [known])
            call.recorder.mark(call.out, known, written=True)
            return


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
                name = func.__name__.strip("_")
                raise self.recorder.opaque(NotTraceableError(
                    f"{name}: its values leave torch, and what is made of them cannot be "
                    "followed"), [known]).error
        return func(*args, **(kwargs or {}))

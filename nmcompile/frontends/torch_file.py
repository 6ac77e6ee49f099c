"""The frontend for torch: files of torch.save, and torch modules."""

from __future__ import annotations

import sys
from pathlib import Path

from nmcompile.frontends.interface import Frontend, Request, Traced


def claims(path: Path) -> bool:
    """True for files that torch wrote, judged by their content."""
    from nmcompile.frontends.loading.archive import claims as is_torch

    return is_torch(path)


def accepts(model: object) -> bool:
    """True for a torch module."""
    if "torch" not in sys.modules:
        return False
    from torch import nn

    return isinstance(model, nn.Module)


def load(request: Request) -> Traced:
    """The traced network of a file or module."""
    from nmcompile.frontends.torch_request import load_request

    return load_request(request)


FRONTEND = Frontend(name="torch", claims=claims, accepts=accepts, load=load)

"""The frontend for ONNX files, with QONNX's operators among them."""

from __future__ import annotations

from pathlib import Path

from nmcompile.frontends.content import is_onnx
from nmcompile.frontends.interface import Frontend, Request, Traced


def accepts(model: object) -> bool:
    """Nothing: an ONNX model is given as a file, beside which its weights may lie."""
    return False


def load(request: Request) -> Traced:
    """The traced network of a file."""
    from nmcompile.frontends.onnx_import.request import load_request

    return load_request(request)


def claims(path: Path) -> bool:
    """True for files that hold an ONNX model, judged by their content."""
    return is_onnx(path)


FRONTEND = Frontend(name="onnx", claims=claims, accepts=accepts, load=load)

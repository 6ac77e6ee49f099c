"""What a file is, in words, judged by its content."""

from __future__ import annotations

from pathlib import Path

SIGNATURES = (
    (b"PK\x03\x04", "a zip archive without a model (a torch.save that failed leaves one)"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x80", "a plain pickle"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x7fELF", "a program"),
)
HEAD = 4096
LARGEST = 1 << 31  # bytes of a protobuf message


def kind_of(path: Path) -> str:
    """A phrase such as "a text file" for the content of `path`."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "an empty file"
    for signature, phrase in SIGNATURES:
        if head.startswith(signature):
            return phrase
    if is_onnx(path):
        return "an ONNX file"
    printable = all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)
    return "a text file" if printable else "binary data"


def is_onnx(path: Path) -> bool:
    """True where the bytes are a ModelProto; its first field is the version of the format."""
    with path.open("rb") as file:
        head = file.read(1)
    if head != b"\x08" or path.stat().st_size > LARGEST:
        return False
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except (DecodeError, ValueError):
        return False
    return model.ir_version > 0 and len(model.graph.node) > 0

"""The zip archive of torch.save, checked before anything in it is read."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from nmcompile.errors import DamagedFileError, FileKindError, FileSizeError, NmcError, reading

ZIP, PICKLE = b"PK\x03\x04", b"\x80"
MAX_PICKLE = 64 << 20  # bytes of data.pkl; a model's is below a few MB
MAX_BYTES = 8 << 30  # bytes of all entries together
SAVE = "Save it with torch.save(model, path)."
CUT = ("is a damaged archive, perhaps cut short", "Copy or save it again.")


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An archive of torch.save: where it is, the folder inside it, and the pickle.

    content  the archive's bytes where it is itself an entry of another file
    """

    path: Path
    root: str
    pickle: bytes
    content: bytes | None = None

    def storage(self, key: str, size: int) -> bytes:
        """The bytes of one storage, which must be `size` long."""
        with reading(str(self.path), *CUT), _open(self.path, self.content) as file:
            try:
                info = file.getinfo(f"{self.root}data/{key}")
            except KeyError:
                raise DamagedFileError(str(self.path), f"lacks the tensor data '{key}'") from None
            if info.file_size != size:
                raise DamagedFileError(
                    str(self.path), f"the tensor data '{key}' has {info.file_size} "
                    f"bytes, its tensor says {size}")
            return file.read(info)


def claims(path: Path) -> bool:
    """True for what torch.save, torch.jit.save or torch.export.save wrote, by content."""
    with path.open("rb") as file:
        head = file.read(4)
    if head[:1] == PICKLE:
        return True
    if head != ZIP:
        return False
    try:
        names = _names(path)
    except NmcError:
        return True
    return any(n.endswith(("/data.pkl", "/constants.pkl", "/archive_format")) or n == "data.pkl"
               for n in names)


def kind(path: Path) -> str:
    """What wrote the file: "save", "jit", "export" or "legacy"; NmcError for a damaged one."""
    with path.open("rb") as file:
        head = file.read(4)
    if head[:1] == PICKLE:
        return "legacy"
    if head != ZIP:
        raise FileKindError(str(path), "is not a file that torch.save wrote", SAVE)
    names = _names(path)
    if any(name.endswith("/archive_format") for name in names):
        return "export"
    if any(name.endswith("/constants.pkl") for name in names):
        return "jit"
    return "save"


def open_archive(path: Path, content: bytes | None = None) -> Archive:
    """The archive of torch.save at `path`, or in the bytes `content` of a part of it.

    Raises NmcError where it is damaged or absurdly large.
    """
    with reading(str(path), *CUT), _open(path, content) as file:
        infos = file.infolist()
        require_sane(path, infos)
        pickles = [i for i in infos if i.filename.endswith("data.pkl")]
        if len(pickles) != 1 or pickles[0].file_size > MAX_PICKLE:
            raise FileKindError(str(path), "is not a file that torch.save wrote", SAVE)
        root = pickles[0].filename.removesuffix("data.pkl")
        orders = [file.read(i) for i in infos
                  if i.filename == f"{root}byteorder" and i.file_size < 16]
        if orders not in ([], [b"little"]):
            raise FileKindError(str(path), "holds big-endian numbers, which are not read")
        return Archive(path=path, root=root, pickle=file.read(pickles[0]), content=content)


def _open(path: Path, content: bytes | None) -> zipfile.ZipFile:
    return zipfile.ZipFile(path if content is None else io.BytesIO(content))


def require_sane(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Raise where an archive is compressed or says that it holds more than it can."""
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise FileKindError(str(path), "is a compressed archive, torch.save writes none", SAVE)
    total = sum(info.file_size for info in infos)
    if total > MAX_BYTES or total > path.stat().st_size:
        raise FileSizeError(
            str(path), f"claims to hold {total:,} bytes, more than the file has or the "
            f"{MAX_BYTES >> 30} GiB that are read")


def _names(path: Path) -> list[str]:
    with reading(str(path), *CUT), zipfile.ZipFile(path) as file:
        return file.namelist()

"""Facts of this machine: Python, cores, memory, and the folder of compiled kernels."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nmcompile import __version__
from nmcompile.doctor.finding import Finding

SECTION = "environment"


def machine() -> Iterator[Finding]:
    """Versions, cores and memory."""
    import nmcompile

    yield Finding(section=SECTION, name="nmcompile", state="works",
                  told=f"{__version__} in {Path(nmcompile.__file__).parent}")
    yield Finding(section=SECTION, name="Python", state="works",
                  told=f"{platform.python_version()}, {sys.executable}, {platform.platform()}")
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    yield Finding(section=SECTION, name="cores", state="told",
                  told=f"{usable} of {cores} may be used",
                  figures={"cores": cores, "usable_cores": usable})
    total, free = _memory("SC_PHYS_PAGES"), _memory("SC_AVPHYS_PAGES")
    if total is not None:
        rest = "" if free is None else f", {free / 2**30:.1f} GiB not in use"
        yield Finding(section=SECTION, name="memory", state="told",
                      told=f"{total / 2**30:.1f} GiB{rest}",
                      figures={"memory_bytes": total, "free_memory_bytes": free})


def cache() -> Finding:
    """The folder where numba keeps compiled kernels."""
    folder = cache_folder()
    where: dict[str, Any] = {"section": "cache", "name": "kernels"}
    if folder is None:
        return Finding(**where, state="broken", told="platformdirs cannot be imported",
                       todo="Type pip install platformdirs.")
    size, count = _size(folder)
    figures = {"folder": str(folder), "size_bytes": size, "files": count}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(**where, state="broken", figures=figures,
                       told=f"{folder} cannot be written ({error.strerror})",
                       todo="Set NUMBA_CACHE_DIR to a folder that can be.")
    return Finding(**where, state="works", figures=figures,
                   told=f"{folder}: {size / 2**20:.1f} MiB in {count:,} files")


def cache_folder() -> Path | None:
    """As `nmcompile.arithmetic.jit` sets it; None where that cannot be known."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return Path(os.environ["NUMBA_CACHE_DIR"])
    try:
        import platformdirs
    except ImportError:
        return None
    return Path(platformdirs.user_cache_dir("nmcompile"))


def _size(folder: Path) -> tuple[int, int]:
    """Bytes and number of the files below a folder."""
    size = count = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(root) / name).lstat().st_size
            except OSError:  # removed in the meantime
                continue
            count += 1
    return size, count


def _memory(pages: str) -> int | None:
    """Bytes, None where the system does not tell."""
    try:
        return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None

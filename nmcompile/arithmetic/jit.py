"""The one place for numba's options and for where its compiled kernels are kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numba
import platformdirs

# A cache beside the sources would outlive `pip uninstall` and shadow a later install.
if "NUMBA_CACHE_DIR" not in os.environ:
    numba.config.CACHE_DIR = platformdirs.user_cache_dir("nmcompile")  # type: ignore[attr-defined]


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` in nopython mode, without the interpreter lock, cached on disk."""
    return numba.njit(cache=True, nogil=True)(function)


def parallel_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `kernel`, with its `prange` loops spread over the cores."""
    return numba.njit(cache=True, nogil=True, parallel=True)(function)


def bare_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `kernel`, for what allocates nothing: without counts of references, which are atomic.

    Such a kernel may only be called with arrays that its caller keeps.
    """
    return numba.njit(cache=True, nogil=True, _nrt=False)(function)  # type: ignore[call-overload]


def threads() -> int:
    """How many threads kernels may run on at once: the processors, or NUMBA_NUM_THREADS."""
    return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]

"""How the engine's loops are compiled: one decorator, one set of options.

With `NUMBA_DISABLE_JIT=1` the same functions run as plain Python, which the tests use as a second implementation.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])



def _sources_digest() -> str:
    """Digest of every source that compiled code can come from: our packages below this one, and Numba's version."""
    digest = hashlib.sha256(numba.__version__.encode())
    here = Path(__file__).parent
    for path in sorted([*here.rglob("*.py"), *(here.parent / "schemas").glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ:
    # Numba looks only at the file of the function that it loads: after a change to a function that another one calls, it
    # would run the old code. So the cache's folder is named by all sources.
    numba.config.CACHE_DIR = str(Path(__file__).parent / "__pycache__" / f"numba-{_sources_digest()}")

if numba.config.DISABLE_JIT:
    # Hashes wrap around 2^64 on purpose; compiled code does so silently, numpy's scalars warn.
    np.seterr(over="ignore")


# error_model numpy: a division by zero is a number, not an exception, so no function needs an error path.
# _nrt: no function allocates, so none needs to count references: with it, each call of a function that is not inlined
# adds and takes off one for each array in an atomic operation (40 ns for three arrays; measured: the step 4 times slower).
_OPTIONS: dict[str, Any] = {
    "cache": True, "nogil": True, "error_model": "numpy", "boundscheck": False, "_nrt": False,
}  # fmt: skip


def jit(function: F) -> F:
    """Compile `function` on first use, from the cache on disk where it is there; it runs without the GIL."""
    return cast(F, numba.njit(**_OPTIONS)(function))


def hot(function: F) -> F:
    """As `jit`, for what runs several times for each event: LLVM puts it into its caller, for a call passes each array as
    seven words through the stack."""
    return cast(F, numba.njit(forceinline=True, **_OPTIONS)(function))


def inline(function: F) -> F:
    """As `jit`, for small helpers that must cost no call."""
    return cast(F, numba.njit(inline="always", **_OPTIONS)(function))

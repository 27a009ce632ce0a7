"""How the engine's loops are compiled: one decorator, one set of options.

With `NUMBA_DISABLE_JIT=1` the same functions run as plain Python, which the tests use as a second implementation.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numba
import numpy as np
from numba.core import config, types
from numba.extending import intrinsic

Kernel = Callable[..., Any]
"""A compiled function: its arguments are arrays and numbers whose types Numba finds out by itself."""


def sources() -> list[Path]:
    """Every source that compiled code can come from: our packages below this one.

    Without the oracle's: it is never compiled, and may import nothing that is.
    """
    here = Path(__file__).parent
    ours = sorted([*here.rglob("*.py"), *(here.parent / "schemas").glob("*.py")])
    return [path for path in ours if here / "oracle" not in path.parents]


def _sources_digest() -> str:
    """Digest of all sources, and of Numba's version."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ:
    # Numba looks only at the file of the function that it loads: after a change to a function that another one calls,
    # it would run the old code. So the cache's folder is named by all sources.
    config.CACHE_DIR = str(Path(__file__).parent / "__pycache__" / f"numba-{_sources_digest()}")  # type: ignore[attr-defined]

if config.DISABLE_JIT:  # type: ignore[attr-defined]
    # Hashes wrap around 2^64 on purpose; compiled code does so silently, numpy's scalars warn.
    np.seterr(over="ignore")


# error_model numpy: a division by zero is a number, not an exception, so no function needs an error path.
# _nrt: no function allocates, so none needs to count references. Otherwise each call of a function that is not inlined
# counts one up and down for each array, in atomic operations: 40 ns for three arrays.
_OPTIONS: dict[str, Any] = {
    "cache": True, "nogil": True, "error_model": "numpy", "boundscheck": False, "_nrt": False,
}  # fmt: skip


def jit(function: Kernel) -> Kernel:
    """Compile `function` on first use, from the cache on disk where it is there; it runs without the GIL."""
    # said, for otherwise a function is like the one that calls it first
    return cast(Kernel, numba.njit(forceinline=False, **_OPTIONS)(function))


def hot(function: Kernel) -> Kernel:
    """As `jit`, for what runs several times for each event: LLVM puts it into its caller.

    A call passes each array as seven words through the stack; the step is three times slower with calls.
    """
    return cast(Kernel, numba.njit(forceinline=True, **_OPTIONS)(function))


def inline(function: Kernel) -> Kernel:
    """As `jit`, for small helpers that must cost no call."""
    return cast(Kernel, numba.njit(inline="always", **_OPTIONS)(function))


if config.DISABLE_JIT:  # type: ignore[attr-defined]

    def stay_apart() -> None:
        """See below."""

else:

    @intrinsic
    def stay_apart(_: Any) -> Any:
        """As the first statement of a function: it is never put into its callers.

        LLVM would copy what is large and rarely called into every place that calls it, and compile each copy.
        """

        def mark(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
            builder.function.attributes.add("noinline")
            return context.get_dummy_value()

        return types.void(), mark

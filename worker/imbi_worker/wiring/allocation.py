"""Giving the memory of large events back to the system.

glibc gives a block above a threshold (128 KiB) pages of its own, which go back when it is freed.
But each such block that is freed raises the threshold to its size, up to 32 MiB: after the
first event of 25 MB the others are cut from the heap, which then keeps some 50 MB for good
and falls into pieces. A threshold that is set stays as it is.
"""

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LARGE: Final = 1_048_576


def return_large_blocks() -> None:
    """Have every block above 1 MiB go back when it is freed; where there is no glibc, nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    # Twice the other one, as glibc itself has them; else the heap's end would go at 128 KiB.
    mallopt(_M_TRIM_THRESHOLD, 2 * _LARGE)

"""How the C library keeps memory that was let go of."""

import contextlib
import ctypes

#: `M_MMAP_THRESHOLD` of glibc's mallopt(3), and bytes from which on blocks come from the system and go back to it.
_THRESHOLD, _LARGE = -3, 1 << 20


def give_back_large_blocks() -> None:
    """Lets blocks of a MiB and more go back to the system at once; does nothing where the library is not glibc.

    By itself glibc keeps blocks of up to 32 MiB for later, once such were used. Buffers of files that are packed in
    many threads then tear its heap apart: a generation of coinrun held 1.6 GB, and more with time; so it holds 1.2 GB.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_THRESHOLD, _LARGE)

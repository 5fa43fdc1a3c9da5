"""CRC-32C (RFC 9260, appendix A), by Google's library; compiled, its C function is called directly (see crc.pxd)."""

from __future__ import annotations

import ctypes

import cython
import google_crc32c


def crc32c(checksum: int, data: bytes, start: int, stop: int) -> int:
    """Continue a checksum (0 to begin) over `data[start:stop]`; the range must lie within the data."""
    if cython.compiled:
        extended: int = _extend(checksum, data, start, stop)  # type: ignore[name-defined]  # noqa: F821 - in crc.pxd
    else:
        extended = google_crc32c.extend(checksum, data if stop - start == len(data) else data[start:stop])
    return extended


if cython.compiled:
    # The extension module is linked with the library, so the loader finds the library's own symbols through it.
    _library = ctypes.CDLL(google_crc32c._crc32c.__file__)  # noqa: SLF001 - its path, nothing more
    _address = ctypes.cast(_library.crc32c_extend, ctypes.c_void_p).value
    _bind(_address)  # type: ignore[name-defined]  # noqa: F821 - in crc.pxd

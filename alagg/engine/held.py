"""Held: how much all peers of a worker have waiting together, and when that is too much.

Each buffer has a bound of its own. A thousand of them, all full, would take more than a host has: so there is a bound
for their sum as well. What comes near it is paid first by those who hold much.
"""

from __future__ import annotations

from typing import Final

LIMIT: Final = 256 << 20
"""Bytes that a node's buffers hold together, unless the host has less to give."""
OVERHEAD: Final = 256
"""Bytes of memory for each packet or piece that waits, beside its own."""
LITTLE: Final = 64 << 10
"""Bytes that a buffer may hold as long as half of the bound is free."""

# The same again for C: other modules cannot see what the .pxd declares.
_LITTLE: Final = LITTLE


class Held:
    """What waits in all buffers that share a bound."""

    def __init__(self, limit: int = LIMIT) -> None:
        """Take the bound in bytes."""
        self.limit = limit
        self.bytes = 0
        """What waits now, overhead included."""

    def is_too_much(self, own: int) -> bool:
        """Tell whether a buffer that holds `own` bytes must give way."""
        return self.bytes > self.limit or (own > _LITTLE and 2 * self.bytes > self.limit)

"""Who is connected to a server: lets links join their connections, within limits, and counts whom it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.stream.core.errors import Refused
from alagg.stream.joining import EXISTING, Membership, answer, read_hello, turn_away

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from alagg.stream.driver import Bearer, Driver
    from alagg.stream.joining import Pipe

    class Guest(Bearer, Pipe, Protocol):
        """A carrier that has not joined yet."""


MAX_CONNECTIONS: Final = 4096
"""Connections at once, unless the program says otherwise."""
MAX_JOINING: Final = 256
"""Links that may be joining at once; further ones are closed."""
MAX_LINKS: Final = 64
"""Links of one connection."""


class Registry:
    """The connections of one server."""

    def __init__(self, most: int = MAX_CONNECTIONS) -> None:
        """Begin empty.

        Raises:
            ValueError: not even one connection is allowed.
        """
        if most < 1:
            raise ValueError(f"max_connections is at least 1, not {most}")
        self.refused = 0
        """Links that were not let in: wrong, replayed or guessed proofs, strangers, too many."""
        self._most = most
        self._members: dict[bytes, tuple[Membership, Driver]] = {}
        self._joining = 0

    def __len__(self) -> int:
        """Give the number of connections that are not over."""
        return len(self._members)

    def drivers(self) -> Iterator[Driver]:
        """Give the connections."""
        for _, driver in self._members.values():
            yield driver

    def may_join(self) -> bool:
        """Count a link that wants to join; tell whether it may try. `joined` follows, where it may."""
        if self._joining >= MAX_JOINING:
            self.refused += 1
            return False
        self._joining += 1
        return True

    def joined(self) -> None:
        """Take note that a link has joined, or failed to."""
        self._joining -= 1

    async def join(self, guest: Guest, make: Callable[[], Driver]) -> tuple[bytes, Driver] | None:
        """Let a link join.

        Args:
            guest: the link.
            make: makes what drives a new connection.

        Returns:
            Id and driver of a new connection, which is forgotten by `forget`; None for a link of another one.

        Raises:
            Refused: it may not.
            ProtocolError: it is no stream.
            ConnectionError: it broke.
        """
        hello = await read_hello(guest)
        known = self._members.get(hello.identity) if hello.kind == EXISTING else None
        if known is not None and len(known[1].core.links) >= MAX_LINKS:
            await turn_away(guest)
            raise Refused(f"more than {MAX_LINKS} links")
        if hello.kind != EXISTING and len(self._members) >= self._most:
            await turn_away(guest)
            raise Refused(f"more than {self._most} connections")
        member = await answer(guest, hello, known[0] if known else None)
        if known is None:
            driver = make()
            self._members[member.identity] = member, driver
            driver.attach(guest.describe(), guest)
            return member.identity, driver
        if known[1].core.over:
            guest.close()
        else:
            known[1].attach(guest.describe(), guest)
        return None

    def forget(self, identity: bytes) -> None:
        """Take note that a connection is over."""
        del self._members[identity]

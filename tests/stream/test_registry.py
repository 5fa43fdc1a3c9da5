"""The registry: limits on links that join, and on links of one connection."""

from __future__ import annotations

import asyncio

import pytest

from alagg import stream
from alagg.stream import registry
from alagg.stream.registry import Registry
from tests.stream.faces import LOCAL, echo, run, until


def test_links_that_join_at_once_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MAX_JOINING", 2)
    guests = Registry()
    assert [guests.may_join() for _ in range(3)] == [True, True, False]
    assert guests.refused == 1
    guests.joined()
    assert guests.may_join()


def test_links_of_one_connection_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MAX_LINKS", 2)

    async def main() -> None:
        async with stream.serve(echo, LOCAL[:1]) as server, stream.connect(server.addresses * 2) as connection:
            await until(lambda: len(connection.links) == 2)
            with pytest.raises(stream.NoLinks, match="refused"):
                await connection.add(server.addresses[0])
            await asyncio.sleep(0)
            assert server.refused == 1

    run(main())

"""The measurement of the stream library runs, on small transfers."""

from __future__ import annotations

import asyncio

import pytest

from bench import streams
from tests.stream.network import MEGA


def test_what_links_give_is_measured() -> None:
    assert streams._whole([(MEGA, 0.01)], MEGA) == pytest.approx(MEGA, rel=0.1)


def test_what_it_costs_is_measured() -> None:
    assert asyncio.run(streams._in_memory((streams.PIECE, 2 * streams.PIECE))) > 0

"""Limits: twenty a second and five at once for each address, and cookies that nobody else can use."""

from __future__ import annotations

import os

from alagg.keys.limits import BURST, COOKIE_LIFE, RATE, Cookies, Limiter


def test_five_at_once_and_twenty_a_second() -> None:
    limiter = Limiter()
    assert sum(limiter.allows(b"a", 0.0) for _ in range(100)) == BURST
    assert limiter.allows(b"b", 0.0)
    allowed = sum(limiter.allows(b"a", step / 1000) for step in range(1, 10_001))
    assert abs(allowed - 10 * RATE) <= 1


def test_memory_is_bounded() -> None:
    limiter = Limiter(sources=16)
    for number in range(1000):
        assert limiter.allows(str(number).encode(), 0.0)
    assert len(limiter._buckets) == 16


def test_cookies_are_one_addresss_and_one_exchanges_and_grow_old() -> None:
    cookies = Cookies(os.urandom, 0.0)
    cookie = cookies.make(b"a", 1, 0.0)
    assert cookies.proves(cookie, b"a", 1, 0.0)
    assert not cookies.proves(cookie, b"b", 1, 0.0)
    assert not cookies.proves(cookie, b"a", 2, 0.0)
    assert not cookies.proves(bytes(8), b"a", 1, 0.0)
    assert cookies.proves(cookie, b"a", 1, COOKIE_LIFE + 1)
    assert not cookies.proves(cookie, b"a", 1, 2 * COOKIE_LIFE + 2)
    late = Cookies(os.urandom, 0.0)
    cookie = late.make(b"a", 1, 0.0)
    assert not late.proves(cookie, b"a", 1, 3 * COOKIE_LIFE)

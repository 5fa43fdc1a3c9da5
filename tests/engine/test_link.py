"""A link's queue and its counters."""

from __future__ import annotations

import pytest
from google_crc32c import value as crc32c

from alagg.engine.header import DATA, PROBE, SIZE, decode, parse
from alagg.engine.link import Link
from alagg.engine.sequence import MASK
from tests.engine.helpers import take_frames


def append(link: Link, *payloads: bytes) -> None:
    for payload in payloads:
        link.append(PROBE, 7, payload, crc32c(payload))


def test_appended_frames_are_whole_and_numbered_on_their_link() -> None:
    link = Link(5, "fibre", 1500, lane=3)
    link.link_sequence = MASK
    append(link, b"first", b"second")
    frames = [decode(data) for data in take_frames(link)]
    assert [(frame[0], frame[1], frame[2], frame[4], frame[8]) for frame in frames] == [
        (PROBE, 7, 3, 5, b"first"),
        (PROBE, 7, 3, 5, b"second"),
    ]
    assert [frame[5] for frame in frames] == [MASK, 0]
    assert link.link_sequence == 1


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
@pytest.mark.parametrize("is_open", [True, False])
def test_every_frame_is_taken_or_dropped_for_a_reason(taken: int, *, is_open: bool) -> None:
    link = Link(0, "fibre", 1500)
    link.open = is_open
    payloads = [b"1", b"22", b"333"]
    append(link, *payloads)
    link.settle(taken)
    assert (link.queued, link.taken) == (3, taken)
    assert link.tx_frames == taken
    assert link.tx_bytes == sum(SIZE + len(payload) for payload in payloads[:taken])
    assert (link.tx_dropped_full, link.tx_dropped_down) == ((3 - taken, 0) if is_open else (0, 3 - taken))
    assert (bytes(link.headers), link.payloads) == (b"", [])
    assert link.link_sequence == taken, "what the link did not take is no loss of the link's"
    append(link, b"4444")
    link.settle(1)
    assert link.tx_bytes == sum(SIZE + len(payload) for payload in [*payloads[:taken], b"4444"])


def test_reserved_headers_follow_those_that_wait() -> None:
    link = Link(0, "fibre", 1500)
    append(link, b"1")
    payloads = [b"22", b"333"]
    link.reserve(payloads, 5)
    assert len(link.headers) == 3 * SIZE
    for payload in payloads:
        link.write(DATA, 7, 0, 5, 0, 0, len(payload), crc32c(payload))
    found = [parse(bytes(link.headers), SIZE * index, payload)[3:6] for index, payload in enumerate(link.payloads)]
    assert found == [(0, 0, 0), (5, 0, 1), (5, 0, 2)]
    assert (link.payloads, payloads) == ([b"1", b"22", b"333"], [b"22", b"333"])

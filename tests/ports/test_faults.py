"""The fault wrapper harms as many frames as it was told to, in the way it was told to."""

from __future__ import annotations

import errno
from collections import Counter
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest

from alagg.ports.faults import Faults
from alagg.ports.memory import MemoryPort, pair
from tests.ports.batches import HEADER, REMOTE, drain
from tests.ports.batches import send as send_payloads

if TYPE_CHECKING:
    from alagg.ports.base import Port

COUNT = 2000


def send(port: Port, numbers: range) -> int:
    return send_payloads(port, *(number.to_bytes(4, "big") for number in numbers))


def numbers_of(port: Port) -> list[int]:
    return [int.from_bytes(frame[24:], "big") for frame in drain(port)]


def ends(**faults: float) -> tuple[Faults, MemoryPort]:
    one, other = pair(capacity=2 * COUNT)
    return Faults(one, Random(7), **faults), other


def near(share: float) -> object:
    """Within five standard deviations of a binomial draw."""
    return pytest.approx(share * COUNT, abs=5 * (COUNT * share * (1 - share)) ** 0.5)


def test_without_faults_nothing_changes() -> None:
    faulty, other = ends()
    assert send(faulty, range(COUNT)) == COUNT
    assert numbers_of(other) == list(range(COUNT))
    assert (faulty.lost, faulty.duplicated, faulty.corrupted, faulty.reordered) == (0, 0, 0, 0)
    faulty.close()
    other.close()


def test_larger_headers_go_as_they_are() -> None:
    """One that is held back goes with the next one, whose header has another size."""
    faulty, other = ends(reorder=1.0)
    assert faulty.send(REMOTE, bytearray(b"h" * 24), [b""]) == 1
    assert faulty.send(REMOTE, bytearray(b"H" * 28), [b"payload"]) == 1
    assert drain(other) == [b"H" * 28 + b"payload", b"h" * 24]
    faulty.close()
    other.close()


def test_loss() -> None:
    faulty, other = ends(loss=0.2)
    assert send(faulty, range(COUNT)) == COUNT
    arrived = numbers_of(other)
    assert arrived == sorted(set(arrived))
    assert COUNT - len(arrived) == faulty.lost == near(0.2)
    faulty.close()
    other.close()


def test_duplicate() -> None:
    faulty, other = ends(duplicate=0.1)
    send(faulty, range(COUNT))
    copies = Counter(numbers_of(other))
    assert set(copies) == set(range(COUNT))
    assert sum(count == 2 for count in copies.values()) == faulty.duplicated == near(0.1)
    faulty.close()
    other.close()


def test_corrupt_flips_one_bit_anywhere_in_the_frame() -> None:
    faulty, other = ends(corrupt=0.5)
    send(faulty, range(COUNT))
    sent = [HEADER + number.to_bytes(4, "big") for number in range(COUNT)]
    flips = [
        int.from_bytes(before, "big") ^ int.from_bytes(after, "big")
        for before, after in zip(sent, drain(other), strict=True)
    ]
    harmed = [flip for flip in flips if flip]
    assert all(flip.bit_count() == 1 for flip in harmed)
    assert len(set(harmed)) > 8 * 24, "in the header and behind it"
    assert len(harmed) == faulty.corrupted == near(0.5)
    faulty.close()
    other.close()


def test_reorder_swaps_neighbours_and_loses_nothing() -> None:
    faulty, other = ends(reorder=0.1)
    send(faulty, range(COUNT))
    faulty.reorder = 0.0
    send(faulty, range(COUNT, COUNT + 1))
    arrived = numbers_of(other)
    late = sum(after < before for before, after in pairwise(arrived))
    assert sorted(arrived) == list(range(COUNT + 1))
    # A frame sent while another is held cannot be held itself, so the share is p / (1 + p).
    assert late == faulty.reordered == near(0.1 / 1.1)
    faulty.close()
    other.close()


def test_same_seed_gives_the_same_faults() -> None:
    runs = []
    for _ in range(2):
        faulty, other = ends(loss=0.1, duplicate=0.1, corrupt=0.1, reorder=0.1)
        send(faulty, range(COUNT))
        runs.append(drain(other))
        faulty.close()
        other.close()
    assert runs[0] == runs[1]


def test_full_link_is_passed_on() -> None:
    one, other = pair()
    faulty = Faults(one, Random(7), duplicate=1.0)
    one.room = 5
    assert send(faulty, range(4)) == 3
    assert numbers_of(other) == [0, 0, 1, 1, 2]
    assert faulty.refused == 1 + 1
    faulty.close()
    other.close()


def test_frame_held_at_the_end_is_counted_as_lost() -> None:
    faulty, other = ends(reorder=1.0)
    assert send(faulty, range(1)) == 1
    faulty.close()
    assert (drain(other), faulty.lost) == ([], 1)
    other.close()


def test_the_rest_is_the_wrapped_port() -> None:
    one, other = pair()
    faulty = Faults(one, Random(7), loss=1.0)
    assert faulty.fileno() == one.fileno()
    send(other, range(1))
    assert faulty.receive() == [(b"MEMORY", HEADER, [bytes(4)])]
    faulty.set_remotes([REMOTE])
    assert one.remotes == (REMOTE,)
    one.fail(errno.ENXIO)
    faulty.loss = 0.0
    with pytest.raises(OSError, match="No such device") as caught:
        send(faulty, range(1))
    assert caught.value.errno == errno.ENXIO
    faulty.close()
    assert one.fileno() == -1
    other.close()

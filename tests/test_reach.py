"""Reach: a peer is given up with its last link, taken back with the first, and held back where that goes on."""

from __future__ import annotations

from alagg.reach import FLAPS, GRACE, LONGEST_HOLD, Reach

LINKS = [("office", "wan"), ("office", "lan"), ("boat", "radio")]


def reach() -> Reach:
    found = Reach()
    found.keep(LINKS, 0.0)
    return found


def test_a_link_counts_for_a_moment_before_it_was_heard_of() -> None:
    found = reach()
    assert found.lost(0.0) == frozenset()
    assert found.due == GRACE
    found.heard("boat", "radio", "up", 0.5)
    assert found.lost(GRACE) == {"office"}
    assert found.due == float("inf")


def test_a_peer_is_lost_with_its_last_link_and_back_with_the_first() -> None:
    found = reach()
    for peer, link in LINKS:
        found.heard(peer, link, "up", 1.0)
    found.heard("office", "wan", "silent", 2.0)
    assert (found.due, found.lost(2.0)) == (2.0, frozenset())
    found.heard("office", "lan", "blocked", 3.0)
    assert found.lost(3.0) == {"office"}
    found.heard("office", "wan", "standby", 4.0)
    assert found.lost(4.0) == frozenset()


def test_one_that_comes_and_goes_is_held_back_for_longer_each_time() -> None:
    found = reach()
    found.heard("office", "lan", "down", 0.0)
    now, held = 10.0, []
    for _ in range(9):
        found.heard("office", "wan", "silent", now)
        assert "office" in found.lost(now)
        found.heard("office", "wan", "up", now)
        before = now
        while "office" in found.lost(now):
            assert now < found.due < float("inf")
            now = found.due
        held.append(now - before)
    assert held[:4] == [0.0, 1.0, 2.0, 4.0]
    assert max(held) <= LONGEST_HOLD
    now += FLAPS + 1
    found.heard("office", "wan", "silent", now)
    found.lost(now)
    found.heard("office", "wan", "up", now)
    assert "office" not in found.lost(now)


def test_one_that_fails_while_it_is_held_back_begins_anew() -> None:
    found = reach()
    found.heard("office", "lan", "down", 0.0)
    for now in (10.0, 11.0):
        found.heard("office", "wan", "silent", now)
        found.lost(now)
        found.heard("office", "wan", "up", now)
        found.lost(now)
    found.heard("office", "wan", "down", 11.5)
    assert "office" in found.lost(11.5)
    assert "office" in found.lost(12.5)
    found.heard("office", "wan", "up", 13.0)
    assert "office" in found.lost(13.0)
    assert "office" in found.lost(14.9)
    assert "office" not in found.lost(15.0)


def test_what_is_known_stays_with_the_links_that_stay() -> None:
    found = reach()
    found.heard("office", "wan", "up", 1.0)
    found.heard("boat", "radio", "silent", 1.0)
    found.keep([("office", "wan"), ("boat", "radio"), ("hut", "new")], 5.0)
    assert found.lost(5.0) == {"boat"}
    found.heard("office", "lan", "down", 5.0)
    found.heard("nobody", "x", "down", 5.0)
    assert found.lost(5.0 + GRACE) == {"boat", "hut"}
    found.keep([], 9.0)
    assert (found.lost(9.0), found.due) == (frozenset(), float("inf"))

"""Who takes part, and that a halted contestant works again in its turn."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from alagg import form
from bench.contestants import CEILING, CONTESTANTS, FORMS, FULL, QUICK, REFERENCE, Alagg, Share


def halted(pids: list[int]) -> list[bool]:
    return [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T" for pid in pids]


def await_halt(pids: list[int]) -> None:
    """Wait: a process on a busy machine sees a signal when it runs next."""
    deadline = time.monotonic() + 10
    while not all(halted(pids)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_bond_is_there_in_every_form() -> None:
    for bond in ("alagg-one-link", "alagg-redundant", "alagg-round-robin"):
        fastest = CONTESTANTS[bond]()
        assert fastest.share is Share.FULL
        for name, how in FORMS.items():
            variant = CONTESTANTS[f"{bond}-{name}"]()
            assert isinstance(variant, Alagg)
            assert (variant.how, variant.links) == (how, fastest.links)
            # Plain forms of both bonds are measured in everything, as the fastest one is.
            assert variant.share is (Share.SHORT if how.pure and variant.links > 1 else Share.TCP)
            assert variant.title == f"{fastest.title}, {how.title}"
    assert {CEILING, REFERENCE, *QUICK} <= set(FULL) <= set(CONTESTANTS)


def test_titles_differ() -> None:
    titles = [make().title for make in CONTESTANTS.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.netns
def test_workers_are_scheduled_as_the_form_says() -> None:
    with CONTESTANTS["alagg-redundant-batch"]() as contestant:
        for host in contestant.lab.hosts:
            assert {os.sched_getscheduler(pid) for pid in contestant.processes(host)} == {os.SCHED_BATCH}


@pytest.mark.netns
def test_it_is_halted_but_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(form.VARIABLE, "1")
    with CONTESTANTS["alagg-redundant-plain"]() as contestant:
        assert os.environ[form.VARIABLE] == "1"
        pids = [pid for host in contestant.lab.hosts for pid in contestant.processes(host)]
        assert len(pids) == 4
        for pid in pids:
            assert b"ALAGG_PURE=all" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        await_halt(pids)
        with contestant.turn():
            assert not any(halted(pids))
            assert contestant.lab.a.ping(contestant.lab.b, count=5).received == 5
        await_halt(pids)


@pytest.mark.netns
def test_more_peers_are_configured_beside_the_real_one() -> None:
    more = "[peer other]\ndestinations = 10.50.0.1\n[link other]\npeer = other\ninterface = eth0\n"
    with Alagg("round-robin", 1, more_config=f"{more}mac = 02:00:00:01:00:00\n") as contestant, contestant.turn():
        peers = [peer["name"] for peer in contestant.lab.a.node.status()["peers"]]
        assert peers == ["b", "other"]
        assert contestant.lab.a.ping(contestant.lab.b, count=5).received == 5

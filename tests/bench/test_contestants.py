"""Who takes part, and that a halted contestant works again in its turn."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from alagg import form
from bench.contestants import BONDS, CONTESTANTS, FORMS, PUBLISHED, Alagg, Share, before

ROOT = Path(__file__).parents[2]


def halted(pids: list[int]) -> list[bool]:
    return [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T" for pid in pids]


def await_halt(pids: list[int]) -> None:
    """Wait: a process on a busy machine sees a signal when it runs next."""
    deadline = time.monotonic() + 10
    while not all(halted(pids)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_bond_is_there_in_every_form() -> None:
    for bond in BONDS:
        fastest = CONTESTANTS[f"alagg-{bond}"]()
        assert fastest.share is Share.FULL
        for name, how in FORMS.items():
            variant = CONTESTANTS[f"alagg-{bond}-{name}"]()
            assert isinstance(variant, Alagg)
            assert (variant.how, variant.links, variant.share) == (how, fastest.links, Share.TCP)
            assert variant.title == f"{fastest.title}, {how.title}"
    assert set(PUBLISHED) <= set(CONTESTANTS)


def test_only_what_is_built_runs_as_before(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no built alagg"):
        before(tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/alagg").touch()
    made = before(tmp_path)["before-round-robin"]()
    assert made.title == "alagg round-robin, before"
    assert made.lab.a.node.program("status") == [
        "env", f"PYTHONPATH={tmp_path}", str(tmp_path / ".venv/bin/alagg"), "status"
    ]


@pytest.mark.netns
def test_another_checkout_is_run_and_asked_by_its_own_command() -> None:
    with before(ROOT)["before-redundant"]() as contestant, contestant.turn():
        assert contestant.lab.a.ping(contestant.lab.b, count=5).received == 5
        command = Path(f"/proc/{contestant.lab.a.node.pid}/cmdline").read_bytes()
        assert f"{ROOT}/.venv/bin/alagg".encode() in command


@pytest.mark.netns
@pytest.mark.parametrize(("name", "wanted"), [("veth", "off"), ("veth-gro", "on")])
def test_receivers_have_gro_as_the_bed_says(name: str, wanted: str) -> None:
    with CONTESTANTS[name]() as contestant:
        for host in contestant.lab.hosts:
            features = host.run(["ethtool", "-k", "eth0"]).stdout
            assert f"generic-receive-offload: {wanted}" in features
            assert "generic-segmentation-offload: off" in features


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

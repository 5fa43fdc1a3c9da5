"""Steering: links are blocked and freed by name, over reloads, and what is wrong is one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg.config import load
from alagg.steering import NAMED, REASON, Steering

if TYPE_CHECKING:
    from pathlib import Path

    from alagg.config import Config
    from alagg.messages import Blocked


def config(folder: Path, *links: str) -> Config:
    text = "[alagg]\n[peer office]\ndestinations = 10.99.0.2\n"
    for number, link in enumerate(links):
        text += f"[link {link}]\ninterface = eth{number}\nmac = 02:00:00:00:00:{number:02x}\n"
    path = folder / "alagg.cfg"
    path.write_text(text)
    return load(path)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.told: list[Blocked] = []
        self.steering = Steering(self.told.append)
        self.config = config(folder, "wan", "lan")

    def ask(self, **asked: Any) -> dict[str, object]:
        return self.steering.answer(json.dumps(asked), self.config)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_link_is_blocked_and_freed(bench: Bench) -> None:
    blocked = {"ok": True, "text": "link wan to office is blocked", "peer": "office"}
    assert bench.ask(do="block", link="wan", peer=None) == blocked
    assert bench.ask(do="block", link="wan", peer="office") == blocked
    assert bench.ask(do="block", link="lan")["ok"]
    assert bench.ask(do="unblock", link="wan")["text"] == "link wan to office is unblocked"
    assert [one.links for one in bench.told[1:]] == [
        (("office", "wan", REASON),), (("office", "wan", REASON), ("office", "lan", REASON)),
        (("office", "lan", REASON),),
    ]


def test_it_holds_over_a_reload_as_long_as_there_is_such_a_link(bench: Bench, tmp_path: Path) -> None:
    bench.steering.keep(bench.config)
    assert bench.told == []
    bench.ask(do="block", link="wan")
    bench.steering.keep(config(tmp_path, "lan", "wan"))
    assert bench.told[-1].links == (("office", "wan", REASON),)
    bench.steering.keep(config(tmp_path, "lan"))
    assert not bench.told[-1].links


@pytest.mark.parametrize("text", ["", "wan", "[]", "7", '{"do": "block"}', '{"link": "wan"}', "[" * 100_000])
def test_what_is_no_question_is_refused_with_what_is_allowed(bench: Bench, text: str) -> None:
    assert str(bench.steering.answer(text, bench.config)["error"]).startswith('allowed: link {"do": ')
    assert bench.told == []


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"do": "burn", "link": "wan"}, "a link cannot be 'burn'; allowed: block, unblock"),
        ({"do": ["block"], "link": "wan"}, "a link cannot be ['block']; allowed: block, unblock"),
        ({"do": "block", "link": "van"}, "no link van; there are: wan to office, lan to office"),
        ({"do": "block", "link": "wan", "peer": "x"}, "no link wan to x; there are: wan to office, lan to office"),
    ],
)
def test_what_is_not_there_is_one_line(bench: Bench, asked: dict[str, object], error: str) -> None:
    assert bench.ask(**asked) == {"error": error}


def test_of_many_links_some_are_named(bench: Bench, tmp_path: Path) -> None:
    bench.config = config(tmp_path, *(f"l{number}" for number in range(NAMED + 3)))
    assert str(bench.ask(do="block", link="x")["error"]).endswith(f"l{NAMED - 1} to office and 3 more")

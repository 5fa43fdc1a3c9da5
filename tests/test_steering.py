"""Steering: links are blocked, added, set and removed while the node runs, and what is wrong is one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg.config import load
from alagg.steering import BLOCKED, LEAVING, NAMED, Steering
from alagg.system import HostError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alagg.config import Config


def config(folder: Path, *links: str) -> Config:
    text = "[alagg]\n[peer office]\ndestinations = 10.99.0.2\n"
    for number, link in enumerate(links):
        text += f"[link {link}]\ninterface = eth{number}\nmac = 02:00:00:00:00:{number:02x}\n"
    path = folder / "alagg.cfg"
    path.write_text(text)
    return load(path)


class Bench:
    """A node that is steered."""

    def __init__(self, folder: Path) -> None:
        self.config = config(folder, "wan", "lan")
        self.told: list[list[tuple[str, str, str]]] = []
        self.events: list[str] = []
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.refusal: HostError | None = None
        self.steering = Steering(self)

    def hold(self, source: str, held: list[tuple[str, str, str, str]]) -> None:
        assert source == "operator"
        assert all(state == "blocked" for _, _, state, _ in held)
        self.told.append([(peer, link, reason) for peer, link, _, reason in held])

    def take(self, config: Config) -> None:
        if self.refusal:
            raise self.refusal
        self.config = config
        self.steering.keep(config)

    def call_in(self, seconds: float, call: Callable[[], None]) -> None:
        self.later.append((seconds, call))

    def publish(self, kind: str, text: str) -> None:
        self.events.append(f"{kind}: {text}")

    def ask(self, **asked: Any) -> Any:
        return self.ask_text(json.dumps(asked))

    def ask_text(self, text: str) -> Any:
        answers: list[dict[str, object]] = []
        self.steering.ask(text, answers.append)
        while self.later:
            self.later.pop()[1]()
        (answer,) = answers
        return answer

    def names(self) -> list[str]:
        return [link.name for link in self.config.links]

    def differing(self) -> list[tuple[str, str]]:
        return [(one["link"], one["text"]) for one in self.ask(do="show")["differences"]]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_link_is_blocked_and_freed(bench: Bench) -> None:
    answer = bench.ask(do="block", link="wan", peer=None)
    assert (answer["ok"], answer["text"], answer["peer"]) == (True, "link wan to office is blocked", "office")
    assert bench.ask(do="block", link="wan", peer="office") == answer
    assert bench.ask(do="block", link="lan")["ok"]
    assert bench.ask(do="unblock", link="wan")["text"] == "link wan to office is unblocked"
    assert bench.told[1:] == [
        [("office", "wan", BLOCKED)], [("office", "wan", BLOCKED), ("office", "lan", BLOCKED)],
        [("office", "lan", BLOCKED)],
    ]


def test_it_holds_over_a_reload_as_long_as_there_is_such_a_link(bench: Bench, tmp_path: Path) -> None:
    bench.steering.keep(bench.config)
    assert bench.told == []
    bench.ask(do="block", link="wan")
    bench.steering.keep(config(tmp_path, "lan", "wan"))
    assert bench.told[-1] == [("office", "wan", BLOCKED)]
    bench.steering.keep(config(tmp_path, "lan"))
    assert not bench.told[-1]


def test_a_link_is_added_and_the_file_stays(bench: Bench) -> None:
    keys = {"interface": "eth7", "mac": "02:00:00:00:00:07", "weight": "2"}
    answer = bench.ask(do="add", link="sat", values=keys)
    assert (answer["text"], answer["section"]) == ("link sat to office is added", keys)
    assert answer["file"] == str(bench.config.path)
    assert answer["warnings"] == ["[link sat] weight: the scheduler redundant does not read it; it changes nothing"]
    assert bench.names() == ["wan", "lan", "sat"]
    assert bench.told == []
    assert bench.events == ["steered: link sat to office is added"]
    assert bench.differing() == [("sat", "added while the node runs")]
    assert "eth7" not in bench.config.path.read_text()


def test_keys_of_a_link_are_set_at_once(bench: Bench) -> None:
    answer = bench.ask(do="set", link="wan", peer="office", values={"rate": "5mbit"})
    assert answer["text"] == "link wan to office goes by rate = 5mbit"
    assert bench.config.links[0].rate == 5_000_000
    assert bench.told == []
    assert bench.differing() == [("wan", "rate = 5mbit (file: nothing)")]
    assert bench.ask(do="set", link="wan")["section"]["rate"] == "5mbit"


@pytest.mark.parametrize("also", [False, True], ids=["alone", "another one is blocked"])
@pytest.mark.parametrize("asked", [{"do": "remove"}, {"do": "set", "values": {"interface": "eth9"}}])
def test_a_link_that_goes_away_is_blocked_first(bench: Bench, asked: dict[str, Any], also: bool) -> None:  # noqa: FBT001
    answers: list[dict[str, object]] = []
    if also:
        bench.ask(do="block", link="lan")
    bench.steering.ask(json.dumps({"link": "wan", **asked}), answers.append)
    held = [("office", "lan", BLOCKED)] if also else []
    assert bench.told[-1] == [*held, ("office", "wan", LEAVING)]
    assert (answers, bench.names()) == ([], ["wan", "lan"])
    ((seconds, leave),) = bench.later
    assert seconds == pytest.approx(0.4)
    leave()
    assert answers[0]["ok"]
    assert bench.told[-1] == held
    assert bench.names() == (["lan"] if asked["do"] == "remove" else ["wan", "lan"])
    assert [link for link, _ in bench.differing()] == ["wan"]


def test_what_the_host_refuses_leaves_the_link_as_it_was(bench: Bench) -> None:
    bench.refusal = HostError("no room")
    assert bench.ask(do="remove", link="wan") == {"error": "no room"}
    assert bench.ask(do="set", link="wan", values={"rate": "5mbit"}) == {"error": "no room"}
    assert bench.names() == ["wan", "lan"]
    assert not bench.told[-1]


def test_two_who_take_the_same_link_away(bench: Bench) -> None:
    answers: list[dict[str, object]] = []
    for _ in range(2):
        bench.steering.ask('{"do": "remove", "link": "wan"}', answers.append)
    for _, leave in bench.later:
        leave()
    first, second = answers
    assert first["ok"]
    assert second["error"] == "no link wan; there are: lan to office; did you mean lan?"


def test_a_reload_returns_to_the_file_and_says_so(bench: Bench) -> None:
    bench.ask(do="set", link="wan", values={"rate": "5mbit"})
    bench.ask(do="set", link="lan", values={"weight": "7"})
    before = bench.config
    path = bench.config.path
    path.write_text(path.read_text() + "weight = 7\n")
    bench.config = load(path)
    assert bench.steering.returned(before, bench.config) == [
        "link wan is again as in the file: it was changed while the node ran"
    ]
    assert bench.differing() == []
    assert bench.steering.returned(bench.config, bench.config) == []


def test_a_file_that_is_wrong_now_is_compared_as_it_was(bench: Bench) -> None:
    bench.ask(do="set", link="wan", values={"rate": "5mbit"})
    bench.config.path.write_text("nonsense")
    assert bench.differing() == [("wan", "rate = 5mbit (file: nothing)")]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"do": "set", "link": "wan", "values": {"rate": "7"}}, "[link wan] rate = 7: allowed: empty for no limit"),
        ({"do": "set", "link": "wan", "values": {"rat": "7"}}, "[link wan] rat = 7: unknown key; allowed: "),
        ({"do": "add", "link": "x y", "values": {}}, "[link x y] is not a section; allowed: "),
        ({"do": "add", "link": "sat"}, "[link sat] interface: is missing; allowed: "),
        ({"do": "add", "link": "sat", "peer": "offce"}, "[link sat] peer = offce: no such peer; allowed: office"),
        ({"do": "set", "link": "wan", "values": {"mac": "a\n[alagg]"}}, "[link wan] mac = a [alagg]: allowed: "),
    ],
)
def test_what_no_file_may_say_is_refused_in_the_same_words(bench: Bench, asked: Any, error: str) -> None:
    answer = bench.ask(**asked)
    assert answer["error"].startswith(error)
    assert answer["kind"] == "config"
    assert bench.names() == ["wan", "lan"]
    assert bench.told == []


def test_a_peer_keeps_a_link(bench: Bench) -> None:
    assert bench.ask(do="remove", link="wan")["ok"]
    assert bench.ask(do="remove", link="lan")["error"].startswith("[peer office] has no link; allowed: ")
    assert bench.names() == ["lan"]


@pytest.mark.parametrize(
    "text",
    [
        "", "wan", "[]", "7", '{"do": "block"}', '{"link": "wan"}', "[" * 100_000, '{"do": "block", "link": 7}',
        '{"do": "set", "link": "wan", "values": 7}', '{"do": "set", "link": "wan", "values": {"rate": 7}}',
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused_with_what_is_allowed(bench: Bench, text: str) -> None:
    assert bench.ask_text(text)["error"].startswith('allowed: link {"do": ')
    assert bench.told == []


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"do": "burn", "link": "wan"}, "a link cannot be 'burn'; allowed: show, block, unblock, add, set, remove"),
        ({"do": ["block"], "link": "wan"}, "a link cannot be ['block']; allowed: show, block, unblock, "),
        ({"do": "block", "link": "van"}, "no link van; there are: wan to office, lan to office; did you mean wan?"),
        ({"do": "add", "link": "wan"}, "a link wan is there, to office; allowed: set, or another name"),
        ({"do": "block", "link": "wan", "peer": "x"}, "no link wan to x; there are: wan to office, lan to office"),
    ],
)
def test_what_is_not_there_is_one_line(bench: Bench, asked: dict[str, object], error: str) -> None:
    assert bench.ask(**asked)["error"].startswith(error)


def test_of_many_links_some_are_named(bench: Bench, tmp_path: Path) -> None:
    bench.config = config(tmp_path, *(f"l{number}" for number in range(NAMED + 3)))
    assert bench.ask(do="block", link="x")["error"].endswith(f"l{NAMED - 1} to office and 3 more")

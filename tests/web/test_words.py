"""The verdict in a browser: the same lines as in the terminal, each with how bad it is."""

from __future__ import annotations

from alagg import verdict
from alagg.web.words import verdict_of
from tests.web.fake_node import link, status


def test_all_is_well() -> None:
    told = verdict_of(status(link("fibre")))
    assert told["level"] == "ok"
    assert told["lines"] == []
    assert told["links"] == [{"peer": "office", "name": "fibre", "faults": []}]


def test_words_are_the_terminal_s() -> None:
    says = status(link("fibre"), link("copper", state="silent", reason="the peer does not answer"))
    told = verdict_of(says)
    head, *lines = verdict.lines(says)
    assert (told["level"], told["text"]) == ("bad", head.plain)
    assert [line["text"] for line in told["lines"]] == [line.plain.strip() for line in lines]
    assert told["lines"][0] == {"level": "bad", "text": "copper: the peer does not answer"}
    assert told["links"][1]["faults"] == ["the peer does not answer"]


def test_what_is_only_to_be_known_is_no_fault() -> None:
    told = verdict_of(status(link("fibre"), put_back=[{"what": ["a rule"], "times": 1, "seconds_ago": 600.0}]))
    assert (told["level"], told["lines"][0]["level"]) == ("ok", "note")


def test_status_that_says_nothing() -> None:
    assert verdict_of({})["links"] == []

"""`alagg link show`: the links that the line names, in words or as JSON; one line for a name that is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg import cli
from alagg.cli import link

if TYPE_CHECKING:
    from pathlib import Path

FIBRE: dict[str, Any] = {
    "name": "fibre",
    "peer": "office",
    "type": "ethernet",
    "interface": "eth0",
    "state": "silent",
    "reason": "3 probes without an answer",
    "rtt_ms": 1.25,
    "loss": None,
    "tx_bytes": 12345,
}
RADIO: dict[str, Any] = {"name": "radio", "peer": "boat", "type": "ethernet", "state": "up", "reason": ""}

COAX = RADIO | {"name": "coax"}


@pytest.fixture(autouse=True)
def _node(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_socket_path: Path, command: str) -> dict[str, Any]:
        verb, _, text = command.partition(" ")
        if verb == "link":
            asked = json.loads(text)
            return {"ok": True, "text": f"link {asked['link']} is {asked['do']}ed", "peer": asked["peer"] or "boat"}
        assert command == "status"
        return {"links": [FIBRE, RADIO, COAX]}

    monkeypatch.setattr(link, "request", answer)


def test_a_link_with_its_state_reason_and_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["link", "show", "fibre"]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert shown == [
        "link fibre",
        "peer: office",
        "type: ethernet",
        "interface: eth0",
        "state: silent (3 probes without an answer)",
        "round trip: 1.25 ms",
        "sent: 12,345 bytes",
    ]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [([], ["fibre", "radio", "coax"]), (["radio"], ["radio"]), (["--peer", "office"], ["fibre"])],
)
def test_json(arguments: list[str], names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["link", "show", "--json", *arguments]) == 0
    assert [shown["name"] for shown in json.loads(capsys.readouterr().out)["links"]] == names


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["fiber"], "no link fiber; there are: fibre, radio, coax"),
        (["radio", "--peer", "office"], "no link radio to peer office; there are: fibre"),
        (["--peer", "ofice"], "no peer ofice; there are: boat, office"),
    ],
)
def test_a_name_that_is_none(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["link", "show", *arguments]) == 1
    assert capsys.readouterr().err == f"alagg: {complaint}\n"


def test_a_node_without_links(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(link, "request", lambda *_: {"links": []})
    assert cli.main(["link", "show"]) == 1
    assert capsys.readouterr().err == "alagg: the node has no link\n"


@pytest.mark.parametrize("verb", ["block", "unblock"])
def test_a_link_is_steered_by_the_node(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["link", verb, "radio", "--peer", "boat"]) == 0
    assert capsys.readouterr() == (f"link radio is {verb}ed\n", "")


def test_who_blocks_the_last_link_that_is_up_is_warned(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["link", "block", "fibre", "--peer", "office"]) == 0
    assert capsys.readouterr() == ("link fibre is blocked\n", "warning: no other link to office is up\n")

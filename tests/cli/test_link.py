"""`alagg link`: shows, changes and saves the links that the line names; one line for a name that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alagg import cli
from alagg.cli import link
from alagg.control.client import NodeRefusesError

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
DIFFERENCES = [
    {"link": "radio", "what": "changed", "keys": {}, "text": "weight = 3 (file: 1)"},
    {"link": "sat", "what": "removed", "keys": {}, "text": "removed while the node runs"},
]


@pytest.fixture(autouse=True)
def _node(monkeypatch: pytest.MonkeyPatch, config_file: Path) -> None:
    def answer(_socket_path: Path, command: str, timeout: float = 0) -> dict[str, Any]:
        verb, _, text = command.partition(" ")
        if verb == "link":
            asked = json.loads(text)
            if asked["do"] == "show":
                return {"file": "/etc/a.cfg", "differences": DIFFERENCES}
            said = f"link {asked['link']} is {asked['do']}ed"
            return {
                "ok": True, "text": said, "peer": asked["peer"] or "boat", "file": str(config_file),
                "section": {"interface": "eth0", "mac": "52:54:00:12:34:56", **asked["values"]},
            }  # fmt: skip
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
    monkeypatch.setattr(link, "request", lambda *_: {"links": [], "differences": []})
    assert cli.main(["link", "show"]) == 1
    assert capsys.readouterr().err == "alagg: the node has no link\n"


@pytest.mark.parametrize("verb", ["block", "unblock"])
def test_a_link_is_steered_by_the_node(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["link", verb, "radio", "--peer", "boat"]) == 0
    assert capsys.readouterr() == (f"link radio is {verb}ed\n", "")


def test_who_blocks_the_last_link_that_is_up_is_warned(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["link", "block", "fibre", "--peer", "office"]) == 0
    assert capsys.readouterr() == ("link fibre is blocked\n", "warning: no other link to office is up\n")


@pytest.mark.parametrize("state", ["up", "suspect", "standby", "silent", "blocked"])
def test_nobody_is_warned_whose_other_link_takes_over(
    state: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COAX, "state", state)
    assert cli.main(["link", "block", "radio", "--peer", "boat"]) == 0
    assert bool(capsys.readouterr().err) == (state in ("silent", "blocked"))


def test_what_differs_from_the_file_is_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["link", "show"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "differs from file: weight = 3 (file: 1)" in words
    assert "removed while the node runs, and still in /etc/a.cfg: sat" in words
    assert cli.main(["link", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [one["differs"] for one in shown["links"]] == ["", "weight = 3 (file: 1)", ""]
    assert shown["removed"] == ["sat"]


@pytest.mark.parametrize(
    "line", [["add", "sat", "interface=eth7"], ["set", "fibre", "rate=5mbit", "weight = 3"], ["remove", "fibre"]]
)
def test_a_change_says_that_the_file_stays(
    line: list[str], config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = config_file.read_text()
    assert cli.main(["link", *line]) == 0
    said = f"{config_file} stays as it is, and a reload returns to it; --save writes this there\n"
    assert capsys.readouterr().out == f"link {line[1]} is {line[0]}ed\n{said}"
    assert config_file.read_text() == before


def test_a_change_is_saved(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["link", "set", "fibre", "rate=5mbit", "--save"]) == 0
    assert capsys.readouterr().out == f"link fibre is seted\nsaved: {config_file}\n"
    assert "rate = 5mbit\n" in config_file.read_text()


def test_what_cannot_be_saved_is_one_line(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file.write_text("nonsense")
    assert cli.main(["link", "set", "fibre", "rate=5mbit", "--save"]) == 1
    begins = f"alagg: {config_file}: not saved, though the running node goes by it: line 1: "
    assert capsys.readouterr().err.startswith(begins)
    config_file.unlink()
    assert cli.main(["link", "set", "fibre", "--save"]) == 1
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (["set", "fibre"], "alagg: nothing is set; allowed: KEY=VALUE, such as rate=20mbit, or --save\n"),
        (["set", "fibre", "rate"], "alagg: argument KEY=VALUE: 'rate' is not understood; allowed: KEY=VALUE"),
        (["block"], "alagg: the following arguments are required: NAME; see alagg link block --help\n"),
    ],
)
def test_a_wrong_line(line: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["link", *line]) == 2
    assert capsys.readouterr().err.startswith(error)


@pytest.mark.parametrize(("kind", "status"), [("config", 2), ("", 1)])
def test_what_the_node_refuses(
    kind: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NodeRefusesError(Path("/run/a.sock"), "rate = 7", kind)

    monkeypatch.setattr(link, "request", refuse)
    assert cli.main(["link", "set", "fibre", "rate=7"]) == status
    assert capsys.readouterr().err == "alagg: the node at /run/a.sock refuses: rate = 7\n"

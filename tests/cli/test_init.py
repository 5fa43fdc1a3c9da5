"""`alagg init`: what it asks, what it takes without asking, and that it replaces nothing unasked."""

from __future__ import annotations

import builtins
import ipaddress
import sys
from typing import TYPE_CHECKING, Any

import pytest

from alagg import cli, config
from alagg.cli import check, init
from alagg.setup.meeting import Found, Pair
from alagg.system import netlink
from alagg.system.netlink import Interface, Place

if TYPE_CHECKING:
    from pathlib import Path

OWN, FAR = bytes.fromhex("020000006100"), bytes.fromhex("020000006200")
B = Found("b", (ipaddress.ip_address("10.99.0.2"), ipaddress.ip_address("fd99::2")), heard_us=True)
B.seen[OWN, FAR] = Pair("eth0", OWN, FAR, "enp3s0")


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> list[Found]:
    """Give a host with two interfaces, and those who are found on them: nobody at first."""
    found: list[Found] = []
    interfaces = [Interface(at + 1, f"eth{at}", OWN, 1500, up=True, carrier=True, type=1) for at in (0, 1)]
    lo = Interface(9, "lo", bytes(6), 65536, up=True, carrier=True, type=772)
    places = [Place(1, ipaddress.ip_address("10.99.0.1"), ipaddress.ip_network("10.99.0.0/24")),
              Place(1, ipaddress.ip_address("fe80::1"), ipaddress.ip_network("fe80::/64")),
              Place(7, ipaddress.ip_address("172.17.0.1"), ipaddress.ip_network("172.17.0.0/16"))]  # fmt: skip
    monkeypatch.setattr(netlink, "interfaces", lambda: [lo, *interfaces])
    monkeypatch.setattr(netlink, "places", lambda: places)
    monkeypatch.setattr(init, "meet", lambda *_: found)
    monkeypatch.setattr(check, "report", lambda _: 0)
    monkeypatch.setattr(init, "_own_name", lambda: "a")
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alagg.cfg"


def answers(monkeypatch: pytest.MonkeyPatch, *texts: str) -> list[str]:
    """Have somebody sit at a terminal who answers so; give what was asked."""
    asked: list[str] = []
    waiting = iter(texts)

    def answer(question: str) -> str:
        asked.append(question)
        return next(waiting)

    monkeypatch.setattr(builtins, "input", answer)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    return asked


def run(path: Path, *flags: str) -> int:
    return cli.main(["init", "--config", str(path), *flags])


def links(path: Path) -> list[tuple[Any, ...]]:
    return [(link.name, link.interface, link.mac.hex(":")) for link in config.load(path).links]


def test_what_is_found_is_taken_without_a_question(path: Path, host: list[Found]) -> None:
    host.append(B)
    assert run(path, "--yes") == 0
    assert links(path) == [("eth0", "eth0", FAR.hex(":"))]
    other = path.with_name("alagg-for-b.cfg")
    assert links(other) == [("enp3s0", "enp3s0", OWN.hex(":"))]
    assert [str(one) for one in config.load(other).peers[0].destinations] == ["10.99.0.1/32"]


def test_everything_can_be_answered_by_return(
    monkeypatch: pytest.MonkeyPatch, path: Path, host: list[Found]
) -> None:
    host.append(B)
    asked = answers(monkeypatch, "", "", "")
    assert run(path) == 0
    assert asked == [
        "Interfaces that lead to the other host [eth0, eth1]: ",
        "This host's addresses to which the other one sends [10.99.0.1]: ",
        "Is that the other host [yes]: ",
    ]
    assert links(path) == [("eth0", "eth0", FAR.hex(":"))]


def test_somebody_else_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, path: Path, host: list[Found], capsys: pytest.CaptureFixture[str]
) -> None:
    host.append(B)
    answers(monkeypatch, "", "", "no")
    assert run(path) == 1
    assert "that is not the other host" in capsys.readouterr().err
    assert not path.exists()


def test_wrong_answer_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = answers(monkeypatch, "eth0", "nonsense", "10.99.0.1", "", "10.99.0.2, fd99::2", "")
    assert run(path) == 0
    assert len(asked) == 6
    assert "nonsense: allowed: an IPv4 or IPv6 address" in capsys.readouterr().err
    assert config.load(path).links[0].finds
    assert config.load(path).peers[0].name == "peer"


def test_nobody_is_found_and_nothing_is_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(path, "--yes") == 1
    assert "nobody was found on eth0, eth1; allowed: --interface NAME and --destination IP" in capsys.readouterr().err
    assert not path.exists()


def test_links_find_the_peer_by_themselves_that_was_not_found(path: Path) -> None:
    assert run(path, "--yes", "--interface", "eth0", "--interface", "eth1", "--destination", "10.99.0.2") == 0
    assert all(link.finds for link in config.load(path).links)
    other = path.with_name("alagg-for-peer.cfg")
    assert "# the name of the interface over there that leads to a's eth0" in other.read_text()
    assert [link.mac for link in config.load(other).links] == [OWN, OWN]


def test_udp_link_waits_on_the_other_side(path: Path) -> None:
    assert run(path, "--yes", "--remote", "192.0.2.1:7311", "--destination", "10.99.0.2") == 0
    (link,) = config.load(path.with_name("alagg-for-peer.cfg")).links
    assert (link.type, str(link.local)) == ("udp", "0.0.0.0:7311")
    assert run(path, "--force", "--yes", "--remote", "[2001:db8::1]:7311", "--destination", "10.99.0.2") == 0
    assert "[::]:7311" in path.with_name("alagg-for-peer.cfg").read_text()


@pytest.mark.parametrize("which", ["alagg.cfg", "alagg-for-b.cfg"])
def test_nothing_is_replaced_unasked(
    path: Path, host: list[Found], which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    host.append(B)
    path.with_name(which).write_text("mine")
    assert run(path, "--yes") == 1
    assert f"{which}: is there already; allowed: another --config, or --force" in capsys.readouterr().err
    assert [one.name for one in path.parent.iterdir()] == [which]
    assert run(path, "--yes", "--force") == 0
    assert links(path)


def test_one_of_several_is_named(path: Path, host: list[Found], capsys: pytest.CaptureFixture[str]) -> None:
    host += [B, Found("c", B.addresses, seen=B.seen)]
    assert run(path, "--yes") == 1
    assert "several hosts are there: b (10.99.0.2, fd99::2): eth0 to enp3s0 02:00:00:00:62:00; c" in (
        capsys.readouterr().err
    )
    assert run(path, "--yes", "--peer", "b") == 0


@pytest.mark.parametrize(
    ("flags", "said", "status"),
    [
        (["--interface", "eth7"], "no interface eth7 that could be a link; there are: eth0, eth1", 1),
        (["--address", "x"], "x: allowed: an IPv4 or IPv6 address", 2),
        (["--destination", "::/0"], "::/0: allowed: addresses and networks of the peer", 2),
        (["--remote", "host"], "host: allowed:", 2),
        (["--wait", "-1"], "-1: allowed: 0 to 3600", 2),
        (["--name", "two words"], "allowed: one word", 2),
        (["--interface", "eth0", "--wait", "0"], "not known: the other host's addresses", 1),
    ],
)
def test_wrong_flags(
    path: Path, flags: list[str], said: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(path, "--yes", *flags) == status
    assert said in capsys.readouterr().err
    assert not path.exists()

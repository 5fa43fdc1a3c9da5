"""Options that contradict each other: refused where it cannot work, warned of where it may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg import config, consistency
from alagg.config import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

PEER = "[peer office]\ndestinations = 10.99.0.0/24, fd99::2\n"
FIBRE = "[link fibre]\npeer = office\ninterface = eth0\nmac = 52:54:00:12:34:56\n"
COPPER = "[link copper]\npeer = office\ninterface = eth1\nmac = 52:54:00:12:34:57\n"
HOME = "[peer home]\ndestinations = 10.98.0.2\n"
RADIO = "[link radio]\npeer = home\ninterface = eth2\nmac = 52:54:00:12:34:58\n"
TBF = "pacing = tbf\n"
OTHER = COPPER.replace("eth1", "eth0")
LINKS = FIBRE + COPPER


def load(path: Path, text: str) -> config.Config:
    file = path / "alagg.cfg"
    file.write_text(f"[alagg]\n{text}")
    return config.load(file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PEER + "copies = 5\n" + LINKS, "[peer office] copies = 5: it has 2 links; allowed: all, or at most"),
        ("copies = 3\n" + PEER + LINKS, "[peer office] copies = 3: it has 2 links"),
        ("scheduler = round-robin\ncopies = 2\n" + PEER + LINKS, "copies = 2: round-robin sends each packet once"),
        (PEER + "scheduler = round-robin\ncopies = 2\n" + LINKS, "allowed: all, or scheduler = redundant"),
        ("xdp = yes\n" + PEER + LINKS + TBF + "rate = 1mbit\n", "[link copper] pacing = tbf: xdp = yes sends past"),
        (PEER + FIBRE + TBF + "rate = 1mbit\n" + OTHER + TBF + "rate = 2mbit\n", "a different rate"),
        ("networks = 10.99.0.0/24\n" + PEER + LINKS, "networks = 10.99.0.0/24: is in [peer office]'s"),
        ("addresses = fd99::2\n" + PEER + LINKS, "addresses = fd99::2/128: is in [peer office]'s"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, text)
    assert says in str(refused.value)
    assert "allowed: " in str(refused.value)


def test_a_hub_may_let_its_peers_send_to_each_other(tmp_path: Path) -> None:
    hub = load(tmp_path, "networks = 10.99.0.0/24, 10.98.0.2\nchains = FORWARD\n" + PEER + LINKS + HOME + RADIO)
    assert len(hub.networks) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PEER + FIBRE + "when_capped = warn\n", "[link fibre] when_capped: without a cap it changes nothing"),
        (
            PEER + FIBRE + "cap = 5GB/month\n",
            "[link fibre] cap: each link of [peer office] has one that blocks it; when all are used up, the peer",
        ),
        (PEER + FIBRE + "backup = yes\n", "[link fibre] backup = yes: each link of [peer office] is one; no use"),
        (PEER + FIBRE + "weight = 20\n" + COPPER, "[link fibre] weight: the scheduler redundant does not read it"),
        ("copies = 2\n" + PEER + LINKS + HOME + RADIO, "[peer home] copies = 2: it has 1 link; each packet goes"),
        ("addresses = 10.99.0.1, fd99::1\n" + PEER + LINKS, "addresses = 10.99.0.1/32: lies within 10.99.0.0/24"),
        ("networks = 10.99.0.128/25\nchains = FORWARD\n" + PEER + LINKS, "networks = 10.99.0.128/25: lies within"),
        (PEER + LINKS + TBF, "[link copper] pacing = tbf: without a rate it changes nothing"),
        (PEER.replace("10.99.0.0/24", "128.0.0.0/1") + LINKS, "128.0.0.0/1: contains multicast (224.0.0.0/4)"),
        ("addresses = 10.97.0.1\n" + PEER + LINKS, "addresses: has no IPv6 address"),
        ("chains = OUTPUT, FORWARD\n" + PEER + LINKS, "networks is empty"),
        ("networks = 10.97.0.0/16\n" + PEER + LINKS, "chains lacks FORWARD"),
    ],
)  # fmt: skip
def test_what_may_not_work_is_warned_of(tmp_path: Path, text: str, says: str) -> None:
    (line,) = consistency.warnings(load(tmp_path, text))
    assert says in line


@pytest.mark.parametrize(
    "text",
    [
        PEER + LINKS,
        "copies = 2\n" + PEER + LINKS,
        "copies = 2\n" + PEER + LINKS + HOME + "scheduler = round-robin\n" + RADIO,
        "scheduler = round-robin\ncopies = all\n" + PEER + LINKS,
        "networks = 10.97.0.0/16\nchains = OUTPUT, FORWARD\n" + PEER + LINKS,
        "addresses = 10.97.0.1, fd97::1\n" + PEER + LINKS + "rate = 1mbit\n",
    ],
)
def test_what_fits_is_taken_in_silence(tmp_path: Path, text: str) -> None:
    assert consistency.warnings(load(tmp_path, text)) == []

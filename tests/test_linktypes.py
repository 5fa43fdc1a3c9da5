"""What a link of each type needs, and has not; `tests/test_config.py` has what a user reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg.config import LINK, ConfigError, load
from alagg.linktypes import FOREIGN, NEEDED, overhead
from alagg.ports import PORTS

if TYPE_CHECKING:
    from pathlib import Path


def test_every_type_says_what_it_needs_and_has_not() -> None:
    keys = {option.key for option in LINK}
    for kind in PORTS:
        assert set(NEEDED[kind]) <= keys
        assert set(FOREIGN[kind]) <= keys
        assert not set(NEEDED[kind]) & set(FOREIGN[kind])


@pytest.mark.parametrize(("ends", "bytes_around"), [
    ("remote = 192.0.2.1:7", 28), ("remote = [2001:db8::1]:7", 48), ("remote = hub.example:7", 48),
    ("local = 0.0.0.0:7", 28), ("local = [::]:7", 48), ("local = [::]:7\nremote = 192.0.2.1:7", 28),
])
def test_overhead_is_that_of_ip_and_udp(tmp_path: Path, ends: str, bytes_around: int) -> None:
    path = tmp_path / "alagg.cfg"
    path.write_text(f"[peer far]\ndestinations = 10.0.0.2\n[link wan]\ntype = udp\n{ends}\n", encoding="utf-8")
    assert overhead(load(path).links[0]) == bytes_around


@pytest.mark.parametrize(("text", "wrong"), [
    ("[alagg]\nworkers = 2\n[link a]\ntype = udp\nlocal = 0.0.0.0:7\n", "allowed: workers = 1"),
    ("".join(f"[link {name}]\ntype = udp\nlocal = 0.0.0.0:7\nremote = 192.0.2.1:7\n" for name in "ab"),
     "each pair of local and remote once"),
    ("[link a]\ntype = udp\nlocal = 0.0.0.0:7\n[link b]\ntype = udp\nlocal = 0.0.0.0:7\ninterface = eth0\n",
     "an interface for both"),
])
def test_udp_links_that_contradict_each_other_are_refused(tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "alagg.cfg"
    path.write_text(f"{text}[peer far]\ndestinations = 10.0.0.2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=wrong):
        load(path)


def test_two_links_may_wait_at_one_place(tmp_path: Path) -> None:
    path = tmp_path / "alagg.cfg"
    both = "".join(f"[link {name}]\ntype = udp\nlocal = 0.0.0.0:7\n" for name in "ab")
    path.write_text(f"[peer far]\ndestinations = 10.0.0.2\n{both}", encoding="utf-8")
    assert len(load(path).links) == 2

"""What comes to an interface beside the frames of its peers is heard, within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google_crc32c import value as crc32c

from alagg.engine import header
from alagg.ports.listener import NAMED, Listener
from tests.ports.conftest import ETHERTYPE, STRANGER, ethernet, inside, mac

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from alagg.lab.topology import Lab

pytestmark = pytest.mark.netns

COOKIE = bytes(range(8))
PROBE = header.encode(header.PROBE, 7, 0, 0, 0, 0, 0, 0, len(COOKIE), crc32c(COOKIE)) + COOKIE
OTHER = bytes.fromhex("020000008888")


@pytest.fixture
def listener(lab: Lab) -> Iterator[Listener]:
    with inside(lab.b):
        made = Listener("eth0", ETHERTYPE)
    yield made
    made.close()
    made.close()


def test_frames_of_peers_to_us_are_no_news(lab: Lab, wire: socket.socket, listener: Listener) -> None:
    wire.send(ethernet(mac(lab.b), mac(lab.a), b"x" * 60))
    wire.send(ethernet(mac(lab.b), STRANGER, b"x" * 60, 0x88B6))
    wire.send(ethernet(mac(lab.b), mac(lab.a), PROBE, 0x0800))
    wire.send(ethernet(mac(lab.b), mac(lab.a), PROBE[:-1] + b"x", 0x88B6))
    wire.send(ethernet(b"\xff" * 6, mac(lab.a), b"x" * 60))
    assert listener.heard({mac(lab.a)}) == ()


def test_others_and_other_addresses_are_heard_once(lab: Lab, wire: socket.socket, listener: Listener) -> None:
    for _ in range(3):
        wire.send(ethernet(mac(lab.b), STRANGER, b"x" * 60))
        wire.send(ethernet(OTHER, mac(lab.a), b"x" * 60))
    assert listener.heard({mac(lab.a)}) == (
        "0x88b5 comes here from 02:00:00:00:99:99",
        "0x88b5 comes here for 02:00:00:00:88:88, which is not here",
    )
    assert listener.heard({mac(lab.a)}) == ()


@pytest.mark.parametrize("ethertype", [0x88B6, 0x9999])
def test_frames_of_ours_by_another_ethertype_are_named(
    lab: Lab, wire: socket.socket, listener: Listener, ethertype: int
) -> None:
    wire.send(ethernet(mac(lab.b), mac(lab.a), PROBE + bytes(40), ethertype))
    (line,) = listener.heard({mac(lab.a)})
    assert line == (
        f"frames come here from {mac(lab.a).hex(':')} by EtherType 0x{ethertype:04x}: "
        "ethertype must be the same on both sides"
    )


def test_many_are_not_all_named(lab: Lab, wire: socket.socket, listener: Listener) -> None:
    for number in range(50):
        wire.send(ethernet(mac(lab.b), STRANGER[:5] + bytes([number]), b"x" * 60))
    assert len(listener.heard(())) == NAMED


def test_interface_that_is_not_there_or_goes_is_no_trouble(lab: Lab, listener: Listener) -> None:
    with inside(lab.b), pytest.raises(OSError, match="No such device"):
        Listener("eth7", ETHERTYPE)
    lab.b.ip("link set eth0 down")
    assert listener.heard(()) == ()

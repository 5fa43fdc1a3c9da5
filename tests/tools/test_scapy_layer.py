"""The scapy layer builds and reads the frames that the specification describes."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Padding, Raw

from alagg.engine.header import DATA, PROBE, SIZE, TYPES, decode, encode
from alagg.engine.specification import HEADER
from alagg.tools import scapy_layer
from alagg.tools.scapy_layer import ETHERTYPE, Alagg, Cookie

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "test-vectors.json").read_text())
ETHERNET = bytes(12) + ETHERTYPE.to_bytes(2, "big")


def by_name(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def fields_of(frame: Alagg) -> dict[str, int]:
    return {field.name.rstrip("_"): frame.getfieldval(field.name) for field in frame.fields_desc}


def test_vectors_have_the_layers_ethertype() -> None:
    assert VECTORS["ethertype"] == ETHERTYPE


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=by_name)
def test_valid_vector(vector: dict[str, Any]) -> None:
    header, payload, padding = (bytes.fromhex(vector[part]) for part in ("header", "payload", "padding"))
    packet = Ether(ETHERNET + header + payload + padding)
    frame = packet[Alagg]
    assert fields_of(frame) == vector["fields"]
    assert bytes(frame.payload) == payload + padding
    assert (packet[Padding].load if Padding in packet else b"") == padding
    assert frame.malformed() == ""
    assert bytes(packet) == ETHERNET + header + payload + padding


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=by_name)
def test_computes_length_and_checksum(vector: dict[str, Any]) -> None:
    given = dict(vector["fields"])
    del given["payload_length"], given["checksum"]
    given["class_"] = given.pop("class")
    built = Alagg(**given)
    built.add_payload(Raw(bytes.fromhex(vector["payload"])))
    assert bytes(built).hex() == vector["header"] + vector["payload"]
    assert built.malformed() == ""


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=by_name)
def test_invalid_vector(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["data"])
    packet = Ether(ETHERNET + data)
    if len(data) < SIZE:
        assert Alagg not in packet
    else:
        assert packet[Alagg].malformed() == vector["reason"]
        if vector["reason"] != "bad_checksum":
            assert vector["reason"] in packet[Alagg].mysummary() + packet.summary()


def test_what_is_given_is_not_computed() -> None:
    frame = Alagg(payload_length=3, checksum=1)
    frame.add_payload(b"four")
    assert HEADER.parse(bytes(frame)).payload_length == 3
    assert frame.malformed() == "bad_checksum"


def test_random_frames_agree_with_the_specification() -> None:
    random = Random(88)
    for _ in range(300):
        last_piece = random.choice([0, random.randrange(256)])
        values: dict[str, Any] = {
            "type": random.choice(sorted(TYPES)),
            "epoch": random.getrandbits(32),
            "sequence": random.getrandbits(32),
            "link_sequence": random.getrandbits(32),
            "lane": random.randrange(16),
            "link_id": random.randrange(256),
            "piece": random.randint(0, last_piece),
            "last_piece": last_piece,
        }
        payload = random.randbytes(random.randrange(64))
        data = bytes(Alagg(**values) / Raw(payload))
        parsed = HEADER.parse(data)
        assert {**parsed, **parsed.version_type, **parsed.class_lane}.items() >= values.items()
        assert decode(data)[-1] == payload


@pytest.mark.parametrize("inner", [IP(dst="10.99.0.2"), IPv6(dst="fd99::2")], ids=["ipv4", "ipv6"])
def test_whole_packets_are_read_on_and_pieces_are_not(inner: Any) -> None:
    whole = Ether(bytes(Ether() / Alagg() / inner / UDP() / b"hello"))
    assert whole[Alagg].payload.haslayer(UDP)
    piece = Ether(bytes(Ether() / Alagg(last_piece=1) / inner / UDP() / b"hello"))
    assert isinstance(piece[Alagg].payload, Raw)
    assert "piece 1/2 on link 0" in piece[Alagg].mysummary()


@pytest.mark.parametrize("odd", [{"version": 1}, {"flags": 1}, {"key": 1}, {"class_": 1}], ids=str)
def test_what_is_unknown_is_not_read_on(odd: dict[str, Any]) -> None:
    frame = Alagg(bytes(Alagg(**odd) / IP() / UDP()))
    assert isinstance(frame.payload, Raw)


def test_cookies() -> None:
    frame = Alagg(bytes(Alagg(type=PROBE) / Cookie(cookie=b"8 bytes.")))
    assert frame[Cookie].cookie == b"8 bytes."
    assert Cookie not in Alagg(bytes(Alagg(type=PROBE) / b"7 bytes"))


def test_reads_what_the_codec_writes() -> None:
    header = encode(DATA, 1, 2, 3, 4, 5, 0, 0, 0, 0)
    assert Alagg(header).malformed() == ""


def test_examples_in_the_documentation() -> None:
    assert doctest.testmod(scapy_layer).failed == 0

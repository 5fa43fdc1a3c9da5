"""The Wireshark dissector shows the fields of the specification, and the node's reason for each dropped frame."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest
from google_crc32c import value as crc32c

from alagg.engine.header import (
    CONTROL,
    COOKIE_SIZE,
    DATA,
    MALFORMED_REASONS,
    PROBE,
    PROBE_REPLY,
    SIZE,
    MalformedFrameError,
    decode,
    encode,
)
from alagg.engine.specification import HEADER
from alagg.ports.pcap import PcapFile
from alagg.tools import DISSECTOR

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "test-vectors.json").read_text())
NAMES = (
    "version",
    "type",
    "flags",
    "key",
    "payload_length",
    "epoch",
    "sequence",
    "class",
    "lane",
    "piece",
    "last_piece",
    "link_id",
    "link_sequence",
    "checksum",
)
EXTRAS = ("checksum.status", "first_sequence", "cookie", "payload", "padding", "malformed")
HEXADECIMAL = {"flags": "#04x", "epoch": "#010x", "checksum": "#010x"}
BAD, GOOD, UNVERIFIED = "0", "1", "2"


class Tshark:
    """Runs tshark with the dissector, away from the user's own settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "HOME": str(folder), "WIRESHARK_CONFIG_DIR": str(folder)}

    def run(self, *arguments: str, script: Path = DISSECTOR) -> str:
        command = ["tshark", "-X", f"lua_script:{script}", *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=self.environment)
        assert "Lua" not in done.stderr, done.stderr
        return done.stdout

    def capture(self, frames: list[bytes], ethertype: int = VECTORS["ethertype"]) -> str:
        file = PcapFile(self.folder / "frames.pcap", lambda: 0)
        for frame in frames:
            file.write(bytes.fromhex("020000000002020000000001") + ethertype.to_bytes(2, "big") + frame)
        file.close()
        return str(file.path)

    def fields(self, frames: list[bytes], *arguments: str) -> list[dict[str, str]]:
        """Give the first value of each field that the dissector shows for each frame."""
        names = [f"alagg.{name}" for name in (*NAMES, *EXTRAS)] + ["ip.len", "ipv6.plen"]
        wanted = [part for name in names for part in ("-e", name)]
        path = self.capture(frames)
        output = self.run("-r", path, "-T", "fields", "-E", "occurrence=f", "-E", "separator=|", *wanted, *arguments)
        rows = [line.split("|") for line in output.splitlines()]
        return [dict(zip((*NAMES, *EXTRAS, "ip", "ipv6"), row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def tshark(tmp_path_factory: pytest.TempPathFactory) -> Tshark:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    tool = Tshark(tmp_path_factory.mktemp("tshark"))
    # Some builds run no scripts for root (run_user_scripts_when_superuser in init.lua), some have no Lua at all.
    script = tool.folder / "hello.lua"
    script.write_text('print("scripts run")')
    if "scripts run" not in tool.run("-r", tool.capture([]), script=script):
        pytest.skip("this tshark runs no Lua scripts for this user")
    return tool


def expected(data: bytes) -> dict[str, str]:
    """Say what must be shown, from the specification and from the node's own verdict."""
    reason, payload = "", b""
    try:
        payload = decode(data)[-1]
    except MalformedFrameError as error:
        reason = error.reason
    if reason == "truncated":
        return {"malformed": reason}
    if reason == "unknown_version":
        return {"malformed": reason, "version": str(data[0] >> 4)}
    # The specification refuses flags; the dissector shows them.
    parsed = HEADER.parse(data[:1] + b"\0" + data[2:12] + bytes([data[12] & 0x0F]) + data[13:])
    values = {**parsed, **parsed.version_type, **parsed.class_lane, "flags": data[1] >> 4, "key": data[1] & 0x0F}
    values["class"] = data[12] >> 4
    shown = {name: format(values[name], HEXADECIMAL.get(name, "d")) for name in NAMES}
    shown["malformed"] = reason
    shown["padding"] = data[SIZE + values["payload_length"] :].hex()
    if values["last_piece"]:
        shown["first_sequence"] = str((values["sequence"] - values["piece"]) % 2**32)
    if not reason:
        shown["checksum.status"] = GOOD
        if values["type"] in (PROBE, PROBE_REPLY) and len(payload) >= COOKIE_SIZE:
            shown["cookie"] = payload[:COOKIE_SIZE].hex()
            shown["payload"] = payload[COOKIE_SIZE:].hex()
        elif values["type"] != DATA or values["last_piece"]:
            shown["payload"] = payload.hex()
    if reason == "bad_checksum":
        shown["checksum.status"] = BAD
    return shown


def random_frames(random: Random, count: int) -> list[bytes]:
    """Give frames of all kinds, many of them damaged."""
    frames = []
    for _ in range(count):
        last_piece = random.choice([0, 0, random.randrange(256)])
        payload = random.randbytes(random.choice([0, 1, 7, 8, 9, 100, 1476]))
        header = encode(
            random.choice([DATA, PROBE, PROBE_REPLY, CONTROL]), random.getrandbits(32), random.randrange(16),
            random.getrandbits(32), random.randrange(256), random.getrandbits(32), random.randint(0, last_piece),
            last_piece, len(payload), crc32c(payload),
        )
        data = bytearray(header + payload + random.choice([b"", random.randbytes(20)]))
        for _ in range(random.choice([0, 0, 1, 3])):
            data[random.randrange(random.choice([SIZE, len(data)]))] ^= 1 << random.randrange(8)
        frames.append(bytes(data[: random.choice([len(data), len(data), random.randint(1, len(data))])]))
    return frames


def check(shown: dict[str, str], data: bytes) -> None:
    for name, value in expected(data).items():
        assert shown[name] == value, (name, data.hex())


# Wireshark calls no dissector where there is no byte.
@pytest.mark.parametrize(
    "vector",
    VECTORS["valid"] + [vector for vector in VECTORS["invalid"] if vector["data"]],
    ids=lambda vector: str(vector["name"]),
)
def test_vector(tshark: Tshark, vector: dict[str, Any]) -> None:
    data = bytes.fromhex("".join(vector.get(part, "") for part in ("data", "header", "payload", "padding")))
    (shown,) = tshark.fields([data])
    check(shown, data)


def test_random_frames(tshark: Tshark) -> None:
    frames = random_frames(Random(88), 1500)
    rows = tshark.fields(frames)
    for shown, data in zip(rows, frames, strict=True):
        check(shown, data)
    assert {row["malformed"] for row in rows} == {"", *MALFORMED_REASONS}


def test_whole_packets_go_on_to_ip(tshark: Tshark) -> None:
    vectors = {vector["name"]: bytes.fromhex(vector["header"] + vector["payload"]) for vector in VECTORS["valid"]}
    ipv4, ipv6, piece = tshark.fields([vectors["ipv4"], vectors["ipv6"], vectors["split-1"]])
    assert (ipv4["ip"], ipv6["ipv6"], piece["ip"]) == ("40", "20", "")


def test_reasons_have_expert_items(tshark: Tshark) -> None:
    frames = [bytes.fromhex(vector["data"]) for vector in VECTORS["invalid"] if vector["data"]]
    path = tshark.capture(frames)
    for reason in MALFORMED_REASONS:
        found = tshark.run("-r", path, "-Y", f"alagg.expert.{reason}").splitlines()
        assert len(found) == sum(vector["reason"] == reason and vector["data"] != "" for vector in VECTORS["invalid"])


def test_copies_are_found_by_their_sequence(tshark: Tshark) -> None:
    frames = [bytes.fromhex(vector["header"] + vector["payload"]) for vector in VECTORS["valid"]]
    rows = tshark.fields(frames, "-Y", "alagg.epoch == 0x5eedcafe && alagg.sequence == 0 && alagg.type == 1")
    assert [row["link_id"] for row in rows] == ["0", "1", "0"]


def test_checksum_is_left_alone_on_request_or_when_the_capture_is_short(tshark: Tshark) -> None:
    damaged = next(bytes.fromhex(v["data"]) for v in VECTORS["invalid"] if v["name"] == "damaged-payload")
    (shown,) = tshark.fields([damaged], "-o", "alagg.verify:FALSE")
    assert (shown["checksum.status"], shown["malformed"]) == (UNVERIFIED, "")
    path = Path(tshark.capture([damaged]))
    data = path.read_bytes()
    # The same record as from `tcpdump -s 50`: 50 bytes captured of those on the wire.
    path.write_bytes(data[:32] + (50).to_bytes(4, "big") + data[36 : 40 + 50])
    output = tshark.run("-r", str(path), "-T", "fields", "-e", "alagg.checksum.status", "-e", "alagg.malformed")
    assert output.split() == [UNVERIFIED]


def test_ethertype_can_be_chosen(tshark: Tshark) -> None:
    frame = bytes.fromhex(VECTORS["valid"][0]["header"] + VECTORS["valid"][0]["payload"])
    path = tshark.capture([frame], ethertype=0x88B6)
    assert tshark.run("-r", path, "-Y", "alagg") == ""
    assert tshark.run("-r", path, "-Y", "alagg", "-o", f"alagg.ethertype:{0x88B6}") != ""
    path = tshark.capture([frame])
    assert tshark.run("-r", path, "-Y", "alagg", "-o", f"alagg.ethertype:{0x88B6}") == ""

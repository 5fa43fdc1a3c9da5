"""The header: document, test vectors, specification and fast codec say the same, and no damage goes unnoticed."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from google_crc32c import value as crc32c
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.fragment import split
from alagg.engine.header import (
    DATA,
    LANES,
    MALFORMED_REASONS,
    SIZE,
    TYPES,
    VERSION,
    Frame,
    MalformedFrameError,
    decode,
    encode,
    parse,
    write,
)
from alagg.engine.specification import HEADER, fields

DOCS = Path(__file__).parents[2] / "docs"
VECTORS: dict[str, Any] = json.loads((DOCS / "test-vectors.json").read_text())
VALID, INVALID = VECTORS["valid"], VECTORS["invalid"]
PROTOCOL = (DOCS / "protocol.md").read_text()


def by_name(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def frame_of(fields: dict[str, int], payload: bytes) -> Frame:
    return Frame(**{name: fields[name] for name in Frame._fields if name != "payload"}, payload=payload)


def encoded(frame: Frame) -> bytes:
    return encode(*frame[:-1], len(frame.payload), crc32c(frame.payload))


def specified(frame: Frame, checksum: int) -> dict[str, Any]:
    """Give a frame's header as the specification's values."""
    numbers = frame._asdict()
    kind = {"version": VERSION, "type": numbers.pop("type")}
    stream = {"class": 0, "lane": numbers.pop("lane")}
    del numbers["payload"]
    return {
        "version_type": kind,
        "flags_key": {"flags": 0, "key": 0},
        "class_lane": stream,
        "payload_length": len(frame.payload),
        "checksum": checksum,
        **numbers,
    }


def flat(header: Any) -> dict[str, int]:
    """Give what the specification has read, its halves of octets among the rest."""
    return {**header, **header.version_type, **header.flags_key, **header.class_lane}


def reason_of(data: bytes, offset: int = 0) -> str | None:
    try:
        decode(data, offset)
    except MalformedFrameError as error:
        return error.reason
    return None


def flipped(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")


# --- vectors ----------------------------------------------------------------------------------------------------


def test_checksum_is_crc32c() -> None:
    known = VECTORS["checksum_check"]
    # The check value of CRC-32C (iSCSI) that every catalogue of CRCs gives.
    assert crc32c(bytes.fromhex(known["data"])) == known["checksum"] == 0xE3069283


@pytest.mark.parametrize("vector", VALID, ids=by_name)
def test_valid_vector(vector: dict[str, Any]) -> None:
    fields: dict[str, int] = vector["fields"]
    header, payload, padding = (bytes.fromhex(vector[part]) for part in ("header", "payload", "padding"))
    frame = frame_of(fields, payload)
    assert decode(header + payload + padding) == frame
    assert encoded(frame) == header
    assert HEADER.build(specified(frame, fields["checksum"])) == header
    assert (fields["version"], fields["payload_length"]) == (VERSION, len(payload))
    assert fields["flags"] == fields["key"] == fields["class"] == 0


@pytest.mark.parametrize("vector", INVALID, ids=by_name)
def test_invalid_vector(vector: dict[str, Any]) -> None:
    assert reason_of(bytes.fromhex(vector["data"])) == vector["reason"]


def test_vectors_reach_every_reason_and_type() -> None:
    assert {vector["reason"] for vector in INVALID} == set(MALFORMED_REASONS)
    assert {vector["fields"]["type"] for vector in VALID} == TYPES


def test_split_vector() -> None:
    packet = bytes.fromhex(VECTORS["split"]["packet"])
    names = VECTORS["split"]["pieces"]
    pieces = {vector["name"]: vector for vector in VALID}
    assert split(packet, 30) == [bytes.fromhex(pieces[name]["payload"]) for name in names]
    first = pieces[names[0]]["fields"]
    for index, name in enumerate(names):
        fields = pieces[name]["fields"]
        assert fields["sequence"] == (first["sequence"] + index) % 2**32
        assert (fields["piece"], fields["last_piece"]) == (index, len(names) - 1)


# --- document ---------------------------------------------------------------------------------------------------


def test_specification_has_the_size_of_the_header() -> None:
    assert HEADER.sizeof() == SIZE == sum(bits for _, bits in fields()) // 8


def test_picture_shows_the_specification() -> None:
    rows = re.findall(r"^    \|(.*)\|$", PROTOCOL, re.MULTILINE)
    # A bit takes two columns, its border included.
    cells = [(cell.strip().replace(" ", "_"), (len(cell) + 1) // 2) for row in rows for cell in row.split("|")]
    assert [cell for cell in cells if cell[0] != "payload"] == fields()
    assert all(sum((len(cell) + 1) // 2 for cell in row.split("|")) == 32 for row in rows)


def test_table_lists_the_specification() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+) bits \| `(\w+)` \|", PROTOCOL, re.MULTILINE)
    offset, expected = 0, []
    for name, bits in fields():
        expected.append((str(offset // 8), str(bits), name))
        offset += bits
    assert rows == expected


def hexadecimal(label: str, text: str) -> list[str]:
    """Give bytes in rows of sixteen."""
    rows = [text[start : start + 32] for start in range(0, len(text), 32)]
    groups = [" ".join(row[start : start + 8] for start in range(0, len(row), 8)) for row in rows]
    return [f"{label if not index else '':8} {row}" for index, row in enumerate(groups)]


def as_text(vector: dict[str, Any]) -> str:
    """Give a vector as the document shows it."""
    lines = [f"### `{vector['name']}`", vector["says"], "```"]
    if "reason" in vector:
        lines += [*hexadecimal("data", vector["data"]), f"{'dropped':8} {vector['reason']}"]
    else:
        for part in ("header", "payload", "padding"):
            lines += hexadecimal(part, vector[part])
        fields = {name: f"{value:#010x}" if name in ("epoch", "checksum") else value
                  for name, value in vector["fields"].items()}
        values = [f"{name} {value}" for name, value in fields.items()]
        lines += [f"{'values' if not start else '':8} {', '.join(values[start : start + 6])}" for start in (0, 6, 12)]
    return "\n".join([*lines, "```", ""])


@pytest.mark.parametrize("vector", VALID + INVALID, ids=by_name)
def test_document_shows_the_vector(vector: dict[str, Any]) -> None:
    assert as_text(vector) in PROTOCOL


def test_document_shows_no_other_vector() -> None:
    names = re.findall(r"^### `(.+)`$", PROTOCOL, re.MULTILINE)
    assert names == [vector["name"] for vector in VALID + INVALID]


def test_document_names_every_reason_in_order() -> None:
    section = PROTOCOL.split("## Receiving")[1]
    positions = [section.index(f"`{reason}`") for reason in MALFORMED_REASONS]
    assert positions == sorted(positions)


# --- properties -------------------------------------------------------------------------------------------------

_BYTE = st.integers(0, 0xFF)
_WORD = st.integers(0, 0xFFFF_FFFF)


@st.composite
def frames(draw: st.DrawFn, max_payload: int = 200) -> Frame:
    last_piece = draw(_BYTE)
    return Frame(
        type=draw(st.sampled_from(sorted(TYPES))),
        epoch=draw(_WORD),
        lane=draw(st.integers(0, LANES - 1)),
        sequence=draw(_WORD),
        link_id=draw(_BYTE),
        link_sequence=draw(_WORD),
        piece=draw(st.integers(0, last_piece)),
        last_piece=last_piece,
        payload=draw(st.binary(max_size=max_payload)),
    )


@given(frames())
def test_encode_builds_what_the_specification_builds(frame: Frame) -> None:
    header = encoded(frame)
    # The checksum as the document has it: over the payload, then the header's first 20 bytes.
    assert header == HEADER.build(specified(frame, crc32c(frame.payload + header[:-4])))


@given(frames(), st.binary(max_size=60), st.binary(max_size=20))
def test_decode_reads_what_the_specification_reads(frame: Frame, padding: bytes, before: bytes) -> None:
    data = before + encoded(frame) + frame.payload + padding
    parsed = HEADER.parse(data[len(before) :])
    read = flat(parsed)
    decoded = Frame(*decode(data, len(before)))
    assert decoded == frame == frame_of(read, decoded.payload)
    assert len(decoded.payload) == parsed.payload_length


def batch_of(frames: list[Frame]) -> bytes:
    """Give the headers of a batch."""
    return b"".join(map(encoded, frames))


@given(frames(), st.integers(0, 4), st.integers(0, 4), _BYTE)
def test_write_builds_what_the_specification_builds_and_touches_no_other(
    frame: Frame, before: int, behind: int, filling: int
) -> None:
    headers = bytearray([filling] * SIZE * (before + 1 + behind))
    write(headers, before * SIZE, *frame[:-1], len(frame.payload), crc32c(frame.payload))
    written = headers[before * SIZE : (before + 1) * SIZE]
    assert written == HEADER.build(specified(frame, crc32c(frame.payload + written[:-4])))
    others = headers[: before * SIZE] + headers[(before + 1) * SIZE :]
    assert others == bytes([filling] * len(others))
    assert len(others) == SIZE * (before + behind)


@given(st.lists(frames(max_payload=40), min_size=1, max_size=6), st.binary(max_size=60))
def test_parse_reads_each_frame_of_a_batch_as_the_specification_does(batch: list[Frame], padding: bytes) -> None:
    headers = batch_of(batch)
    for index, frame in enumerate(batch):
        at = index * SIZE
        read = HEADER.parse(headers[at:])
        *values, length, content = parse(headers, at, frame.payload + padding)
        assert [*values, length] == [*frame[:-1], len(frame.payload)]
        assert [*values, length] == [*frame_of(flat(read), b"")[:-1], read.payload_length]
        assert content == crc32c(frame.payload)


def parse_reason(headers: bytes, at: int, payload: bytes) -> str | None:
    try:
        parse(headers, at, payload)
    except MalformedFrameError as error:
        return error.reason
    return None


@given(st.lists(frames(max_payload=24), min_size=3, max_size=3), st.sampled_from([0, 1, 30]))
def test_damage_harms_the_frame_that_it_is_in_and_no_other(batch: list[Frame], padding: int) -> None:
    headers = batch_of(batch)
    for bit in range(8 * SIZE):
        mask = (1 << bit).to_bytes(SIZE, "little")
        damaged = bytes(a ^ b for a, b in zip(headers, bytes(SIZE) + mask + bytes(SIZE), strict=True))
        reasons = [parse_reason(damaged, at * SIZE, frame.payload + bytes(padding)) for at, frame in enumerate(batch)]
        assert [reason is None for reason in reasons] == [True, False, True]
    payload = batch[1].payload
    for bit in range(8 * len(payload)):
        assert parse_reason(headers, SIZE, flipped(payload, bit) + bytes(padding)) == "bad_checksum"
    for length in range(len(payload)):
        assert parse_reason(headers, SIZE, payload[:length]) == "bad_length"


@given(frames(max_payload=24), st.sampled_from([0, 1, 30]))
def test_every_flipped_bit_is_noticed(frame: Frame, padding: int) -> None:
    data = encoded(frame) + frame.payload
    for bit in range(8 * len(data)):
        assert reason_of(flipped(data, bit) + bytes(padding)) is not None


@given(frames())
def test_every_cut_is_noticed(frame: Frame) -> None:
    data = encoded(frame) + frame.payload
    for length in range(len(data)):
        assert reason_of(data[:length]) == ("truncated" if length < SIZE else "bad_length")


def test_copies_share_the_payload_checksum() -> None:
    payload = bytes(range(100))
    shared = crc32c(payload)
    for link_id in range(3):
        header = encode(DATA, 1, 0, 2, link_id, 3, 0, 0, len(payload), shared)
        assert decode(header + payload)[4] == link_id


def test_largest_payload() -> None:
    frame = Frame(DATA, 1, 0, 2, 0, 3, 0, 0, bytes(0xFFFF))
    assert decode(encoded(frame) + frame.payload) == frame


def _spoil(data: bytearray, reason: str) -> bytearray:
    """Give the frame a defect; the checksum is wrong afterwards anyway."""
    if reason == "truncated":
        return data[: SIZE - 1]
    offset, value = {
        "unknown_version": (0, (VERSION + 1) << 4 | data[0] & 0x0F),
        "unknown_type": (0, data[0] & 0xF0 | 0x0F),
        "unknown_flags": (1, 0x10),
        "unknown_key": (1, data[1] | 1),
        "unknown_class": (12, 0x10),
        "bad_length": (2, 0xFF),
        "bad_piece": (13, 1),
        "bad_checksum": (SIZE - 1, data[-1] ^ 1),
    }[reason]
    data[offset] = value
    return data


@pytest.mark.parametrize(("first", "second"), list(combinations(MALFORMED_REASONS, 2)))
def test_reasons_are_looked_for_in_order(first: str, second: str) -> None:
    good = bytearray(encoded(Frame(DATA, 1, 0, 2, 0, 3, 0, 0, b"")))
    assert reason_of(bytes(_spoil(_spoil(good, second), first))) == first


@pytest.mark.parametrize("offset", [0, 14, 1000])
def test_offset_beyond_the_end_is_truncated(offset: int) -> None:
    assert reason_of(b"", offset) == "truncated"


def test_reason_is_in_the_message() -> None:
    with pytest.raises(MalformedFrameError, match="malformed frame: truncated"):
        decode(b"")

"""Writes the corpus that each target starts from: the test vectors, and one of each thing that a tape can say.

    python -m tests.fuzz.seeds

What fuzzing found beyond these lies beside them, under names of libFuzzer's (see keep.py).
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.engine.packets import UDP
from tests.fuzz.mutants import TEMPLATES
from tests.native.messages import CAP_LEN, PAYLOAD, SKB_INFO, attribute, message, packet_hdr

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS: Final = Path(__file__).with_name("corpus")
VECTORS: Final = Path(__file__).parents[2] / "docs" / "test-vectors.json"


def header() -> Iterator[tuple[str, bytes]]:
    """Give the frames of the test vectors, valid and not, from an offset of 0; and one that is to be sealed."""
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    for vector in vectors["valid"]:
        yield vector["name"], b"\0" + bytes.fromhex(vector["header"] + vector["payload"] + vector["padding"])
        yield f"sealed-{vector['name']}", b"\x80" + bytes.fromhex(vector["header"][:40] + vector["payload"])
    for vector in vectors["invalid"]:
        yield vector["name"], b"\0" + bytes.fromhex(vector["data"])


def node() -> Iterator[tuple[str, bytes]]:
    """Give tapes of random length and content: on this one every byte is a choice."""
    for number in range(8):
        yield f"random-{number}", random.Random(number).randbytes(60 * (number + 1))


def cut() -> Iterator[tuple[str, bytes]]:
    """Give packets of each kind, to be cut to 300 bytes."""
    for number, packet in enumerate(TEMPLATES):
        yield f"template-{number}", b"\x01\x2c\0\x02" + bytes([number]) + b"\x03\x20"
        yield f"packet-{number}", b"\0\x64\x01" + packet.pack_partial() + bytes(100)


def finish() -> Iterator[tuple[str, bytes]]:
    """Give packets of each kind with the headers that go with them, cut to 100 bytes of payload."""
    for number, packet in enumerate(TEMPLATES):
        kind = b"\x05" if packet.protocol == UDP else b"\x01" if packet.version == 4 else b"\x04"
        head = b"\x01" + kind + b"\0\0\x64\0\x14\0\x10\0"
        yield f"template-{number}", b"\x05\xdc" + head + b"\x01" + packet.pack_partial() + bytes(100)
        yield f"mutant-{number}", b"\x05\xdc" + head + b"\0\x02" + bytes([number]) + b"\x03\x20"


def learn() -> Iterator[tuple[str, bytes]]:
    """Give beginnings of connections, and an error of a router that quotes one."""
    for number, packet in enumerate(TEMPLATES):
        begin = replace(packet, flags=0x02, options=b"\x02\x04\x05\x50", payload=b"").pack()
        error = b"\x03\x04\0\0\0\0\x05\x14" if packet.version == 4 else b"\x02\0\0\0\0\0\x05\x14"
        quoting = replace(packet, protocol=1 if packet.version == 4 else 58).pack()
        quoting = quoting[: 20 if packet.version == 4 else 40] + error + begin
        yield f"begin-{number}", b"".join(b"\x01" + bytes([len(one)]) + one for one in (begin, quoting[:255]))
        yield f"mutant-{number}", b"\0\x02" + bytes([number]) + b"\0\x64"


def merge() -> Iterator[tuple[str, bytes]]:
    """Give batches of four packets that follow each other, of each kind."""
    for number in range(len(TEMPLATES)):
        yield f"flow-{number}", b"\x01\x04\x02" + bytes([number]) + b"\0\x64" + b"\x01" * 3
        yield f"lengths-{number}", b"\x01\x02\x02" + bytes([number]) + b"\0\x64\x32" + bytes([number]) + b"\0\x64"


def netlink() -> Iterator[tuple[str, bytes]]:
    """Give messages with each attribute."""
    info = attribute(SKB_INFO, b"\0\0\0\x03")
    yield "packet", message(packet_hdr(1), info, attribute(PAYLOAD, b"packet"))
    yield "cut", message(packet_hdr(2), attribute(PAYLOAD, b"packet"), attribute(CAP_LEN, b"\0\x01\0\0"))
    yield "nothing", message(packet_hdr(3))
    yield "error", message(kind=2)


def main() -> None:
    """Write everything."""
    for seeds in (header, node, cut, finish, learn, merge, netlink):
        folder = CORPUS / seeds.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()

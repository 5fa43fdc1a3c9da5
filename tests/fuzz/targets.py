"""What a fuzzer feeds: one function for each way in of foreign bytes, which raises when something is wrong.

Each runs the plain and the compiled form side by side. The plain form shows a coverage-guided fuzzer where it is
(both forms are one source); the compiled one has to give the same, and must not touch what is not its own.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from google_crc32c import value as crc32c

from alagg.engine.header import COOKIE_SIZE, DATA, MALFORMED_REASONS, PROBE, PROBE_REPLY
from alagg.engine.vnet import SIZE
from tests import forms
from tests.engine.helpers import ONE, ONE6, TWO, TWO6, frame, ipv4, ipv6
from tests.fuzz import mutants
from tests.fuzz.tape import Tape
from tests.fuzz.test_fuzz_header import check_accepted
from tests.fuzz.test_fuzz_merge import check_item
from tests.fuzz.test_fuzz_netlink import check as check_readers
from tests.fuzz.test_fuzz_segment import check as check_cut
from tests.fuzz.test_fuzz_segment import check_completion
from tests.twins import HERE, LINKS, THERE, WINDOWS, Twins

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCHS: Final = (7, 7, 7, 8, 9, 10, 11, 12, 13, 0xFFFF_FFFF)
LANES: Final = (0, 0, 0, 0, 0, 1, 15, 16, 255)
MOVES: Final = (1, 1, 1, 2, 3, 0, -1, -2, 62, 63, 64, 65, -63, -64, 8191, 8192, 8193, 70_000, 1 << 31, -5000)
"""How a sequence differs from the one before: next, a copy, the ends of the window, of the buffer, of the numbers."""
EDGES: Final = ("alagg.ports.netlink", "alagg.native.nfqueue")
PAUSES: Final = (0.0, 0.001, 0.006, 0.021, 0.05, 0.1, 0.36, 0.5, 1.0, 1.1, 30.0)


def header(data: bytes) -> None:
    """Parse a frame at an offset; half of them under a checksum and a length that are right."""
    tape = Tape(data)
    first = tape.number()
    data = bytes(first % 32) + (sealed(tape.rest()) if first & 0x80 else tape.rest())
    results = [_decoded(engine, data, first % 32) for engine in forms.both()]
    assert all(result == results[0] for result in results)
    if isinstance(results[0], str):
        assert results[0] in MALFORMED_REASONS
    else:
        check_accepted(data, first % 32, results[0])


def sealed(data: bytes) -> bytes:
    """Give a frame with any fields and any payload, which only its fields can betray."""
    fields, payload = data[:20].ljust(20, b"\0"), data[20:]
    fields = fields[:2] + len(payload).to_bytes(2, "big") + fields[4:]
    checksum: int = crc32c(payload + fields)
    return fields + checksum.to_bytes(4, "big") + payload


def _decoded(engine: Any, data: bytes, offset: int) -> Any:
    try:
        return engine.header.decode(data, offset)
    except engine.header.MalformedFrameError as error:
        return error.reason


def node(data: bytes) -> None:
    """Play frames, packets, pauses and changes of links to a whole engine."""
    tape = Tape(data)
    scheduler, window = tape.choice([(name, size) for size in WINDOWS for name in ("redundant", "round-robin")])
    _Player(tape, Twins(scheduler=scheduler, window=window)).play()


class _Player:
    """Plays a tape to engines."""

    def __init__(self, tape: Tape, twins: Twins) -> None:
        self.tape = tape
        self.twins = twins
        self.sequence = 0xFFFF_FFF0
        self.batch: list[bytes] = []

    def play(self) -> None:
        """Play the whole tape; at its end everything must come out."""
        verbs = (
            self.frame, self.frame, self.frame, self.frame, self.control, self.noise, self.receive, self.receive,
            self.wait, self.wait, self.send, self.change_link, self.set_timeout,
        )  # fmt: skip
        while self.tape:
            self.tape.choice(verbs)()
        self.receive()
        self.twins.flush()
        self.twins.wait(2.0)

    def frame(self) -> None:
        """Add a frame that is right as a frame."""
        tape = self.tape
        self.sequence += tape.choice(MOVES)
        kind = tape.number()
        last = kind >> 4 & 3
        made = frame(
            self.sequence, self.payload(kind & 7), epoch=tape.choice(EPOCHS), lane=tape.choice(LANES),
            link_sequence=tape.number(), place=(tape.number() % (last + 1), last) if last else (0, 0),
        )  # fmt: skip
        if kind & 8:
            made = mutants.edited(made, tape.number(), tape.number())
        self.batch.append(made + bytes(kind >> 6))

    def payload(self, kind: int) -> bytes:
        """Give what the engine may deliver, what it must not, or anything."""
        if kind == 0:
            return self.tape.take(self.tape.number())
        if kind == 1:
            return ipv4(b"foreign", "10.9.9.9", ONE)
        if kind == 2:
            return ipv6(b"ours", TWO6, ONE6)
        return ipv4(self.sequence.to_bytes(8, "big", signed=True), TWO, ONE)

    def control(self) -> None:
        """Add a probe, or an answer to one that was sent or was not."""
        tape = self.tape
        cookie = (1).to_bytes(4, "big") + tape.number().to_bytes(4, "big")
        kind = tape.choice((PROBE, PROBE_REPLY, PROBE_REPLY, DATA))
        made = frame(
            0, cookie[: tape.choice((COOKIE_SIZE, COOKIE_SIZE, 7, 0))], epoch=tape.choice(EPOCHS),
            lane=tape.choice(LANES), link_sequence=tape.number(), frame_type=kind,
        )  # fmt: skip
        self.batch += [made] * (1 + tape.choice((0, 0, 0, 250)))

    def noise(self) -> None:
        """Add any bytes."""
        self.batch.append(self.tape.take(self.tape.number()))

    def receive(self) -> None:
        """Hand over what was added."""
        self.twins.receive(self.tape.number() % LINKS, self.batch)
        self.batch = []

    def wait(self) -> None:
        """Let time pass."""
        self.twins.wait(self.tape.choice(PAUSES))

    def send(self) -> None:
        """Send packets of one size, of which the links take some of the frames."""
        kind = self.tape.number()
        size, most = self.tape.choice(((0, 40), (8, 40), (200, 40), (300, 10), (1400, 4), (65_507, 2)))
        taken = [self.tape.choice((1000, 1000, 0, 1, 2)) for _ in range(LINKS)]
        self.twins.send([ipv4(bytes(size))] * (kind % most), taken)

    def change_link(self) -> None:
        """Open or close a port."""
        kind = self.tape.number()
        mtu = self.tape.choice((300, 1500, 25, 24, 0, 65_535))
        self.twins.change_link(kind % LINKS, mtu, is_open=kind < 128)

    def set_timeout(self) -> None:
        """Change how long the engine waits for earlier packets, or make it release all."""
        timeout = self.tape.choice((None, None, 0.0, 0.02, 1.0, -1.0))
        if timeout is not None and timeout < 0:
            self.twins.flush()
        else:
            self.twins.set_timeout(timeout)


def cut(data: bytes) -> None:
    """Cut a packet to a size."""
    tape = Tape(data)
    size = tape.number(2)
    packet = tape.rest() if tape.number() & 1 else mutants.packet(tape, b"")
    results = [(engine.segment.cut(packet, size), engine.segment.complete(packet)) for engine in forms.both()]
    assert all(result == results[0] for result in results)
    check_cut(packet, size)
    check_completion(packet)


def finish(data: bytes) -> None:
    """Finish a packet of a device by any header."""
    tape = Tape(data)
    size = tape.number(2)
    head = tape.take(SIZE).ljust(SIZE, b"\0")
    packet = tape.rest() if tape.number() & 1 else mutants.packet(tape, b"")
    results = [engine.vnet.finish(packet, head, size) for engine in forms.both()]
    assert all(result == results[0] for result in results)
    assert all(results[0]) or not packet


def learn(data: bytes) -> None:
    """Judge packets of a peer, learn from them, and ask of each how large what goes back may be."""
    tape = Tape(data)
    limits = [engine.mss.SegmentLimits() for engine in forms.both()]
    admissions = [engine.addresses.Admission(THERE, HERE) for engine in forms.both()]
    before = b""
    while tape:
        any_bytes = tape.number() & 1
        before = tape.take(tape.number()) if any_bytes else mutants.packet(tape, before)
        results = []
        for limit, admission in zip(limits, admissions, strict=True):
            limit.watch([before])
            limit.note(before)
            results.append((admission.refusal(before), limit.size(before)))
        assert all(result == results[0] for result in results)
        assert results[0][1] >= 88


def merge(data: bytes) -> None:
    """Merge a batch of packets, and the next one."""
    tape = Tape(data)
    tape.number()  # once a choice; what was kept in the corpus goes on from here
    mergers = [engine.merge.Merger() for engine in forms.both()]
    before = b""
    while tape:
        batch: list[bytes] = []
        for _ in range(tape.number() % 80):
            before = mutants.packet(tape, before)
            batch.append(before)
        results = [(merger.merge(batch), merger.merged, merger.super_packets) for merger in mergers]
        assert all(result == results[0] for result in results)
        parts = [part for _, head, parts, _ in results[0][0] for part in parts or [head]]
        assert sorted(parts) == sorted(batch)
        for item in results[0][0]:
            check_item(item)


def netlink(data: bytes) -> None:
    """Parse one message of an NFQUEUE."""
    check_readers(_readers(), data)


@cache
def _readers() -> list[Any]:
    """Give a reader of each form that is there; none of them will ever read its socket."""
    nowhere = SimpleNamespace(fileno=lambda: -1)
    edges = [import_module(name) for name in EDGES if find_spec(name)]
    return [edge.Reader(nowhere, 1) for edge in edges]


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "header": header, "node": node, "cut": cut, "finish": finish, "learn": learn, "merge": merge, "netlink": netlink,
}  # fmt: skip
"""Every target by its name, which is also that of its folder in `corpus`."""

"""The connection: two of them without any I/O, and one with a peer that does what none may do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alagg.stream.core import frames
from alagg.stream.core.connection import Connection
from alagg.stream.core.errors import NoLinks, ProtocolError, StreamAborted, StreamReset
from alagg.stream.core.settings import Settings
from tests.stream.network import MEGA, Net

MEGABYTE = 1 << 20


def joined(links: int = 2) -> Net:
    net = Net(end_after=False)
    for _ in range(links):
        net.cable()
    net.run(0.5)
    return net


def test_half_close_leaves_the_other_direction() -> None:
    net = joined()
    here, there = (side.connection for side in net.sides)
    here.write_eof()
    net.run(1.0)
    assert there.incoming.finished
    net.sides[1].to_write = 1000
    net.run(2.0)
    assert net.sides[0].read == 1000
    there.write_eof()
    net.run(3.0)
    assert here.ended
    assert here.over
    assert here.error is None


def test_nothing_can_be_written_after_the_end() -> None:
    net = joined()
    connection = net.sides[0].connection
    connection.write_eof()
    with pytest.raises(BrokenPipeError):
        connection.write(b"x")


def test_abort_reaches_the_peer_by_name() -> None:
    net = joined()
    here, there = (side.connection for side in net.sides)
    here.abort("had enough", net.clock.now)
    net.run(1.0)
    assert isinstance(here.error, StreamAborted)
    assert isinstance(there.error, StreamReset)
    assert "had enough" in str(there.error)
    for connection in (here, there):
        with pytest.raises(ConnectionError):
            connection.write(b"x")
        with pytest.raises(ConnectionError):
            connection.read(1, 1.0)


def test_without_links_it_ends_after_a_while() -> None:
    net = joined(1)
    net.cables[0].fail()
    net.run(100.0)
    error = net.sides[0].connection.error
    assert isinstance(error, NoLinks)
    assert error.should_reconnect


def test_a_link_that_comes_later_carries_on() -> None:
    net = joined(1)
    net.sides[0].end_after = net.sides[1].end_after = True
    net.clock.at(1.0, net.cables[0].fail)
    net.clock.at(30.0, net.add_cable)
    net.sides[0].to_write = 10 * MEGA
    net.cables[0].wires[0].rate = MEGA
    net.run(60.0)
    net.check()


def test_the_end_arrives_though_the_only_link_dies_with_it() -> None:
    net = joined(1)
    here, there = (side.connection for side in net.sides)
    here.write_eof()
    net.run(1.0)
    there.write_eof()
    net.pump()
    while not here.ended:
        net.clock.step()
    net.pump()
    net.cables[0].fail()
    net.run(2.0)
    assert not there.incoming.finished or there.outgoing.unacknowledged
    net.cable()
    net.run(3.0)
    net.check()
    assert here.over


def test_close_waits_only_so_long_for_a_peer_that_does_not_end() -> None:
    net = joined()
    here, there = net.sides[0].connection, net.sides[1].connection
    net.sides[1].reads = False
    here.close(net.clock.now)
    net.run(20.0)
    assert isinstance(there.error, StreamReset)
    assert here.over


def test_a_blocked_link_carries_nothing_until_it_is_unblocked() -> None:
    net = joined()
    connection = net.sides[0].connection
    link = net.cables[0].links[0]
    connection.block(link, net.clock.now)
    before = link.statistics.sent
    net.sides[0].to_write = MEGA
    net.run(2.0)
    assert link.statistics.sent - before < 1000
    assert net.cables[0].links[1].state == "blocked"
    connection.unblock(link, net.clock.now)
    net.sides[0].to_write = 2 * MEGA
    net.run(4.0)
    assert link.statistics.sent - before > 20_000


def test_a_removed_link_goes_on_both_sides() -> None:
    net = joined()
    net.sides[0].connection.remove(net.cables[0].links[0], net.clock.now)
    net.run(1.0)
    assert [len(side.connection.links) for side in net.sides] == [1, 1]
    assert net.cables[0].links[1].reason == "removed by the peer"


def test_a_slow_reader_stops_the_writer_at_the_window() -> None:
    net = joined()
    net.sides[1].reads = False
    net.sides[0].to_write = 10 * MEGA
    net.run(30.0)
    assert net.sides[1].connection.incoming.ready == MEGABYTE


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (frames.data_header((1 << 64) - 1, 1) + b"x", "beyond-window"),
        (frames.data_header(1 << 40, 1) + b"x", "beyond-window"),
        (frames.numbered(frames.FIN, (1 << 64) - 1), "beyond-window"),
        (frames.ack(1, 0, 0), "ack-count"),
        (frames.ack(0, 1 << 63, 0), "ack-beyond"),
        (frames.numbered(frames.PONG, 99), "pong-token"),
        (frames.end(0, ""), "early-end"),
        (frames.end(77, ""), "end-code"),
        (b"\xff" * 4, "unknown-frame"),
        (b"\x01\xff\xff\xff", "frame-length"),
    ],
)
def test_breaches_end_it_by_name_and_the_peer_hears_of_it(data: bytes, reason: str) -> None:
    connection = Connection(Settings(), 0.0)
    link = connection.add_link("a", 0.0)
    connection.receive(link, data, 0.0)
    assert isinstance(connection.error, ProtocolError)
    assert connection.error.reason == reason
    assert not connection.error.should_reconnect
    assert reason.encode() in b"".join(data for _, data in connection.transmit(0.0))


EXTREMES = st.sampled_from([0, 1, 8, 1000, 1 << 20, (1 << 20) + 1, 1 << 32, (1 << 63), (1 << 64) - 1])
HOSTILE = st.one_of(
    st.tuples(EXTREMES, st.binary(min_size=1, max_size=20)).map(
        lambda two: frames.data_header(two[0], len(two[1])) + two[1]
    ),
    st.tuples(st.sampled_from([frames.FIN, frames.PING, frames.PONG]), EXTREMES).map(
        lambda two: frames.numbered(*two)
    ),
    st.tuples(EXTREMES, EXTREMES, EXTREMES).map(lambda three: frames.ack(*three)),
    st.integers(0, 255).map(frames.hold),
    st.just(frames.leave()),
    st.integers(0, 255).map(lambda code: frames.end(code, "x")),
    st.binary(max_size=20),
)


@settings(max_examples=60)
@given(st.lists(HOSTILE, max_size=12))
def test_whatever_comes_ends_in_order_or_with_a_name(stream: list[bytes]) -> None:
    connection = Connection(Settings(), 0.0)
    connection.write(bytes(1000))
    link = connection.add_link("a", 0.0)
    for number, data in enumerate(stream):
        connection.receive(link, data, float(number))
        connection.transmit(float(number))
        connection.handle_timer(float(number))
    assert connection.incoming.granted <= MEGABYTE
    assert len(connection.transmit(100.0)) <= 1
    if connection.error is not None:
        assert connection.error.reason


def test_a_thousand_blocks_leave_one_frame() -> None:
    connection = Connection(Settings(), 0.0)
    link = connection.add_link("a", 0.0)
    for _ in range(1000):
        connection.block(link, 0.0)
    assert len(link.control) == 2

"""One side of a stream connection, without any I/O: bytes and time go in, bytes for each link come out.

Whoever does the I/O gives `receive` what came on a link, tells `lost` when one has gone, keeps `Link.writable`, calls
`handle_timer` at `timer()`, and after any of these puts on the links what `transmit` gives.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg.stream.core import frames, watch
from alagg.stream.core.assembly import Assembly
from alagg.stream.core.dispatch import carriers, choose, is_tried
from alagg.stream.core.errors import NoLinks, ProtocolError, StreamAborted, StreamError, StreamReset
from alagg.stream.core.link import DOWN, NEW, UP, Link
from alagg.stream.core.outgoing import Outgoing, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.stream.core.settings import Settings

FINISHED: Final = 0
"""Code of END: both directions have ended, and each side knows it."""
FORCED: Final = 1
"""Code of END: this side wants no more."""
BROKEN: Final = 2
"""Code of END: the other side broke the protocol."""
MAX_EVENTS: Final = 1000
"""Events that are kept for who asks; older ones go."""


class Event(NamedTuple):
    """Something that happened to a link or to the whole connection."""

    kind: str
    """`link-new`, `link-up`, `link-suspect`, `link-wary`, `link-blocked`, `link-down`, or `ended`."""
    link: str
    """The link's name; empty where it concerns the whole."""
    text: str
    at: float


class Connection:
    """One side of a connection over any number of links."""

    def __init__(self, settings: Settings, now: float) -> None:
        """Begin without links."""
        self.settings = settings
        self.links: list[Link] = []
        self.incoming = Assembly(settings.receive_limit)
        self.outgoing = Outgoing(settings.send_limit)
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self.error: StreamError | None = None
        """Why it ended, if not in good order."""
        self.ended = False
        """Whether neither program can do anything more; the peer may still have to hear of it."""
        self.over = False
        """Whether the peer knows it, too, or was given the time to: there is nothing more to send."""
        self.over_at = 0.0
        self.closed = False
        """Whether the program wants neither to read nor to write any more."""
        self.linger_until: float | None = None
        self.linkless_since = now
        self._token = 0
        self._farewells: list[tuple[Link, bytes]] = []

    # -- links

    def add_link(self, name: str, now: float) -> Link:
        """Add a link that has joined; it is asked at once how long its round trip is."""
        link = Link(name, now)
        self.links.append(link)
        if self.ended:
            # The peer missed the end, since the last link broke with it.
            link.control.append(frames.end(FINISHED, ""))
        self.ping(link, now)
        self.tell("link-new", link, now)
        return link

    def lost(self, link: Link, reason: str, now: float) -> None:
        """Take note that a link is over; what it had not delivered is sent again on the others."""
        if link.state == DOWN:
            return
        link.state, link.reason = DOWN, reason
        self.links.remove(link)
        self.send_again(link)
        link.ring.clear()
        link.unacknowledged = 0
        self.tell("link-down", link, now)
        if not self.links:
            self.linkless_since = now

    def remove(self, link: Link, now: float) -> None:
        """Take a link out, and tell the peer that it was meant."""
        if link.state != DOWN:
            self._farewells.append((link, frames.leave()))
            self.lost(link, "removed", now)

    def block(self, link: Link, now: float) -> None:
        """Have both sides send no more data on a link; it stays joined, and tells what it could do."""
        self._hold(link, now, on=True)

    def unblock(self, link: Link, now: float) -> None:
        """Undo `block`."""
        self._hold(link, now, on=False)

    def _hold(self, link: Link, now: float, *, on: bool) -> None:
        link.held_here = on
        # Only the newest one counts, so that blocking a thousand times leaves one frame.
        link.control[:] = [frame for frame in link.control if frame[0] != frames.HOLD] + [frames.hold(on)]
        self._resettle(link, now)

    def _resettle(self, link: Link, now: float) -> None:
        if link.state in (UP, "blocked"):
            link.settle()
            self.tell(f"link-{link.state}", link, now)

    def ping(self, link: Link, now: float) -> None:
        """Ask a link for an answer, if it does not owe one already."""
        if link.ping_token is None:
            self._token += 1
            link.ping_token, link.ping_at = self._token, now
            link.control.append(frames.numbered(frames.PING, self._token))

    def send_again(self, link: Link) -> None:
        """Have everything sent again that only this link carries, and every limit told on the others."""
        for sent in link.ring:
            if sent.segment.carrier is link:
                self.outgoing.again(sent.segment)
        for other in self.links:
            other.ack_due = True

    def tell(self, kind: str, link: Link | None, now: float) -> None:
        """Note an event."""
        text = link.reason if link else str(self.error or "in good order")
        self.events.append(Event(kind, link.name if link else "", text, now))

    # -- the program

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            StreamError: the connection has ended.
            BrokenPipeError: this direction has ended.
        """
        if self.error is not None:
            raise self.error
        if self.outgoing.ending or self.ended:
            raise BrokenPipeError("write after the end of this direction")
        if data:
            self.outgoing.write(data)

    def write_eof(self) -> None:
        """End this direction, after what was written; the other one goes on."""
        self.outgoing.ending = True

    def read(self, most: int, now: float) -> bytes:
        """Give up to `most` bytes; nothing where nothing is there or the peer ended its direction.

        Raises:
            StreamError: the connection has ended before the peer ended its direction.
        """
        if self.error is not None and not self.incoming.finished:
            raise self.error
        data = self.incoming.read(most)
        self._grant(now)
        return data

    def close(self, now: float) -> None:
        """Want no more: what was written still arrives, what comes is thrown away."""
        self.closed = True
        self.write_eof()
        self.incoming.discard()
        self._grant(now)
        self._end_if_finished(now)

    def abort(self, text: str, now: float) -> None:
        """End by force; the peer is told the text."""
        self._fail(StreamAborted(text), FORCED, text, now)

    # -- the links

    def receive(self, link: Link, data: bytes, now: float) -> None:
        """Take bytes that came on a link; what no peer may send ends the connection with a named error."""
        if link.state == DOWN or self.over:
            return
        link.heard_at = now
        link.statistics_received += len(data)
        try:
            for kind, body in link.decoder.feed(data):
                self._handle(link, kind, body, now)
                if link.state == DOWN or self.over:
                    return
        except ProtocolError as error:
            self._fail(error, BROKEN, error.reason, now)
            return
        self._grant(now)
        self._end_if_finished(now)

    def _handle(self, link: Link, kind: int, body: bytes, now: float) -> None:
        if kind in (frames.DATA, frames.FIN):
            link.arrived += 1
            link.ack_due = True
            (offset,) = frames.NUMBER.unpack_from(body)
            if kind == frames.DATA:
                self.incoming.insert(offset, body[8:])
            else:
                self.incoming.finish(offset)
        elif kind == frames.ACK:
            count, whole, limit = frames.ACK_BODY.unpack(body)
            link.acknowledge(count, now)
            self.outgoing.acknowledge(whole, limit)
        elif kind == frames.PING:
            link.pong = frames.NUMBER.unpack(body)[0]
        else:
            self._handle_rare(link, kind, body, now)

    def _handle_rare(self, link: Link, kind: int, body: bytes, now: float) -> None:
        if kind == frames.PONG:
            self._pong(link, frames.NUMBER.unpack(body)[0], now)
        elif kind == frames.HOLD:
            link.held_there = bool(body[0])
            self._resettle(link, now)
        elif kind == frames.LEAVE:
            self.lost(link, "removed by the peer", now)
        else:
            self._end_by_peer(body[0], body[1:].decode(errors="replace"), now)

    def _pong(self, link: Link, token: int, now: float) -> None:
        if token != link.ping_token:
            raise ProtocolError("pong-token", "an answer to what was not asked")
        link.ping_token = None
        before = link.state
        if before in (NEW, UP, "blocked"):
            link.estimate.trip(now - link.ping_at, now)
        link.answered(now)
        if link.state != before:
            self.tell(f"link-{link.state}", link, now)
        if before == NEW and link.state == UP:
            self._relieve_new_links()

    def _relieve_new_links(self) -> None:
        """Have sent again what links carry that were not yet heard of: those before them may be much faster."""
        for other in self.links:
            if other.state == NEW and other.ring:
                self.send_again(other)

    def _grant(self, now: float) -> None:
        slowest = max((link.estimate.smoothed for link in self.links), default=0.0)
        if self.incoming.grant(now, slowest):
            for link in self.links:
                link.ack_due = True

    # -- the end
    #
    # The first side that has got all, and knows that the other one has, says END and waits for the other's. Until
    # that comes it answers on whatever link there is, since its END may be lost with the only link. Who gets END
    # knows that both have all, and may go at once.

    def _end_by_peer(self, code: int, text: str, now: float) -> None:
        if code == FINISHED:
            if not (self.outgoing.fin_sent and self.incoming.finished):
                raise ProtocolError("early-end", "an end in good order before both directions had ended")
            self._finish(now)
            self._leave()
        elif code in (FORCED, BROKEN):
            what = "by force" if code == FORCED else "because of what it got"
            self._fail(StreamReset(f"the peer ended the connection {what}: {text!a}"), None, "", now)
        else:
            raise ProtocolError("end-code", f"an end with code {code}")

    def _end_if_finished(self, now: float) -> None:
        if self.ended:
            return
        if self.outgoing.finished and self.incoming.finished:
            self._finish(now)
        elif self.closed and self.outgoing.finished and self.linger_until is None:
            self.linger_until = now + self.settings.linger

    def _finish(self, now: float) -> None:
        """End in good order; the links stay until the peer has said the same."""
        if self.ended:
            return
        for link in self.links:
            link.ack_due = True
            link.control.append(frames.end(FINISHED, ""))
        self._end(now)
        self.over_at = now + self.settings.no_links_timeout

    def _fail(self, error: StreamError, code: int | None, text: str, now: float) -> None:
        """End with an error, unless all had arrived already; the links go at once."""
        if code is not None:
            self._farewells += [(link, frames.end(code, text)) for link in self.links]
        if not self.ended:
            self.error = error
            self._end(now)
        self._leave()

    def _end(self, now: float) -> None:
        self.ended = True
        self.outgoing.abandon()
        self.tell("ended", None, now)

    def _leave(self) -> None:
        """Have nothing more to do with the peer, but for the last frames."""
        self.over = True
        for link in self.links:
            # What waited goes before the end that follows from it.
            self._farewells = [*((link, frame) for frame in self._control(link)), *self._farewells]
            link.state, link.reason = DOWN, "the connection has ended"
            link.ring.clear()
        self.links.clear()

    # -- time

    def timer(self) -> float | None:
        """Give when `handle_timer` has something to do; None: when nothing else happens, never."""
        if self.over:
            return None
        among = carriers(self.links)
        times = [watch.when(link, self, among) for link in self.links]
        if self.ended:
            times.append(self.over_at)
        elif not self.links:
            times.append(self.linkless_since + self.settings.no_links_timeout)
        if self.linger_until is not None and not self.ended:
            times.append(self.linger_until)
        return min(times)

    def handle_timer(self, now: float) -> None:
        """Do what time makes necessary."""
        if self.over:
            return
        for link in list(self.links):
            watch.look(link, self, now)
        if self.ended:
            if now >= self.over_at:
                self._leave()
        elif not self.links and now >= self.linkless_since + self.settings.no_links_timeout:
            self._fail(NoLinks(f"no link for {self.settings.no_links_timeout:g} seconds"), None, "", now)
        elif self.linger_until is not None and now >= self.linger_until:
            self.abort("closed, and the other direction did not end", now)

    # -- sending

    def transmit(self, now: float) -> list[tuple[Link, bytes]]:
        """Give what is to be put on the links now, each link's bytes in one piece; called until it gives nothing."""
        parts: dict[Link, list[bytes]] = {}
        for link, frame in self._farewells:
            parts.setdefault(link, []).append(frame)
        self._farewells = []
        for link in self.links:
            link.burst = link.estimate.burst
            if link.writable and (link.ack_due or link.control or link.pong is not None):
                parts[link] = list(self._control(link))
        for link, segment in self._dispatch(now):
            header = (
                frames.numbered(frames.FIN, segment.offset)
                if segment.fin
                else frames.data_header(segment.offset, len(segment.data))
            )
            parts.setdefault(link, []).extend((header, segment.data))
        result = [(link, b"".join(pieces)) for link, pieces in parts.items()]
        for link, data in result:
            link.statistics_sent += len(data)
        return result

    def _control(self, link: Link) -> Iterator[bytes]:
        if link.ack_due:
            link.ack_due = False
            yield frames.ack(link.arrived, self.incoming.whole, self.incoming.granted)
        if link.pong is not None:
            yield frames.numbered(frames.PONG, link.pong)
            link.pong = None
        yield from link.control
        link.control.clear()

    def _dispatch(self, now: float) -> Iterator[tuple[Link, Segment]]:
        outgoing = self.outgoing
        among = carriers(self.links)
        while among:
            repeat = outgoing.repeat()
            if repeat is not None:
                link = self._choose_again(among, repeat, now)
            elif outgoing.has_fresh():
                link = choose(among, outgoing.unsent, outgoing.room(), now)
            else:
                for idle in among:
                    if idle.has_room():
                        idle.was_limited()
                return
            if link is None:
                return
            segment = repeat or outgoing.cut(link.estimate.segment)
            if repeat is not None:
                outgoing.take_repeat()
                if link is repeat.carrier:
                    continue
            link.carry(segment, now, self.settings.patience)
            if is_tried(link, now):
                outgoing.again(segment)
            yield link, segment

    def _choose_again(self, among: list[Link], segment: Segment, now: float) -> Link | None:
        """Choose another link than the one that has it; that one only where there is no other."""
        others = [link for link in among if link is not segment.carrier]
        if not others and segment.carrier is not None:
            return segment.carrier
        return choose(others, len(segment.data), 1 << 40, now)

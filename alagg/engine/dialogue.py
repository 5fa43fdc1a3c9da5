"""Dialogue: what this node tells a peer by control frames, and what it learns from the peer's."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from google_crc32c import value as crc32c

from alagg.engine import control
from alagg.engine.addresses import in_words
from alagg.engine.advice import FarEnd, advice
from alagg.engine.control import OWNS, REFUSES, TAKES, ControlError, Hello, Report
from alagg.engine.events import ReportHeard
from alagg.engine.header import CONTROL, SIZE
from alagg.engine.monitor import IDLE_AFTER, RARELY
from alagg.engine.outgoing import Outgoing
from alagg.engine.sequence import MASK
from alagg.engine.state import ANSWERING, SUSPECT, WARY

if TYPE_CHECKING:
    from alagg.engine.addresses import Network
    from alagg.engine.control import Item
    from alagg.engine.link import Link
    from alagg.engine.peer import NodeSettings, Peer

HELLO_INTERVAL: Final = 10.0
"""Seconds between two HELLOs over a link, when nothing has changed."""
INTRODUCTION_INTERVAL: Final = 1.0
"""Seconds between two HELLOs over a link on which the peer does not answer, and may not know where we are."""
HELLO_PAUSE: Final = 0.5
"""Seconds between two of them at least, whatever the peer says."""
REFUSALS: Final = 60.0
"""Seconds for which the peer is told of packets that are refused, the same ones."""
REPORT_PAUSE: Final = 0.02
"""Seconds between two reports while packets flow, at least; up to `REPORT_SPREAD` more, at random."""
REPORT_SPREAD: Final = 0.03
MEASURED_PAUSE: Final = 0.008
"""The same for a peer whose scheduler goes by reports."""
MEASURED_SPREAD: Final = 0.004
MEASURED_SHARE: Final = 50
MEASURED_PERIOD: Final = 0.03
"""Seconds between two of these, at most: what is on its way waits for them."""
REPORT_PERIOD: Final = 1.0
"""Seconds between two reports, at most."""
REPORT_SHARE: Final = 100
"""Bytes that come for each byte of a report, at least: they take a hundredth."""


class Dialogue:
    """The control frames between this node and one peer."""

    def __init__(self, peer: Peer, node: NodeSettings) -> None:
        """Take the peer, whose links carry them, and what all peers share."""
        self.far = FarEnd()
        self.advice: list[str] = []
        """What does not fit between the two nodes, in words."""
        self.bad_control = 0
        """Control frames that could not be read."""
        self.reports = 0
        """Reports of the peer that were taken."""
        self._peer = peer
        self._node = node
        self._greeted: dict[str, float] = {}
        """When the last HELLO left, by link."""
        self._heard: dict[str, tuple[int, int]] = {}
        """The peer's epoch and digest in its last HELLO, by link."""
        self.refused_reports = 0
        """Reports that cannot be true: they speak of what was never sent, or go back."""
        self.outgoing: dict[str, Outgoing] = {}
        """What the peer's reports say of each link."""
        self.reported = 0
        """How often this node had something to report."""
        self._reported_at = float("-inf")
        self._reported_bytes = 0
        self._reported_frames = 0
        """Frames that had come when it was reported last."""
        self._learnt = 0
        """How often the peer said something new of itself."""
        self._moved = 0
        """Packets and frames of data so far, when they were looked at last."""
        self._moved_at = float("-inf")
        self._looked_at: object = None
        """What the advice was given for."""
        self._refuses: tuple[Network, ...] = ()
        self._refused_at = float("-inf")
        self._told: dict[tuple[str, int], int] = {}
        """How many frames the last report about a link and lane spoke of."""

    def greet(self, link: Link, now: float) -> None:
        """Send a HELLO over a link, unless one has just left."""
        if not self._node.watches or not link.open or link.is_shut:
            return
        if now - self._greeted.get(link.name, float("-inf")) >= HELLO_PAUSE:
            self._greeted[link.name] = now
            self._send(link, self._hello(link))

    def tick(self, now: float) -> None:
        """Send what is due: HELLOs, and reports about what came since the last ones."""
        if self._peer.receiver.refused_last or self._refuses:
            self._look_at_refusals(now)
        moved = self._peer.sender.captured + self._peer.receiver.data_frames
        if moved != self._moved:
            self._moved, self._moved_at = moved, now
        for link in self._peer.links.values():
            if not (link.answering or link.introduces):
                continue
            interval = HELLO_INTERVAL if link.answering else self._pause(link, now)
            if now - self._greeted.get(link.name, float("-inf")) >= interval:
                self.greet(link, now)
        if self._peer.receiver.frames != self._reported_frames:
            self.report(now)
        self._peer.receiver.wait_at_least(self.far.skew(self._peer.links.values()))
        self._look()

    def _pause(self, link: Link, now: float) -> float:
        """Give the seconds between two HELLOs over a link without answers: as rarely as probes, while it is idle."""
        if now - self._moved_at <= IDLE_AFTER:
            return INTRODUCTION_INTERVAL
        return max(min((now - link.rx_last) / 4, RARELY), INTRODUCTION_INTERVAL)

    def hear(self, link: Link, epoch: int, link_id: int, payload: bytes, now: float) -> None:
        """Take a control frame of the peer."""
        try:
            items = control.decode(payload)
        except ControlError:
            self.bad_control += 1
            return
        for item in items:
            if isinstance(item, Hello):
                self._welcome(link, epoch, link_id, item, now)
            elif isinstance(item, Report):
                self.take(item, now)
            elif self.far.networks.get(item[0]) != item[1]:
                self.far.networks[item[0]] = item[1]
                self._learnt += 1

    def tx_loss(self, link: Link) -> float | None:
        """Give the share of this node's frames that the peer has missed of late, 0 to 1; None before its reports."""
        outgoing = self.outgoing.get(link.name)
        return None if outgoing is None else outgoing.loss

    def introduction(self, link: Link) -> bytes:
        """Give a control frame's payload that says who this node is."""
        return control.encode(self._hello(link))

    def session(self, link: Link) -> tuple[int, int] | None:
        """Give the epoch in which the peer has introduced itself on a link, and its number for it; None before."""
        heard, number = self._heard.get(link.name), self.far.links.get(link.name)
        return None if heard is None or number is None else (heard[0], number)

    def forget(self, name: str) -> None:
        """Forget a link that is no more."""
        for table in (self._greeted, self._heard, self.outgoing, self.far.links):
            table.pop(name, None)

    def _hello(self, link: Link) -> list[Item]:
        settings, node = self._peer.settings, self._node
        networks = [(TAKES, tuple(settings.destinations)), (OWNS, tuple(self._peer.local))]
        networks += [(REFUSES, self._refuses)] if self._refuses else []
        links = len(self._peer.links)
        described = repr((settings.scheduler, settings.copies, links, node.workers, link.mtu)).encode()
        hello = Hello(
            workers=node.workers,
            links=min(links, 255),
            scheduler=control.scheduler_number(settings.scheduler),
            copies=settings.copies or 0,
            far_link=self.far.links.get(link.name, 255),
            mtu=link.mtu,
            probe_interval=round(node.probe_interval * 1e6),
            digest=crc32c(control.encode(networks) + described),
        )
        return [hello, *networks]

    def _look_at_refusals(self, now: float) -> None:
        """Tell the peer, by a HELLO, which of its packets are refused: it sends them for nothing."""
        if self._refuses and now - self._refused_at < REFUSALS:
            return
        last = self._peer.receiver.refused_last.values()
        pairs = (in_words(packet) for since, packet in last if now - since < REFUSALS)
        found = tuple(ip_network(address) for pair in pairs for address in pair if address)
        if found != self._refuses:
            self._refuses, self._refused_at = found, now
            for link in self._peer.links.values():
                if link.answering:
                    self.greet(link, now)

    def _welcome(self, link: Link, epoch: int, link_id: int, hello: Hello, now: float) -> None:
        """Take a HELLO; one that says something new is answered, so that a restarted peer knows us, too."""
        refused = self.far.networks.pop(REFUSES, None)  # what it still refuses stands behind it
        if refused is not None or hello != self.far.hello:
            self.far.hello = hello
            self._learnt += 1
        self.far.links[link.name] = link_id
        if self._heard.get(link.name) != (epoch, hello.digest):
            self._heard[link.name] = epoch, hello.digest
            self.greet(link, now)
        if link.state not in ANSWERING:
            self._peer.ask(link, now)

    def take(self, report: Report, now: float) -> None:
        """Take a report of the peer; one about another worker's lane is handed on to that."""
        link = next((link for link in self._peer.links.values() if link.id == report.link_id), None)
        if link is None or report.lane >= self._node.workers:
            return
        if report.lane != self._node.lane:
            self._peer.events.append(ReportHeard(self._peer.settings.name, report))
        elif report.epoch == self._node.epoch:
            self._learn(link, report, now)

    def _learn(self, link: Link, report: Report, now: float) -> None:
        outgoing = self.outgoing.get(link.name)
        if outgoing is None:
            outgoing = self.outgoing[link.name] = Outgoing(link)
        if outgoing.take(report, now):
            self.reports += 1
            late = self._peer.sender.late
            if late is not None:
                late.learn(link, report, now)
                self._peer.due = min(self._peer.due, self._peer.sender.due)
        else:
            self.refused_reports += 1

    def report(self, now: float) -> float:
        """Tell the peer what came on each link since the last time; give for how long it should hear no more.

        It goes over the link that answers fastest, and over another one too while some link is in doubt.
        """
        is_fast = self.far.measures
        least, spread = (MEASURED_PAUSE, MEASURED_SPREAD) if is_fast else (REPORT_PAUSE, REPORT_SPREAD)
        pause = least + spread * float(crc32c(b"%d %s" % (self.reported, self._node.secret))) / 2**32
        self.reported += 1
        self._reported_frames = self._peer.receiver.frames
        best = self._best()
        if not best:
            return pause
        reports = self._reports(now)
        size = 0
        for first in range(0, len(reports), 8):
            for link in best:
                size += self._send(link, reports[first : first + 8])
        came = sum(link.rx_bytes for link in self._peer.links.values())
        rate = (came - self._reported_bytes) / max(now - self._reported_at, REPORT_PAUSE)
        self._reported_at, self._reported_bytes = now, came
        longest, share = (MEASURED_PERIOD, MEASURED_SHARE) if is_fast else (REPORT_PERIOD, REPORT_SHARE)
        return max(pause, min(share * size / rate if rate > 0 else longest, longest))

    def _reports(self, now: float) -> list[Item]:
        """Say what came on each link and lane of which the last report was another."""
        reports: list[Item] = []
        for number, lane in self._peer.receiver.lanes.items():
            for link, track in lane.tracks.items():
                if self._told.get((link.name, number)) == track.received:
                    continue
                self._told[link.name, number] = track.received
                missing = tuple((first & MASK, min(stop - first, 0xFFFF)) for first, stop in track.missing)
                age = min(round((now - track.last_time) * 1e6), MASK)
                reports.append(
                    Report(
                        number, track.link_id, track.epoch, track.highest & MASK, track.received & MASK,
                        track.received_bytes, max(age, 0), round(track.last_time * 1e6) & MASK, missing,
                    )
                )  # fmt: skip
        return reports

    def _best(self) -> list[Link]:
        """Give the link that answers fastest, and the next one while some link is in doubt."""
        links = self._peer.links.values()
        ranked = sorted((link for link in links if link.carries), key=lambda link: link.rtt or 1.0)
        doubt = any(link.state in (SUSPECT, WARY) for link in links)
        return ranked[: 2 if doubt else 1]

    def _look(self) -> None:
        """See what does not fit, and tell it when that has changed."""
        peer = self._peer
        links = {name: peer.state(link) for name, link in peer.links.items()}
        looked_at = self._learnt, peer.settings.destinations, peer.local, links
        if looked_at == self._looked_at:
            return
        self._looked_at = looked_at
        found = advice(
            self.far, destinations=peer.settings.destinations, local=peer.local, links=links,
            probe_interval=self._node.probe_interval,
        )  # fmt: skip
        if found != self.advice:
            self.advice = found
            peer.advise(found)

    def _send(self, link: Link, items: list[Item]) -> int:
        """Queue a control frame; give its size in bytes."""
        payload = control.encode(items)
        link.append(CONTROL, self._node.epoch, payload, crc32c(payload))
        return SIZE + len(payload)

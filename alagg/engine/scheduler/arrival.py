"""Earliest arrival: each packet on the link on which it will arrive first, as far as the links were measured.

What `latency` and `adaptive` have in common: they know how much longer the way over each link is (its skew), which
links are worth a packet, and how to find out about the others. A link of which little is known, or that is too slow
to be of use, is tried with *copies* of packets that go over another one, so that this costs nobody anything; at
growing intervals, and only while those in use carry less than there is.

Earliest arrival alone would let a short packet wait behind nothing and still go over a slow link, or have a slow link
hold up those behind it: waiting for a fast link is often quicker (ECF, CoNEXT 2017; BLEST, IFIP Networking 2016).
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

from alagg.engine.gauge import FRAME, LEAST
from alagg.engine.scheduler.base import Run, Scheduler
from alagg.engine.state import UP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.link import Link
    from alagg.engine.pacer import Pacer

RENEW: Final = 0.005
"""Seconds for which a plan holds."""
ALIKE: Final = 0.002
"""Seconds of skew that make no difference."""
STICK: Final = 0.0003
"""Seconds by which another link must be quicker to take over from the one before: runs are cheap to put in order."""
LOSSY: Final = 0.02
"""Share of frames lost from which a link is left, where nothing is sent again, for those that lose less."""
TRIAL: Final = 1.0
"""Seconds for which a link is tried."""
FIRST_PAUSE: Final = 2.0
"""Seconds between the first trial and the second; doubled with each further one ..."""
LONGEST_PAUSE: Final = 64.0
"""... up to this."""
PRESSED: Final = 0.05
"""Seconds for which packets have had to wait before a link is tried."""
MEMORY: Final = 1.25
"""How much more waiting is remembered than the slowest link in use asks for."""
RELIEF: Final = 4.0
"""How much faster it is forgotten while nothing waits: what comes in bursts does not fill the fast links."""


class Trial:
    """When a link is tried."""

    def __init__(self) -> None:
        """Begin with a trial, as soon as there is need."""
        self.until = float("-inf")
        self.next = float("-inf")
        self.pause = FIRST_PAUSE

    def runs(self, now: float, *, needed: bool) -> bool:
        """Tell whether the link is tried now; a trial begins when it is due, and needed."""
        if now < self.until:
            return True
        if not needed or now < self.next:
            return False
        self.until = now + TRIAL
        self.next = self.until + self.pause
        self.pause = min(2 * self.pause, LONGEST_PAUSE)
        return True


class Way:
    """A link in the plan."""

    def __init__(self, pacer: Pacer, skew: float, rate: float, sum_before: float) -> None:
        """Take how much longer it takes than the fastest, its rate, and that of all faster ones together."""
        self.pacer = pacer
        self.skew = skew
        self.rate = rate
        self.sum_before = sum_before

    def wait(self, now: float) -> float:
        """Give the seconds until what it has been given already has left it."""
        gauge = self.pacer.gauge
        return 0.0 if gauge is None else gauge.backlog(now) + self.pacer.bytes / gauge.rate


class EarliestArrival(Scheduler):
    """Lays each packet on one link, the one on which it arrives first; what is worth waiting for, others say."""

    def __init__(self, copies: int | None) -> None:
        """Take the number of copies, which means nothing here: there is one of each packet."""
        super().__init__(copies)
        self.measures = True
        self._plan: list[Way] = []
        self._tried: list[Pacer] = []
        self._trials: dict[Pacer, Trial] = {}
        self._pacers: list[Pacer] = []
        self._plan_until = float("-inf")
        self._last: Pacer | None = None
        self._pressed = 0.0
        """For how long packets have had to wait of late, in seconds; it goes down while none waits."""
        self._waits = False
        self._since = 0.0

    def schedule(self, payloads: list[bytes], links: Sequence[Link], now: float) -> list[Run]:  # noqa: ARG002
        """Lay packets on the fastest link that answers: those that waited when another scheduler was there."""
        ranked = sorted(links, key=_rank)
        return [Run(len(payloads), tuple(ranked[:1]))]

    def pick(self, pacers: Sequence[Pacer], size: int, now: float) -> tuple[Pacer, ...]:  # noqa: ARG002
        """Choose the link of one packet; none, when it is better to wait."""
        if now >= self._plan_until or pacers != self._pacers:
            self._make_plan(list(pacers), now)
        chosen, earliest = None, float("inf")
        for way in self._plan:
            if way.skew > ALIKE and (self.urgent or not self._opens(way)):
                break
            if way.pacer.can_take(now):
                arrival = way.skew + way.wait(now) - (STICK if way.pacer is self._last else 0.0)
                if arrival < earliest:
                    chosen, earliest = way.pacer, arrival
        if chosen is None:
            self._note(now, waits=True)
            return ()
        self._last = chosen
        if not self._tried:
            return (chosen,)
        return (chosen, *(pacer for pacer in self._tried if pacer.can_take(now)))

    def idle(self, now: float) -> None:
        """Take that nothing waits: the links carry more than there is."""
        self._note(now, waits=False)

    def _opens(self, way: Way) -> bool:
        """Tell whether a slower link is used for what comes next, as things are."""
        raise NotImplementedError

    def _is_worth(self, way: Way) -> bool:
        """Tell whether a slower link is of use at all."""
        raise NotImplementedError

    def _note(self, now: float, *, waits: bool) -> None:
        passed = now - self._since
        pressed = self._pressed + (passed if self._waits else -RELIEF * passed)
        self._pressed = min(max(pressed, 0.0), MEMORY * max(self._plan[-1].skew, PRESSED) if self._plan else 0.0)
        self._waits, self._since = waits, now

    def _make_plan(self, pacers: list[Pacer], now: float) -> None:
        self._pacers, self._plan_until = pacers, now + RENEW
        usable = _usable(pacers, now)
        lags = _lags(usable)
        least = min(lags)
        self._plan, self._tried, total = [], [], 0.0
        for lag, pacer in sorted(zip(lags, usable, strict=True), key=itemgetter(0)):
            way = Way(pacer, lag - least, _rate(pacer), total)
            if self._is_used(way, now):
                self._plan.append(way)
                total += way.rate
        self._trials = {pacer: trial for pacer, trial in self._trials.items() if pacer in pacers}
        self.skew = self._patience(self._plan[-1].skew)

    def _patience(self, skew: float) -> float:  # noqa: ARG002
        """Give how long a packet may be waiting for a fast link, where the slowest in use has this skew."""
        return 0.0

    def _is_used(self, way: Way, now: float) -> bool:
        """Tell whether a link belongs to the plan; if not, see whether it is tried."""
        gauge = way.pacer.gauge
        if gauge is None or way.skew <= ALIKE:
            return True
        if gauge.seen and self._is_worth(way):
            self._trials.pop(way.pacer, None)
            return True
        trial = self._trials.setdefault(way.pacer, Trial())
        if trial.runs(now, needed=self._pressed > min(PRESSED, way.skew)):
            self._tried.append(way.pacer)
        return False


def _usable(pacers: list[Pacer], now: float) -> list[Pacer]:
    """Give those that are up and report what comes, and lose little; or the best that there are."""
    ranks = [_trouble(pacer, now) for pacer in pacers]
    least = min(ranks)
    return [pacer for pacer, rank in zip(pacers, ranks, strict=True) if rank == least]


def _trouble(pacer: Pacer, now: float) -> tuple[bool, bool, bool, bool]:
    link, gauge = pacer.link, pacer.gauge
    stalled = gauge is not None and gauge.is_stalled(now)
    return not link.answering, stalled, link.state != UP, link.loss > LOSSY


def _lags(pacers: list[Pacer]) -> list[float]:
    """Give the delay of a frame on each link: of the way there, as reports have it, or half of the round trip."""
    delays = [pacer.gauge.delay if pacer.gauge else None for pacer in pacers]
    known = [delay for delay in delays if delay is not None]
    ways = known if len(known) == len(pacers) else [pacer.link.base_rtt / 2 for pacer in pacers]
    return [way + FRAME / max(_rate(pacer), LEAST) for way, pacer in zip(ways, pacers, strict=True)]


def _rate(pacer: Pacer) -> float:
    gauge = pacer.gauge
    if gauge is None:
        return pacer.rate
    rate = gauge.rate if gauge.known else gauge.seen or gauge.rate
    return min(rate, pacer.limit) if pacer.limit else rate


def _rank(link: Link) -> tuple[bool, float]:
    return not link.answering, link.rtt

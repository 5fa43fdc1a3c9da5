"""What happens to frames on an emulated link: pure decisions in virtual time, from seeded random numbers."""

from __future__ import annotations

import dataclasses
import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random


@dataclass(frozen=True)
class Settings:
    """How one direction of a link behaves. The default is a clean link without delay."""

    delay: float = 0.0
    """Seconds that each frame travels."""
    jitter: float = 0.0
    """Seconds by which the delay varies, evenly, to both sides."""
    in_order: bool = False
    """Jitter only spreads frames and never lets one overtake another."""
    reorder: float = 0.0
    """Share of frames that skip the delay and so jump ahead of those that travel."""
    loss: float = 0.0
    """Share of frames that are lost in the long run."""
    burst: float = 1.0
    """Mean number of frames lost in a row (Gilbert's model); 1 for losses independent of each other."""
    duplicate: float = 0.0
    """Share of frames that arrive twice."""
    corrupt: float = 0.0
    """Share of frames in which one bit is flipped."""
    rate: float = 0.0
    """Bits per second; 0 for no limit."""
    queue: float = 0.05
    """With a rate: seconds of traffic that may wait for it; what comes on top is dropped."""
    limit: int = 20_000
    """Frames that may be on their way at once; what comes on top is dropped."""
    cut: bool = False
    """A black hole: the carrier stays and nothing arrives."""

    def __post_init__(self) -> None:
        for name in ("loss", "reorder", "duplicate", "corrupt"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, not {getattr(self, name)}")
        for name in ("delay", "jitter", "rate", "queue"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is not negative, not {getattr(self, name)}")
        if self.reorder and not self.delay:
            raise ValueError("reorder needs a delay to jump ahead of")
        if self.burst < 1 or (self.loss > self.burst * (1 - self.loss) and self.burst > 1):
            raise ValueError(f"bursts of {self.burst} frames do not add up to a loss of {self.loss}")

    @property
    def clean(self) -> bool:
        """Whether frames pass as they came, at once."""
        return not (
            self.cut or self.delay or self.jitter or self.loss or self.duplicate or self.corrupt or self.rate
        )


@dataclass
class Counters:
    """The fate of the frames of one direction: received + duplicated = sent + waiting + every reason for neither."""

    received: int = 0
    sent: int = 0
    duplicated: int = 0
    corrupted: int = 0
    reordered: int = 0
    lost: int = 0
    cut: int = 0
    queue_full: int = 0
    """Dropped since the rate or the limit had no room."""
    unsent: int = 0
    """Refused by the interface: down, gone or full."""
    overrun: int = 0
    """Dropped by the kernel before the emulator read them; not among those received."""


class Impairment:
    """Decides when each frame of one direction arrives, and in which state."""

    def __init__(self, random: Random, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.counters = Counters()
        self._random = random
        self._in_burst = False
        self._idle_at = 0.0
        self._last = 0.0

    def decide(self, frames: Sequence[bytes], now: float) -> list[tuple[float, bytes]]:
        """Give the time of arrival and the content of every frame that arrives, duplicates included."""
        settings, counters = self.settings, self.counters
        counters.received += len(frames)
        if settings.cut:
            counters.cut += len(frames)
            return []
        arrivals: list[tuple[float, bytes]] = []
        for frame in frames:
            if self._loses():
                counters.lost += 1
                continue
            self._pass(frame, now, arrivals)
            if self._happens(settings.duplicate):
                counters.duplicated += 1
                self._pass(frame, now, arrivals)
        return arrivals

    def _pass(self, frame: bytes, now: float, arrivals: list[tuple[float, bytes]]) -> None:
        departure = self._departure(len(frame), now)
        if departure is None:
            self.counters.queue_full += 1
            return
        if self._happens(self.settings.corrupt):
            self.counters.corrupted += 1
            frame = self._corrupted(frame)
        arrivals.append((departure + self._travel(departure), frame))

    def _happens(self, share: float) -> bool:
        return share > 0 and self._random.random() < share

    def _loses(self) -> bool:
        settings = self.settings
        if settings.burst == 1 or not settings.loss:
            return self._happens(settings.loss)
        # Gilbert: leave a burst with 1/burst, enter one so often that the long-run share is `loss`.
        leave = 1 / settings.burst
        change = leave if self._in_burst else leave * settings.loss / max(1 - settings.loss, 1e-9)
        if self._happens(change):
            self._in_burst = not self._in_burst
        return self._in_burst

    def _departure(self, size: int, now: float) -> float | None:
        """Give the time at which a frame has left the rate limit behind, None when its queue is full."""
        settings = self.settings
        if not settings.rate:
            return now
        start = max(self._idle_at, now)
        if start - now > settings.queue:
            return None
        self._idle_at = start + size * 8 / settings.rate
        return self._idle_at

    def _travel(self, departure: float) -> float:
        settings = self.settings
        if self._happens(settings.reorder):
            self.counters.reordered += 1
            return 0.0
        travel = settings.delay
        if settings.jitter:
            travel = max(0.0, travel + self._random.uniform(-settings.jitter, settings.jitter))
            if settings.in_order:
                travel = max(travel, self._last - departure)
                self._last = departure + travel
        return travel

    def _corrupted(self, frame: bytes) -> bytes:
        bit = self._random.randrange(len(frame) * 8)
        damaged = bytearray(frame)
        damaged[bit >> 3] ^= 1 << (bit & 7)
        return bytes(damaged)


class DelayLine:
    """Holds the frames of one direction until they arrive; bounded by `Settings.limit`."""

    def __init__(self, impairment: Impairment) -> None:
        self.impairment = impairment
        self._waiting: list[tuple[float, int, bytes]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def next_at(self) -> float | None:
        """When the next frame arrives."""
        return self._waiting[0][0] if self._waiting else None

    def put(self, frames: list[bytes], now: float) -> list[bytes]:
        """Take frames that were sent, give those that have arrived by now."""
        impairment = self.impairment
        if not self._waiting and impairment.settings.clean:
            impairment.counters.received += len(frames)
            return frames
        for at, frame in impairment.decide(frames, now):
            if len(self._waiting) >= impairment.settings.limit:
                impairment.counters.queue_full += 1
                continue
            # The number keeps frames of the same time in their order.
            self._number += 1
            heapq.heappush(self._waiting, (at, self._number, frame))
        return self.due(now)

    def due(self, now: float) -> list[bytes]:
        """Give the frames that have arrived by now, in the order of their arrival."""
        frames = []
        while self._waiting and self._waiting[0][0] <= now:
            frames.append(heapq.heappop(self._waiting)[2])
        return frames


def settings_from(values: dict[str, float]) -> Settings:
    """Make settings of what came over the control channel.

    Raises:
        ValueError: a name or a value is not allowed; the text says which.
    """
    unknown = set(values) - {field.name for field in dataclasses.fields(Settings)}
    if unknown:
        raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
    return Settings(**values)  # type: ignore[arg-type]

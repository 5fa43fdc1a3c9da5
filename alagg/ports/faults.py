"""A port around a port that loses, doubles, damages and delays what is sent: faults on demand, seeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.engine.header import SIZE
from alagg.ports.base import whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from alagg.ports.base import Arrival, Port


class Faults:
    """Passes frames on to `port`, some of them harmed. For faults on the way back, wrap the other end.

    Each fault strikes independently, with a probability from 0 to 1 that can be changed at any time. One random
    number generator decides, so the same seed and the same frames give the same faults.
    """

    def __init__(
        self,
        port: Port,
        random: Random,
        *,
        loss: float = 0.0,
        duplicate: float = 0.0,
        corrupt: float = 0.0,
        reorder: float = 0.0,
    ) -> None:
        """Wrap a port.

        Args:
            port: where the surviving frames go.
            random: decides; seed it to repeat a run.
            loss: how likely a frame vanishes.
            duplicate: how likely a frame is sent twice.
            corrupt: how likely one bit of a frame is turned over.
            reorder: how likely a frame is held back until the next one has been sent.
        """
        self.port = port
        self.random = random
        self.loss = loss
        self.duplicate = duplicate
        self.corrupt = corrupt
        self.reorder = reorder
        self.lost = 0
        self.duplicated = 0
        self.corrupted = 0
        self.reordered = 0
        self.refused = 0
        """Second copies and held frames that found the link full."""
        self._held: list[bytes] = []

    def fileno(self) -> int:
        """Give the wrapped port's descriptor."""
        return self.port.fileno()

    def send(self, remote: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        """Send what the faults leave; lost and held frames count as taken.

        Raises:
            OSError: as the wrapped port.
        """
        for index, frame in enumerate(whole(headers, payloads)):
            frames = self._harm(frame)
            if not frames:
                continue
            # Where a frame is cut in two does not show; one that was held back may have a header of another size.
            harmed = bytearray().join(one[:SIZE] for one in frames)
            taken = self.port.send(remote, harmed, [one[SIZE:] for one in frames])
            self.refused += len(frames) - max(taken, 1)
            if not taken:
                return index
        return len(payloads)

    def _harm(self, frame: bytes) -> list[bytes]:
        """Decide what is sent in a frame's place."""
        if self.random.random() < self.loss:
            self.lost += 1
            return []
        if self.random.random() < self.corrupt:
            self.corrupted += 1
            frame = self._flip(frame)
        frames = [frame]
        if self.random.random() < self.duplicate:
            self.duplicated += 1
            frames.append(frame)
        if self._held:
            frames += self._held
            self._held = []
        elif self.random.random() < self.reorder:
            self.reordered += 1
            self._held, frames = frames, []
        return frames

    def _flip(self, frame: bytes) -> bytes:
        """Turn one bit over, each bit of the frame being as likely."""
        flipped = bytearray(frame)
        bit = self.random.randrange(8 * len(flipped))
        flipped[bit // 8] ^= 1 << bit % 8
        return bytes(flipped)

    def receive(self) -> list[Arrival]:
        """Give what the wrapped port gives.

        Raises:
            OSError: as the wrapped port.
        """
        return self.port.receive()

    def set_remotes(self, remotes: Iterable[bytes]) -> None:
        """Have the wrapped port take frames from these addresses."""
        self.port.set_remotes(remotes)

    def set_own_mac(self, mac: bytes) -> None:
        """Have the wrapped port send from this address."""
        self.port.set_own_mac(mac)

    def bypass_queues(self, *, allowed: bool, reason: str, mtu: int) -> None:
        """Let the wrapped port pass by queues, or not."""
        self.port.bypass_queues(allowed=allowed, reason=reason, mtu=mtu)

    @property
    def sends_by(self) -> tuple[str, str]:
        """By what the wrapped port sends, and why."""
        return self.port.sends_by

    def counters(self) -> dict[str, int]:
        """Give the wrapped port's counters, and how many frames were harmed."""
        return {
            **self.port.counters(),
            "fault_lost": self.lost,
            "fault_duplicated": self.duplicated,
            "fault_corrupted": self.corrupted,
        }

    def close(self) -> None:
        """Close the wrapped port; a frame that is still held back is lost."""
        self.lost += len(self._held)
        self._held = []
        self.port.close()

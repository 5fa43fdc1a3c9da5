"""A link as the engine sees it: what waits to be sent on it, and what is known about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cython

from alagg.engine.header import MALFORMED_REASONS, SIZE, write
from alagg.engine.sequence import MASK
from alagg.engine.state import ANSWERING, HELD, NEW, SHUT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

IDS: Final = 256
"""Numbers that links can have."""

if not cython.compiled:  # link.pxd has the same in C

    def _grow(headers: bytearray, size: int) -> None:
        headers.extend(bytes(size))


class Link:
    """One link to a peer."""

    def __init__(self, link_id: int, name: str, mtu: int, weight: int = 1, lane: int = 0) -> None:
        """Describe a link. Its number in the frames and the lane together count the frames that it is given.

        Args:
            link_id: its number in the frames, 0 to 255.
            name: its name in the configuration.
            mtu: bytes of the largest frame, header included.
            weight: its share for schedulers that weigh.
            lane: the number space of what this node sends.
        """
        self.id = link_id
        self.name = name
        self.mtu = mtu
        """Bytes of the largest frame that the interface takes."""
        self.introduces = False
        """Whether the peer learns from its frames where this node is."""
        self.path_mtu = 0
        """Bytes of the largest frame that reaches the other side, where that is less; 0 where it is not."""
        self.weight = weight
        self.open = True
        """Whether the port can send; the schedulers see only open links."""
        self.answering = True
        """Whether the peer answers on it, as far as is known; redundant copies are sent even where it does not."""
        self.full = False
        """Whether it took less than it was given, the last time; the schedulers take note and reset it."""
        self.rtt = self.base_rtt = 0.0
        """Seconds of its round trip, smoothed, and of the shortest of late; 0 before they are known."""
        self.loss = self.capacity = 0.0
        """Of what this node sends: the share that is lost, and bytes a second that it can carry, 0 for unknown."""
        self.credit = 0.0
        """Bytes that it has earned and not carried yet, for the scheduler that weighs."""
        self.state = NEW
        """One of `alagg.engine.state.STATES`."""
        self.held = False
        """Whether it is given no packets: blocked, capped, or not needed."""
        self.reason = self.trouble = ""
        """Why the link is not up, in words, and why its port cannot send."""
        self.lane = lane
        self.link_sequence = 0
        self.headers = bytearray()
        """The headers of the frames that wait to be sent, one after the other."""
        self.payloads: list[bytes] = []
        """Their payloads."""
        self.queued = 0
        """Frames that the port was last given."""
        self._bytes = 0
        self._at = 0
        """Where the next header is written."""
        self.taken = 0
        """How many of them it took, always the first ones."""
        self.tx_frames = self.tx_bytes = 0
        self.tx_dropped_full = 0
        """Frames that a full link did not take."""
        self.tx_dropped_down = 0
        """Frames that found the port closed."""
        self.rx_frames = self.rx_bytes = 0
        self.rx_last = float("-inf")
        """When the last intact frame came, in seconds."""
        self.malformed = dict.fromkeys(MALFORMED_REASONS, 0)

    @property
    def room(self) -> int:
        """Bytes of the largest frame that arrives, as far as is known."""
        return min(self.mtu, self.path_mtu) if self.path_mtu else self.mtu

    @property
    def carries(self) -> bool:
        """Whether it may carry what is nowhere else."""
        return self.open and self.answering and not self.held

    @property
    def is_shut(self) -> bool:
        """Whether nothing may leave on it at all, control frames included."""
        return self.state in SHUT

    def become(self, state: str, reason: str) -> None:
        """Take another state, and why, in words. A new link is tried as if it answered, until that is known."""
        self.state, self.reason = state, reason
        self.held = state in HELD
        if state != NEW:
            self.answering = state in ANSWERING

    def append(self, frame_type: int, epoch: int, payload: bytes, payload_checksum: int) -> None:
        """Queue a frame that carries no packet."""
        self.reserve([payload], len(payload))
        self.write(frame_type, epoch, self.lane, 0, 0, 0, len(payload), payload_checksum)

    def reserve(self, payloads: list[bytes], size: int) -> int:
        """Queue payloads of `size` bytes in all, whose headers must be written now; give the place of the first."""
        first = len(self.payloads)
        self._at = len(self.headers)
        _grow(self.headers, SIZE * len(payloads))
        self.payloads += payloads
        self._bytes += size
        return first

    def write(
        self,
        frame_type: int,
        epoch: int,
        lane: int,
        sequence: int,
        piece: int,
        last_piece: int,
        length: int,
        payload_checksum: int,
    ) -> None:
        """Write the header of the next payload that was reserved; see `alagg.engine.header.write`."""
        write(
            self.headers, self._at, frame_type, epoch, lane, sequence, self.id, self.link_sequence, piece, last_piece,
            length, payload_checksum,
        )  # fmt: skip
        self._at += SIZE
        self.link_sequence = (self.link_sequence + 1) & MASK

    def settle(self, taken: int) -> None:
        """Account for the queued frames, of which the port took the first `taken`, and empty the queue.

        The numbers of the others, the last ones, were never seen by anybody: they are no loss of the link's, and the
        frames that follow take them.
        """
        self.queued = total = len(self.payloads)
        self.taken = taken
        self.tx_frames += taken
        if taken == total:
            self.tx_bytes += taken * SIZE + self._bytes
        else:
            self.tx_bytes += taken * SIZE + sum(map(len, self.payloads[:taken]))
            self.full = True
            self.link_sequence = (self.link_sequence - (total - taken)) & MASK
            if self.open:
                self.tx_dropped_full += total - taken
            else:
                self.tx_dropped_down += total - taken
        self.headers = bytearray()
        self.payloads = []
        self._bytes = 0


def free_id(taken: Collection[int], used: Mapping[int, int]) -> int:
    """Give the number for another link: one that no link had, else the one that was given back longest ago.

    Its link sequences go on where they were, so that the other side sees no second beginning.

    Args:
        taken: the numbers of the links that are there.
        used: those that were given back, in that order, with the sequences that follow.
    """
    fresh = next((number for number in range(IDS) if number not in taken and number not in used), None)
    return next(iter(used)) if fresh is None else fresh

"""Seals: frames encrypted and authenticated, in their plain form; `alagg.native.seals` does the same in C.

A packet is sealed once for all its copies: the nonce follows from its type and sequence, and what is equal in all
copies, the header's first 15 bytes, is authenticated with it. What differs between copies has a tag of its own
(AES-CMAC, RFC 4493, cut to 8 bytes), over the header's 20 bytes and the packet's tag. So a copy costs three blocks of
AES, not a packet.

A sealed frame: the header's 20 bytes, the copy's tag (8), the packet's tag (16), the encrypted payload. As the ports
see it: a header of 24 bytes, and a payload that begins with the rest of the copy's tag.
"""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from alagg.keys.schedule import AES_256_GCM, CHACHA20_POLY1305

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alagg.keys.schedule import LaneKeys

SIZE: Final = 24
"""Bytes of a header, as the ports see it."""
EQUAL: Final = 15
"""Bytes of it that are equal in all copies."""
FIELDS: Final = 20
"""Bytes of it without the tag."""
COPY_TAG: Final = 8
"""Bytes of a copy's tag."""
REST: Final = FIELDS + COPY_TAG - SIZE
"""Bytes of it that stand in what the ports take for the payload."""
TAG: Final = 16
"""Bytes of a packet's tag."""
GROWTH: Final = REST + TAG
"""Bytes by which a payload grows."""
_CIPHERS: Final[dict[int, type[AESGCM | ChaCha20Poly1305]]] = {
    AES_256_GCM: AESGCM, CHACHA20_POLY1305: ChaCha20Poly1305,
}  # fmt: skip


class Seal:
    """Seals and opens the frames of one lane, direction and generation."""

    def __init__(self, cipher: int, keys: LaneKeys) -> None:
        """Take the cipher, by its number in `alagg.keys.schedule`, and the lane's keys."""
        self._cipher = _CIPHERS[cipher](keys.key)
        self._iv = int.from_bytes(keys.iv, "big")
        self._link_key = AES(keys.link_key)

    def seal(self, headers: bytes | bytearray, payloads: Sequence[bytes]) -> list[bytes]:
        """Seal payloads, each with its header, one after the other; give what is equal in all copies of each."""
        sealed = []
        for index, payload in enumerate(payloads):
            header = bytes(headers[SIZE * index : SIZE * index + FIELDS])
            text = self._cipher.encrypt(self._nonce(header), payload, header[:EQUAL])
            sealed.append(text[-TAG:] + text[:-TAG])
        return sealed

    def finish(self, headers: bytearray, sealed: Sequence[bytes]) -> list[bytes]:
        """Complete copies: write the tag of each, into its header and before what is sealed; give the payloads."""
        payloads = []
        for index, text in enumerate(sealed):
            at = SIZE * index
            tag = self._copy_tag(bytes(headers[at : at + FIELDS]), text[:TAG])
            headers[at + FIELDS : at + SIZE] = tag[: SIZE - FIELDS]
            payloads.append(tag[SIZE - FIELDS :] + text)
        return payloads

    def vouch(self, headers: bytes, places: Sequence[int], payloads: Sequence[bytes]) -> list[bool]:
        """Tell of frames whether their copies' tags are right.

        Args:
            headers: the headers of a batch.
            places: which of them.
            payloads: what came behind each of these, padding included.
        """
        return [self._vouches(*frame) for frame in _frames(headers, places, payloads)]

    def open(self, headers: bytes, places: Sequence[int], payloads: Sequence[bytes]) -> list[bytes | None]:
        """Give what frames have sealed; None for one that is not authentic. The arguments are those of `vouch`."""
        return [self._open(*frame) for frame in _frames(headers, places, payloads)]

    def _vouches(self, header: bytes, payload: bytes) -> bool:
        if len(payload) < GROWTH:
            return False
        tag = self._copy_tag(header[:FIELDS], payload[REST:GROWTH])
        return hmac.compare_digest(tag, header[FIELDS:] + payload[:REST])

    def _open(self, header: bytes, payload: bytes) -> bytes | None:
        length = int.from_bytes(header[2:4], "big")
        text = payload[GROWTH : GROWTH + length]
        if len(text) < length or len(payload) < GROWTH:
            return None
        try:
            return self._cipher.decrypt(self._nonce(header), text + payload[REST:GROWTH], header[:EQUAL])
        except InvalidTag:
            return None

    def _nonce(self, header: bytes) -> bytes:
        """Give a frame's nonce: no key ever sees the same twice, since no type has a number twice."""
        number = (header[0] & 0x0F) << 64 | int.from_bytes(header[8:12], "big")
        return (self._iv ^ number).to_bytes(12, "big")

    def _copy_tag(self, fields: bytes, tag: bytes) -> bytes:
        code = CMAC(self._link_key)
        code.update(fields + tag)
        return code.finalize()[:COPY_TAG]


def _frames(headers: bytes, places: Sequence[int], payloads: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for place, payload in zip(places, payloads, strict=True):
        yield headers[SIZE * place : SIZE * place + SIZE], payload


def has_aes(info: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether the processor has instructions for AES; without them ChaCha20 is the quicker cipher."""
    try:
        words = info.read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return False
    return "aes" in words

"""Both forms of the seals: equal byte for byte, and every way in which a frame can be wrong is found."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alagg.engine.header import CONTROL, DATA, PROBE, encode
from alagg.keys.schedule import AES_256_GCM, CHACHA20_POLY1305, lane_keys
from tests.native.forms import FORMS

if TYPE_CHECKING:
    from collections.abc import Callable

CIPHERS = {"aes": AES_256_GCM, "chacha": CHACHA20_POLY1305}
KEYS = lane_keys(bytes(range(32)), 3)
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@pytest.fixture(params=sorted(CIPHERS))
def cipher(request: pytest.FixtureRequest) -> int:
    return CIPHERS[request.param]


@pytest.fixture(params=sorted(FORMS))
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return FORMS[request.param]("seals").Seal  # type: ignore[no-any-return]


def head(sequence: int, length: int, link_id: int = 0, link_sequence: int = 0, kind: int = DATA) -> bytes:
    """Give a header that names key generation 1."""
    made = bytearray(encode(kind, 0x5EEDCAFE, 3, sequence, link_id, link_sequence, 0, 0, length, 0))
    made[1] = 1
    return bytes(made)


def frames(seal: Any, payloads: list[bytes], link_id: int = 0) -> tuple[bytes, list[bytes]]:
    headers = bytearray(b"".join(head(at, len(one), link_id, at) for at, one in enumerate(payloads)))
    done = seal.finish(headers, seal.seal(headers, payloads))
    return bytes(headers), done


@given(payloads=st.lists(st.binary(max_size=300), max_size=150))
@QUIET
def test_what_was_sealed_is_opened(make: Callable[..., Any], cipher: int, payloads: list[bytes]) -> None:
    seal, other = make(cipher, KEYS), make(cipher, KEYS)
    headers, texts = frames(seal, payloads)
    places = list(range(len(payloads)))
    padded = [text + bytes(at % 40) for at, text in enumerate(texts)]
    assert other.vouch(headers, places, padded) == [True] * len(payloads)
    assert other.open(headers, places, padded) == payloads
    assert [len(text) - len(payload) for text, payload in zip(texts, payloads, strict=True)] == [20] * len(payloads)


@given(payloads=st.lists(st.binary(max_size=2000), max_size=70), link_id=st.integers(0, 255))
@QUIET
def test_both_forms_are_equal(cipher: int, payloads: list[bytes], link_id: int) -> None:
    plain, compiled = (FORMS[form]("seals").Seal(cipher, KEYS) for form in ("plain", "compiled"))
    assert frames(plain, payloads, link_id) == frames(compiled, payloads, link_id)


def test_it_is_what_the_rfcs_say(make: Callable[..., Any], cipher: int) -> None:
    """RFC 5116 (AES-256-GCM), RFC 8439, RFC 4493 with AES-256, by the library of keys."""
    seal = make(cipher, KEYS)
    headers, (text,) = frames(seal, [b"hello"])
    number = bytes(3) + bytes([DATA]) + bytes(8)
    nonce = bytes(one ^ other for one, other in zip(KEYS.iv, number, strict=True))
    aead = (AESGCM if cipher == AES_256_GCM else ChaCha20Poly1305)(KEYS.key)
    whole = aead.encrypt(nonce, b"hello", headers[:15])
    code = CMAC(AES(KEYS.link_key))
    code.update(headers[:20] + whole[-16:])
    tag = code.finalize()[:8]
    assert headers[20:] + text == tag + whole[-16:] + whole[:-16]


def test_copies_share_the_sealed_text_and_differ_in_their_tags(make: Callable[..., Any], cipher: int) -> None:
    seal = make(cipher, KEYS)
    (one_head, [one]), (other_head, [other]) = (frames(seal, [b"x" * 99], link) for link in (0, 1))
    assert one[4:] == other[4:]
    assert (one_head[20:], one[:4]) != (other_head[20:], other[:4])
    assert seal.open(one_head, [0], [other]) == [b"x" * 99]
    assert seal.vouch(one_head, [0], [other]) == [False]


def test_no_two_types_or_sequences_share_a_nonce(make: Callable[..., Any], cipher: int) -> None:
    seal = make(cipher, KEYS)
    zeros = bytes(64)
    texts = {
        seal.seal(head(sequence, 64, kind=kind), [zeros])[0][16:]
        for kind in (DATA, PROBE, CONTROL)
        for sequence in (0, 1, 255, 256, 65536, 2**31, 2**32 - 1)
    }
    assert len(texts) == 21


def test_each_bit_of_a_frame_counts(make: Callable[..., Any], cipher: int) -> None:
    seal = make(cipher, KEYS)
    headers, (text,) = frames(seal, [b"some payload"])
    for bit in range(8 * (len(headers) + len(text))):
        changed = bytearray(headers + text)
        changed[bit // 8] ^= 0x80 >> bit % 8
        header, payload = bytes(changed[:24]), bytes(changed[24:])
        [vouched], [opened] = seal.vouch(header, [0], [payload]), seal.open(header, [0], [payload])
        assert not vouched or opened is None
        if bit // 8 in range(15) or bit // 8 >= 28:
            # The type and sequence change the nonce; all of the first 15 bytes are authenticated.
            assert opened is None
        if bit // 8 < 44:
            assert not vouched


@pytest.mark.parametrize("size", [0, 1, 3, 4, 19, 20, 21, 31])
def test_what_is_cut_is_found(make: Callable[..., Any], cipher: int, size: int) -> None:
    seal = make(cipher, KEYS)
    headers, (text,) = frames(seal, [b"some payload"])
    assert len(text) == 32
    assert seal.open(headers, [0], [text[:size]]) == [None]
    assert seal.vouch(headers, [0], [text[:size]]) == [size >= 20]


@pytest.mark.parametrize("what", ["key", "iv", "link_key"])
def test_other_keys_open_nothing(make: Callable[..., Any], cipher: int, what: str) -> None:
    headers, texts = frames(make(cipher, KEYS), [b"payload"])
    other = make(cipher, KEYS._replace(**{what: os.urandom(len(getattr(KEYS, what)))}))
    vouched, opened = other.vouch(headers, [0], texts), other.open(headers, [0], texts)
    assert (vouched, opened) == (([False], [b"payload"]) if what == "link_key" else ([True], [None]))


def test_some_of_a_batch(make: Callable[..., Any], cipher: int) -> None:
    seal = make(cipher, KEYS)
    payloads = [bytes([at]) * at for at in range(100)]
    headers, texts = frames(seal, payloads)
    places = random.Random(1).sample(range(100), 70)
    texts[places[5]] = bytes(200)
    some = [texts[place] for place in places]
    expected: list[bytes | None] = [payloads[place] for place in places]
    expected[5] = None
    assert seal.open(headers, places, some) == expected
    assert seal.vouch(headers, places, some) == [at != 5 for at in range(70)]


def test_garbage_crashes_nothing(make: Callable[..., Any], cipher: int) -> None:
    seal, rng = make(cipher, KEYS), random.Random(1)
    texts = [rng.randbytes(rng.randrange(64)) for _ in range(500)]
    headers = rng.randbytes(24 * 500)
    places = list(range(500))
    assert seal.open(headers, places, texts) == [None] * 500
    assert seal.vouch(headers, places, texts) == [False] * 500
    assert seal.open(b"", [], []) == seal.vouch(b"", [], []) == seal.seal(b"", []) == []
    assert seal.finish(bytearray(), []) == []


def test_the_compiled_form_reads_nothing_that_is_not_there() -> None:
    seal = FORMS["compiled"]("seals").Seal(AES_256_GCM, KEYS)
    wrong: list[tuple[str, tuple[Any, ...]]] = [
        ("seal", (bytes(23), [b""])),
        ("finish", (bytearray(23), [bytes(16)])),
        ("finish", (bytearray(24), [bytes(15)])),
        ("open", (bytes(24), [1], [bytes(40)])),
        ("open", (bytes(24), [-1], [bytes(40)])),
        ("vouch", (bytes(24), [0], [])),
    ]
    for verb, arguments in wrong:
        with pytest.raises(ValueError, match=r"there are|nothing"):
            getattr(seal, verb)(*arguments)
    with pytest.raises(ValueError, match="not a cipher"):
        FORMS["compiled"]("seals").Seal(3, KEYS)

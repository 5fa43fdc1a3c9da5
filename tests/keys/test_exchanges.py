"""Exchanges: whole handshakes between two nodes in virtual time, and what strangers can cost."""

from __future__ import annotations

import dataclasses
import os
import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from alagg.keys import files, identity, pieces, trust
from alagg.keys.exchanges import HALF_OPEN, MOMENT, PROVED_NOTHING, Exchanges
from alagg.keys.identity import Authority
from alagg.keys.limits import BURST
from alagg.keys.pieces import CALL, Piece
from alagg.keys.schedule import ROTATION
from tests.keys.making import Made, Wire, exchanges, node, pinned, write

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOW = identity.now()


def test_both_call_at_once_and_both_open_what_the_other_seals(tmp_path: Path) -> None:
    wire = pinned(tmp_path)
    wire.run(0.2)
    assert wire.agree()
    assert wire.left.counts["calls"] == wire.right.counts["calls"] == 1
    assert sorted(wire.told) == ["left: right its frames are sealed", "right: left its frames are sealed"]
    wire.run(30)
    assert wire.agree()
    assert wire.left.counts["calls"] == 1


def test_the_one_who_is_late_need_not_call(tmp_path: Path) -> None:
    wire = pinned(tmp_path)
    wire.right.contacts["left"].next_call = 9.0
    wire.run(0.2)
    assert wire.agree()
    assert wire.right.counts["calls"] == 0


@pytest.mark.parametrize("which", ["left", "right"])
def test_a_restarted_node_has_keys_after_two_round_trips(tmp_path: Path, which: str) -> None:
    wire = pinned(tmp_path)
    wire.run(20)
    old = getattr(wire, which)
    (other, contact), = old.contacts.items()
    again = Exchanges(old._own, os.urandom, wire.now, has_aes=True)
    again.update(old._own, {other: contact.trust}, wire.now)
    setattr(wire, which, again)
    wire.run(0.06)
    assert wire.agree()


def test_a_thousand_key_changes_without_a_moment_without_keys(tmp_path: Path) -> None:
    wire = pinned(tmp_path)
    wire.run(1)
    seen: set[bytes] = set()
    while len(seen) < 1000:
        wire.jump(wire.now + ROTATION / 4)
        assert wire.agree()
        seen.add(wire.left.keys("right").seals[1])
    assert wire.left.counts["agreed"] + wire.right.counts["agreed"] >= 2 * wire.now // 3700
    assert len(wire.left.contacts["right"].sessions) <= 3


def test_clocks_that_differ_by_half_a_generation_still_agree(tmp_path: Path) -> None:
    wire = pinned(tmp_path)
    wire.run(1)
    for one in wire.right.contacts["left"].sessions:
        one.began -= ROTATION * 0.5
    for _ in range(40):
        wire.run(ROTATION / 8, step=ROTATION / 8)
        assert wire.agree()


@pytest.mark.parametrize("seed", range(6))
def test_loss_doubling_damage_and_disorder(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    wire = pinned(tmp_path)

    def meddle(value: bytes) -> list[bytes]:
        damaged = bytearray(value)
        damaged[rng.randrange(len(value))] ^= 1 << rng.randrange(8)
        return [one for one in (value, bytes(damaged), value) if rng.random() < 0.4]

    wire.meddle = meddle
    wire.run(15)
    assert wire.agree()
    assert wire.left.counts["strange"] > 0


def test_a_worn_session_ends_and_one_that_is_replaced_a_moment_later(tmp_path: Path) -> None:
    wire = pinned(tmp_path)
    wire.run(1)
    wire.left.call("right", wire.now)
    wire.run(1)
    before = len(wire.left.contacts["right"].sessions)
    wire.run(MOMENT)
    assert before > 1 == len(wire.left.contacts["right"].sessions)
    wire.meddle = lambda _: ()
    wire.jump(wire.now + 4000)
    assert wire.left.keys("right").seals[0] == 0
    assert not wire.left.keys("right").opens
    assert "left: right does not answer the handshake, or expects another certificate here" in wire.told


# --- certificates ---------------------------------------------------------------------------------------------


class Ca:
    """An authority with its files."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self.directory = directory
        self.made = identity.authority(name, identity.new_key(), NOW)
        self.path = directory / f"{name}.crt"
        files.write_certificate(self.path, self.made.certificate)

    def trust(self, name: str, revoked: Path | None = None) -> trust.Trust:
        return trust.read_authority(self.path, name, revoked)


def between(left: Made, trusts_right: trust.Trust, right: Made, trusts_left: trust.Trust) -> Wire:
    wire = Wire(exchanges(left.own, "right", trusts_right), exchanges(right.own, "left", trusts_left))
    wire.run(4)
    return wire


def test_an_authority_and_names(tmp_path: Path) -> None:
    ca = Ca(tmp_path)
    left, right = node(tmp_path, "left", ca.made), node(tmp_path, "right", ca.made)
    assert between(left, ca.trust("right"), right, ca.trust("left")).agree()


def test_one_pinned_and_one_by_its_authority(tmp_path: Path) -> None:
    ca = Ca(tmp_path)
    left, right = node(tmp_path, "left", ca.made), node(tmp_path, "right", ca.made)
    assert between(left, ca.trust("right"), right, trust.read_pinned(left.certificate)).agree()


def refused(wire: Wire, words: str) -> None:
    """Expect one line on both sides: the left one refuses the right one's certificate."""
    assert not wire.agree()
    assert f"left: right is refused: {words}" in wire.told
    assert f"right: left refuses this node: {words}" in wire.told
    assert len(wire.told) == 2


def test_another_name(tmp_path: Path) -> None:
    ca = Ca(tmp_path)
    left, right = node(tmp_path, "left", ca.made), node(tmp_path, "right", ca.made)
    refused(between(left, ca.trust("office"), right, ca.trust("left")), "the certificate bears another name")


def test_revoked(tmp_path: Path) -> None:
    ca = Ca(tmp_path)
    left, right = node(tmp_path, "left", ca.made), node(tmp_path, "right", ca.made)
    files.write_revoked(tmp_path / "ca.crl", identity.revoke(ca.made, [right.own.chain[0].serial_number], NOW))
    trusts = ca.trust("right", tmp_path / "ca.crl")
    refused(between(left, trusts, right, ca.trust("left")), "the certificate was revoked")


def test_another_authority(tmp_path: Path) -> None:
    ca, other = Ca(tmp_path), Ca(tmp_path, "other")
    left, right = node(tmp_path, "left", ca.made), node(tmp_path, "right", other.made)
    wire = between(left, ca.trust("right"), right, ca.trust("left"))
    refused(wire, trust.REFUSALS[trust.AUTHORITY])


def test_nobody_is_answered_who_expects_another_certificate(tmp_path: Path) -> None:
    left, right, other, another = (node(tmp_path, name) for name in ("left", "right", "other", "another"))
    wire = between(left, trust.read_pinned(other.certificate), right, trust.read_pinned(another.certificate))
    assert wire.left.counts["strange"] > 0 < wire.right.counts["strange"]
    assert wire.left.counts["answers"] == wire.right.counts["answers"] == 0
    wire.run(14)
    text = "does not answer the handshake, or expects another certificate here"
    assert wire.told == [f"left: right {text}", f"right: left {text}"]


@pytest.mark.parametrize(("days", "code"), [(-30, trust.EXPIRED), (30, trust.EARLY)])
def test_a_certificate_out_of_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, code: int
) -> None:
    """So it is, too, where this side's clock is wrong: each goes by its own."""
    monkeypatch.setattr(trust, "_demand_time", lambda *_: None)
    ca, key = Ca(tmp_path), identity.new_key()
    right = write(tmp_path, "right", key, identity.host("right", key, ca.made, NOW + timedelta(days=days), 10))
    left = node(tmp_path, "left", ca.made)
    wire = between(left, ca.trust("right"), right, ca.trust("left"))
    refused(wire, trust.REFUSALS[code])


def test_a_weak_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "right")])
    weak = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - timedelta(1), NOW + timedelta(days=9))
    left = node(tmp_path, "left")
    good = exchanges(left.own, "right", trust.Trust(weak.sign(key, SHA256())))
    monkeypatch.setattr(trust, "STRENGTH", "DEFAULT:@SECLEVEL=0")
    right = write(tmp_path, "right", key, weak.sign(key, SHA256()))
    wire = Wire(good, exchanges(right.own, "left", trust.read_pinned(left.certificate)))
    wire.run(4)
    refused(wire, trust.REFUSALS[trust.WEAK])


def test_a_chain_of_three(tmp_path: Path) -> None:
    root_key, middle_key = identity.new_key(), identity.new_key()
    root = signed_authority("root", root_key, None)
    middle = signed_authority("middle", middle_key, root)
    files.write_certificate(tmp_path / "root.crt", root.certificate)
    right = node(tmp_path, "right", middle, [middle.certificate])
    short = node(tmp_path, "short", middle)
    left = node(tmp_path, "left")
    mine = trust.read_pinned(left.certificate)
    assert between(left, trust.read_authority(tmp_path / "root.crt", "right", None), right, mine).agree()
    assert between(left, trust.read_pinned(right.certificate), right, mine).agree()
    wire = between(left, trust.read_authority(tmp_path / "root.crt", "short", None), short, mine)
    refused(wire, trust.REFUSALS[trust.AUTHORITY])


def signed_authority(name: str, key: Ed25519PrivateKey, above: Authority | None) -> Authority:
    """Make an authority that another one signs, or itself."""
    builder = identity._builder(name, key, above, NOW, 10)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Authority(builder.sign(above.key if above else key, None), key)


def test_a_revoked_certificate_is_out_with_the_new_configuration(tmp_path: Path) -> None:
    ca = Ca(tmp_path)
    left, right = node(tmp_path, "left", ca.made), node(tmp_path, "right", ca.made)
    wire = between(left, ca.trust("right"), right, ca.trust("left"))
    files.write_revoked(tmp_path / "ca.crl", identity.revoke(ca.made, [right.own.chain[0].serial_number], NOW))
    before = wire.left.contacts["right"]
    wire.left.changed.clear()
    wire.left.update(left.own, {"right": ca.trust("right", tmp_path / "ca.crl")}, wire.now)
    assert wire.left.changed == {"right"}
    assert wire.left.keys("right").seals[0] == 0
    assert not wire.left.keys("right").opens
    assert wire.left.contacts["right"] is before
    wire.told.clear()
    wire.run(2)
    assert wire.told[0] == "left: right is refused: the certificate was revoked"


def test_peers_that_stay_do_not_notice_a_new_configuration(tmp_path: Path) -> None:
    wire = pinned(tmp_path)
    wire.run(1)
    left, contact = wire.left, wire.left.contacts["right"]
    keys = left.keys("right")
    other = node(tmp_path, "other")
    left.update(left._own, {"right": contact.trust, "other": trust.read_pinned(other.certificate)}, wire.now)
    assert left.keys("right") == keys
    left.update(left._own, {"other": trust.read_pinned(other.certificate)}, wire.now)
    assert list(left.contacts) == ["other"]


# --- strangers ------------------------------------------------------------------------------------------------


def call(knock: bytes, number: int = 1, **more: object) -> bytes:
    return pieces.encode(Piece(CALL, number, data=b"x" * 200, **more), knock, 1180)  # type: ignore[arg-type]


@pytest.fixture
def victim(tmp_path: Path) -> Exchanges:
    made = pinned(tmp_path).left
    made.contacts["right"].next_call = float("inf")
    return made


def test_who_does_not_know_us_is_never_answered(victim: Exchanges) -> None:
    rng = random.Random(1)
    for number in range(2000):
        victim.hear("right", "a", rng.randbytes(6), call(rng.randbytes(32), number), number / 1e5)
    victim.hear("nobody", "a", b"", call(victim._own.knocks[0]), 1.0)
    assert victim.out == []
    assert victim.counts["strange"] == 2001
    assert not victim._called


def test_calls_of_an_address_are_limited(victim: Exchanges) -> None:
    for number in range(100):
        victim.hear("right", "a", b"mac", call(victim._own.knocks[0], number), 0.0)
    assert victim.counts["limited"] == 100 - BURST


def test_above_a_small_rate_a_cookie_is_all_that_is_given(victim: Exchanges) -> None:
    knock = victim._own.knocks[0]
    values = [call(knock, number) for number in range(500)]
    for number, value in enumerate(values):
        victim.hear("right", "a", str(number).encode(), value, 0.0)
    assert victim.counts["answers"] == PROVED_NOTHING
    assert victim.counts["retried"] == 500 - PROVED_NOTHING
    assert len(victim._called) <= HALF_OPEN
    assert sum(len(say.value) for say in victim.out) <= sum(map(len, values))
    retry, _ = pieces.decode(victim.out[-1].value, [knock]) or (None, b"")
    assert retry is not None
    for source, answers in ((b"499", 1), (b"498", 0)):
        before = victim.counts["answers"]
        victim.hear("right", "a", source, call(knock, 499, cookie=retry.cookie), 0.0)
        assert victim.counts["answers"] - before == answers
        victim._called.clear()


def test_half_open_handshakes_are_bounded_and_a_true_one_finds_room(tmp_path: Path) -> None:
    wire = pinned(tmp_path)
    victim = wire.left
    knock = victim._own.knocks[0]
    for _ in range(100):
        for number in range(20):
            source = os.urandom(6)
            cookie = victim._cookies.make(source, number, wire.now)
            victim.hear("right", "a", source, call(knock, number, cookie=cookie), wire.now)
            victim.out.clear()
        wire.run(0.01)
        assert len(victim._called) <= HALF_OPEN
    assert wire.agree()


def test_our_own_call_that_comes_back_is_no_call(tmp_path: Path) -> None:
    ca = Ca(tmp_path)
    left = node(tmp_path, "left", ca.made)
    alone = exchanges(left.own, "right", ca.trust("right"))
    alone.tick(0.0)
    alone.hear("right", "a", b"mac", alone.out[0].value, 0.0)
    assert alone.counts["stray"] == 1
    assert not alone._called


def test_a_recorded_call_agrees_on_nothing(tmp_path: Path) -> None:
    wire = pinned(tmp_path)
    heard: list[bytes] = []

    def record(value: bytes) -> list[bytes]:
        heard.append(value)
        return [value]

    wire.meddle = record
    wire.run(20)
    keys = wire.right.keys("left")
    for value in heard:
        wire.right.hear("left", "a", b"mac", value, wire.now)
    wire.run(0.0)
    assert wire.right.keys("left") == keys


def test_the_caller_is_known_by_its_marks(tmp_path: Path) -> None:
    wire = pinned(tmp_path)
    wire.left.tick(0.0)
    value = wire.left.out[0].value
    assert wire.right.who(value, {"left"}) == "left"
    assert wire.right.who(value, set()) is None
    assert wire.right.who(bytes(200), {"left"}) is None


def test_certificate_is_that_of_the_session(tmp_path: Path) -> None:
    wire = pinned(tmp_path)
    assert wire.left.certificate("right") is None
    wire.run(1)
    assert wire.left.certificate("right") == wire.right._own.chain[0]
    assert dataclasses.asdict(wire.left.contacts["right"].sessions[0])["confirmed"]

"""Exchanges: all handshakes of a node with its peers, and the sessions that come out of them; no sockets, no clock.

Either side calls when it has no keys. When both do at once, both handshakes come to their end; each side opens what
is sealed with either, and both seal with the one whose secret is the greater number. What a stranger can cost is
bounded: frames that do not show that they know whom they speak to are dropped after one code; calls are limited for
each address; above a small rate a call is answered by a cookie alone, for which nothing is remembered; and while an
address has proved nothing, it is sent no more bytes than came from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg.keys import pieces, schedule, trust
from alagg.keys.handshake import Agreed, Handshake, Side
from alagg.keys.limits import Cookies, Limiter
from alagg.keys.pieces import CALL, RETRY, Piece
from alagg.keys.schedule import CALLED, CALLER, Chain

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from cryptography import x509

    from alagg.keys.trust import Own, Trust

HOUR: Final = 3600.0
"""Seconds after which the one who called does so again."""
LATE: Final = 20.0
"""Seconds after that when the other one does, if nothing came."""
LAST: Final = 300.0
"""Seconds after an hour when a session ends, whatever came."""
MOMENT: Final = 10.0
"""Seconds for which a session is opened still when there is a newer one. Sessions that began within such a time of
each other are of two handshakes at once."""
UNCONFIRMED: Final = 30.0
"""Seconds after which a session ends that the one who called has not confirmed."""
AGAIN: Final = 1.0
"""Seconds between the end of a call without an answer and the next."""
REFUSED: Final = 5.0
"""Seconds after a call that was refused."""
PROVED_NOTHING: Final = 10.0
"""Calls a second, of all addresses together, that are remembered before they prove that answers reach them."""
HALF_OPEN: Final = 64
"""Handshakes that others have begun and that have not ended, at most."""
OF_ONE_PEER: Final = 8
"""Of these, as many of one peer."""
SESSIONS: Final = 3
"""Sessions of a peer that are opened at most: the last ones."""
REPEAT: Final = 60.0
"""Seconds after which the same failure is told again."""

COUNTS: Final = (
    "strange", "stray", "limited", "retried", "crowded", "calls", "answers", "agreed", "refused", "silent",
)  # fmt: skip
"""What becomes of pieces and handshakes: does not know us; of no exchange; too many from its address; answered by a
cookie; no room; begun here; begun by the other side; came to keys; was refused; was not answered."""


class Say(NamedTuple):
    """A piece that is to be sent."""

    peer: str
    link: str
    """The link; empty for each that is open."""
    value: bytes


class Told(NamedTuple):
    """What people shall know: a peer has keys now, or why it has none."""

    peer: str
    text: str
    bad: bool


class Keys(NamedTuple):
    """What the workers seal and open with."""

    cipher: int
    """Of `seals`; 0 for none."""
    seals: tuple[int, bytes]
    """The generation's number and secret that are sealed with; number 0 while there is none."""
    opens: tuple[tuple[int, int, bytes], ...]
    """Number, cipher and secret of each generation that may come."""
    since: float
    """When the session began whose keys are sealed with."""


NO_KEYS: Final = Keys(0, (0, b""), (), 0.0)


@dataclass(eq=False)
class Session:
    """What two nodes have agreed on, until the next agreement."""

    agreed: Agreed
    began: float
    ours: Chain
    theirs: Chain
    confirmed: bool = False
    """Whether the other side can open what is sealed with this."""
    ends: float = float("inf")


@dataclass
class Contact:
    """One peer."""

    name: str
    trust: Trust
    client: ssl.SSLContext
    server: ssl.SSLContext
    next_call: float
    call: Handshake | None = None
    sessions: list[Session] = field(default_factory=list)
    """The newest last."""
    sealing: Session | None = None
    """The one that is sealed with."""
    last_words: tuple[str, float] = ("", float("-inf"))


class Exchanges:
    """The handshakes of a node."""

    def __init__(self, own: Own, random: Callable[[int], bytes], now: float, *, has_aes: bool) -> None:
        """Take what this node shows of itself, a source of random bytes, and whether the processor has AES."""
        self.out: list[Say] = []
        """Pieces that are to be sent; the owner empties it."""
        self.told: list[Told] = []
        """What people shall know; the owner empties it."""
        self.changed: set[str] = set()
        """Peers whose keys are others now; the owner empties it."""
        self.counts = dict.fromkeys(COUNTS, 0)
        self.contacts: dict[str, Contact] = {}
        self._own, self._random, self._has_aes = own, random, has_aes
        self._life = random(8)
        self._cookies = Cookies(random, now)
        self._limiter = Limiter()
        self._unproven = Limiter(PROVED_NOTHING, PROVED_NOTHING, 1)
        self._called: dict[tuple[str, int], tuple[Handshake, str]] = {}
        """Handshakes that others have begun, by peer and number, with the link by which they were heard last."""

    def update(self, own: Own, trusts: dict[str, Trust], now: float) -> None:
        """Take a configuration: peers that come and go, and those that are trusted for another reason."""
        if own != self._own:
            self._own = own
            for contact in self.contacts.values():
                self._renew(contact)
        for name in [name for name in self.contacts if name not in trusts]:
            self._forget(name)
        for name, one in trusts.items():
            if name not in self.contacts:
                client, server = trust.context(own, one, server=False), trust.context(own, one, server=True)
                self.contacts[name] = Contact(name, one, client, server, now)
            elif self.contacts[name].trust != one:
                self.contacts[name].trust = one
                self._renew(self.contacts[name])
                self._judge_again(self.contacts[name], now)

    def keys(self, peer: str) -> Keys:
        """Give what is sealed and opened with."""
        contact = self.contacts[peer]
        opens = tuple(
            (number, one.agreed.cipher, secret)
            for one in reversed(contact.sessions)
            for number, secret in one.theirs.valid()
        )
        sealing = contact.sealing
        if sealing is None:
            return NO_KEYS._replace(opens=opens)
        return Keys(sealing.agreed.cipher, sealing.ours.current(), opens, sealing.began)

    def certificate(self, peer: str) -> x509.Certificate | None:
        """Give the certificate that a peer has shown; None while there are no keys."""
        sessions = self.contacts[peer].sessions
        return sessions[-1].agreed.certificate if sessions else None

    def who(self, value: bytes, among: set[str]) -> str | None:
        """Give the peer that has made the first piece of a call, for a frame whose address says nothing."""
        found = pieces.decode(value, self._own.knocks)
        if found is None:
            return None
        piece, knock = found
        marks = {piece.callers[at : at + trust.MARK] for at in range(0, len(piece.callers), trust.MARK)}
        return next((name for name in sorted(among) if self.contacts[name].trust.mark(knock) in marks), None)

    def call(self, peer: str, now: float) -> None:
        """Begin a handshake, unless one has begun: the peer does not answer, or keys are worn."""
        contact = self.contacts[peer]
        if contact.call is None or contact.call.over:
            contact.next_call = min(contact.next_call, now)

    def hear(self, peer: str, link: str, source: bytes, value: bytes, now: float) -> None:
        """Take a piece that came on a peer's link from an address."""
        contact = self.contacts.get(peer)
        found = None if contact is None else pieces.decode(value, (*self._own.knocks, contact.trust.knock))
        if contact is None or found is None:
            self.counts["strange"] += 1
            return
        piece, knock = found
        call = contact.call
        if call is not None and call.number == piece.exchange:
            if piece.kind == CALL or knock != contact.trust.knock:  # our own, come back
                self.counts["stray"] += 1
                return
            refused = call.refusal
            call.hear(piece, len(value), now)
            self._look_at_call(contact, call, refused, now)
        elif shaking := self._called_by(contact, link, source, piece, knock, now):
            refused = shaking.refusal
            if self._cookies.proves(piece.cookie, source, piece.exchange, now):
                shaking.prove(now)
            shaking.hear(piece, len(value), now)
            self._look_at_called(contact, shaking, link, refused, now)

    def tick(self, now: float) -> None:
        """Do what is due: call, send again, go on to other keys, forget."""
        for contact in self.contacts.values():
            self._keep(contact, now)
        for (peer, number), (shaking, link) in list(self._called.items()):
            if now >= shaking.ends:
                del self._called[peer, number]
            elif now >= shaking.due:
                self.out += (Say(peer, link, value) for value in shaking.send(now))

    def due(self, now: float) -> float:
        """Give when `tick` has something to do."""
        times = [now + HOUR]
        for contact in self.contacts.values():
            times.append(contact.next_call if contact.call is None else min(contact.call.due, contact.call.ends))
            for one in contact.sessions:
                times += (one.began + schedule.ROTATION * (one.ours.generation + 1), one.ends)
        times += (shaking.due for shaking, _ in self._called.values())
        return min(times)

    # --- calls of this node ---------------------------------------------------------------------------------

    def _keep(self, contact: Contact, now: float) -> None:
        self._rotate(contact, now)
        call = contact.call
        if call is not None and now >= call.ends:
            if not call.over:
                self.counts["silent"] += 1
                contact.next_call = min(contact.next_call, now + AGAIN)
                self._say(contact, "does not answer the handshake, or expects another certificate here", now)
            contact.call = call = None
        if (call is None or call.over) and now >= contact.next_call:
            contact.next_call = float("inf")
            number = int.from_bytes(self._random(8), "big")
            callers = trust.caller_marks(self._own, contact.trust.knock)
            side = self._side(contact, contact.client, contact.trust.knock, callers)
            contact.call = call = Handshake(number, side, now, caller=True)
            self.counts["calls"] += 1
        if call is not None and now >= call.due:
            self.out += (Say(contact.name, "", value) for value in call.send(now))

    def _look_at_call(self, contact: Contact, call: Handshake, refused: int, now: float) -> None:
        self.out += (Say(contact.name, "", value) for value in call.send(now))
        if call.agreed is not None and not any(one.agreed is call.agreed for one in contact.sessions):
            self._begin(contact, call.agreed, now, confirmed=True)
        elif call.refusal and not refused:
            contact.next_call = now + REFUSED
            self._refused(contact, call, now)

    def _refused(self, contact: Contact, shaking: Handshake, now: float) -> None:
        self.counts["refused"] += 1
        why = trust.REFUSALS[shaking.refusal]
        who = "is refused" if shaking.refused_here else "refuses this node"
        self._say(contact, f"{who}: {why}", now)

    def _say(self, contact: Contact, text: str, now: float) -> None:
        """Tell why there are no keys, once in a while."""
        before, since = contact.last_words
        if text != before or now - since >= REPEAT:
            contact.last_words = text, now
            self.told.append(Told(contact.name, text, True))

    # --- calls of others ------------------------------------------------------------------------------------

    def _called_by(
        self, contact: Contact, link: str, source: bytes, piece: Piece, knock: bytes, now: float
    ) -> Handshake | None:
        """Give the handshake that a call is of; begin it when it is new and within the bounds."""
        place = contact.name, piece.exchange
        if place in self._called:
            return self._called[place][0]
        if piece.kind != CALL or knock not in self._own.knocks or not piece.data:
            self.counts["stray"] += 1
            return None
        if not self._limiter.allows(source, now):
            self.counts["limited"] += 1
            return None
        proven = self._cookies.proves(piece.cookie, source, piece.exchange, now)
        if not proven and not self._unproven.allows(b"", now):
            self.counts["retried"] += 1
            cookie = self._cookies.make(source, piece.exchange, now)
            retry = pieces.encode(Piece(RETRY, piece.exchange, cookie=cookie), knock)
            self.out.append(Say(contact.name, link, retry))
            return None
        if not self._make_room(contact.name):
            self.counts["crowded"] += 1
            return None
        shaking = Handshake(piece.exchange, self._side(contact, contact.server, knock), now, caller=False)
        shaking.cookie = self._cookies.make(source, piece.exchange, now)
        self._called[place] = shaking, link
        self.counts["answers"] += 1
        return shaking

    def _make_room(self, peer: str) -> bool:
        """See to it that another handshake finds room; who has proved nothing longest makes it."""
        mine = [place for place in self._called if place[0] == peer]
        full = mine if len(mine) >= OF_ONE_PEER else list(self._called) if len(self._called) >= HALF_OPEN else []
        if not full:
            return True
        for place in full:
            shaking, _ = self._called[place]
            if shaking.over or not shaking.proven:
                del self._called[place]
                return True
        return False

    def _look_at_called(self, contact: Contact, shaking: Handshake, link: str, refused: int, now: float) -> None:
        self._called[contact.name, shaking.number] = shaking, link
        self.out += (Say(contact.name, link, value) for value in shaking.send(now))
        if shaking.refusal and not refused:
            self._refused(contact, shaking, now)
        if shaking.agreed is None:
            return
        session = next((one for one in contact.sessions if one.agreed is shaking.agreed), None)
        if session is None:
            self._begin(contact, shaking.agreed, now, confirmed=shaking.confirmed)
        elif shaking.confirmed and not session.confirmed:
            self._confirm(contact, session, now)

    # --- sessions -------------------------------------------------------------------------------------------

    def _begin(self, contact: Contact, agreed: Agreed, now: float, *, confirmed: bool) -> None:
        ours, theirs = (CALLER, CALLED) if agreed.caller else (CALLED, CALLER)
        session = Session(agreed, now, Chain(agreed.secret, ours), Chain(agreed.secret, theirs))
        session.ends = now + UNCONFIRMED
        contact.sessions = [*contact.sessions[1 - SESSIONS :], session]
        self.changed.add(contact.name)
        if confirmed:
            self._confirm(contact, session, now)

    def _confirm(self, contact: Contact, session: Session, now: float) -> None:
        """Take that the other side can open what is sealed with a session."""
        if contact.sealing is None or contact.last_words[0]:
            self.told.append(Told(contact.name, "its frames are sealed", False))
        contact.last_words = "", float("-inf")
        session.confirmed = True
        session.ends = session.began + HOUR + LAST
        self.counts["agreed"] += 1
        self._choose(contact, session, now)

    def _choose(self, contact: Contact, session: Session, now: float) -> None:
        """Choose what is sealed with, as the other side does; the others are opened for a moment still."""
        alike = [one for one in contact.sessions if one.confirmed and one.agreed.life == session.agreed.life]
        last = max(one.began for one in alike)
        contact.sealing = max((one for one in alike if last - one.began < MOMENT), key=lambda one: one.agreed.secret)
        contact.next_call = contact.sealing.began + HOUR + (0.0 if contact.sealing.agreed.caller else LATE)
        for one in contact.sessions:
            if one is not contact.sealing and one.confirmed:
                one.ends = min(one.ends, now + MOMENT)
        self.changed.add(contact.name)

    def _rotate(self, contact: Contact, now: float) -> None:
        generations = [one.ours.generation for one in contact.sessions]
        for one in contact.sessions:
            due = schedule.generation_at(now - one.began)
            one.ours.advance(due)
            one.theirs.advance(due)
        kept = [one for one in contact.sessions if now < one.ends]
        if len(kept) < len(contact.sessions) or generations != [one.ours.generation for one in kept]:
            self._keep_sessions(contact, kept)

    def _keep_sessions(self, contact: Contact, kept: list[Session]) -> None:
        contact.sessions = kept
        if contact.sealing not in kept:
            contact.sealing = None
        self.changed.add(contact.name)

    def _side(self, contact: Contact, context: ssl.SSLContext, knock: bytes, callers: bytes = pieces.NOBODY) -> Side:
        def judge(shown: x509.Certificate) -> int:
            return trust.refusal(contact.trust, shown)

        return Side(context, knock, judge, self._random(32), self._life, self._has_aes, callers)

    # --- configuration --------------------------------------------------------------------------------------

    def _renew(self, contact: Contact) -> None:
        contact.client = trust.context(self._own, contact.trust, server=False)
        contact.server = trust.context(self._own, contact.trust, server=True)

    def _judge_again(self, contact: Contact, now: float) -> None:
        """End the sessions of a certificate that is the peer's no more, and ask for another."""
        good = [one for one in contact.sessions if not trust.refusal(contact.trust, one.agreed.certificate)]
        if len(good) < len(contact.sessions):
            self._keep_sessions(contact, good)
            contact.next_call = now

    def _forget(self, name: str) -> None:
        del self.contacts[name]
        self._called = {place: one for place, one in self._called.items() if place[0] != name}

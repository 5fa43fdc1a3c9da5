"""The states of a link, and what leads from one to another: one table, nothing else."""

from __future__ import annotations

from typing import Final

NEW: Final = "new"
"""The port can send, and the peer has not answered yet."""
UP: Final = "up"
"""Frames go out and the peer answers."""
WARY: Final = "wary"
"""Back after a failure: it must behave before it carries what is nowhere else."""
SUSPECT: Final = "suspect"
"""An answer is missing: what goes out on it should go out on another link, too."""
SILENT: Final = "silent"
"""Frames go out, and the peer does not answer."""
DOWN: Final = "down"
"""The port cannot send."""
BLOCKED: Final = "blocked"
"""The operator wants nothing to leave on it."""
STANDBY: Final = "standby"
"""It works, and is not needed."""
CAPPED: Final = "capped"
"""It has carried all that it may."""
STATES: Final = (NEW, UP, WARY, SUSPECT, SILENT, DOWN, BLOCKED, STANDBY, CAPPED)
"""Every state that a link can be in."""

ANSWERING: Final = frozenset((UP, SUSPECT))
"""States in which a link may carry what is nowhere else."""
HELD: Final = frozenset((BLOCKED, STANDBY, CAPPED))
"""States in which a link is given no packets."""
SHUT: Final = frozenset((BLOCKED, CAPPED))
"""States in which nothing leaves at all: the other side soon counts on the link no more."""

HOLDS: Final = (BLOCKED, CAPPED, STANDBY)
"""Why a link that could carry does not, the strongest first: where several hold, the first one is its state, and the
next one once that is over. Each of them comes before what is seen of the link itself, but a link that only rests and
fails is silent or down."""

OPENED: Final = "opened"
"""Event: the port can send."""
CLOSED: Final = "closed"
"""Event: the port cannot send (any more)."""
ANSWERED: Final = "answered"
"""Event: an answer of the peer came."""
PROVEN: Final = "proven"
"""Event: it has answered often and long enough."""
MISSED: Final = "missed"
"""Event: an answer is overdue."""
LOST: Final = "lost"
"""Event: no answer for so long that none is expected any more."""
BLOCK: Final = "block"
"""Event: the operator wants nothing to leave on it."""
CAP: Final = "cap"
"""Event: it has carried all that it may."""
REST: Final = "rest"
"""Event: it is not needed."""
RELEASE: Final = "release"
"""Event: the last of these three holds no longer."""
EVENTS: Final = (OPENED, CLOSED, ANSWERED, PROVEN, MISSED, LOST, BLOCK, CAP, REST, RELEASE)
"""Everything that can happen to a link, in the order of the table's columns."""

# fmt: off
TABLE: Final = {
    #         opened   closed   answered proven   missed   lost     block    cap     rest     release
    NEW:     (NEW,     DOWN,    WARY,    NEW,     NEW,     SILENT,  BLOCKED, CAPPED, NEW,     NEW),
    UP:      (UP,      DOWN,    UP,      UP,      SUSPECT, SILENT,  BLOCKED, CAPPED, STANDBY, UP),
    WARY:    (WARY,    DOWN,    WARY,    UP,      WARY,    SILENT,  BLOCKED, CAPPED, WARY,    WARY),
    SUSPECT: (SUSPECT, DOWN,    UP,      SUSPECT, SUSPECT, SILENT,  BLOCKED, CAPPED, STANDBY, SUSPECT),
    SILENT:  (SILENT,  DOWN,    WARY,    SILENT,  SILENT,  SILENT,  BLOCKED, CAPPED, SILENT,  SILENT),
    DOWN:    (NEW,     DOWN,    DOWN,    DOWN,    DOWN,    DOWN,    BLOCKED, CAPPED, DOWN,    DOWN),
    BLOCKED: (BLOCKED, BLOCKED, BLOCKED, BLOCKED, BLOCKED, BLOCKED, BLOCKED, CAPPED, NEW,     NEW),
    STANDBY: (STANDBY, DOWN,    STANDBY, STANDBY, STANDBY, SILENT,  BLOCKED, CAPPED, STANDBY, UP),
    CAPPED:  (CAPPED,  CAPPED,  CAPPED,  CAPPED,  CAPPED,  CAPPED,  BLOCKED, CAPPED, NEW,     NEW),
}
# fmt: on
"""The state that follows, by state and event. A link that rests and fails is silent or down like any other; once it
is up again, whoever holds it back says so again."""


def after(state: str, event: str) -> str:
    """Give the state that an event leads to."""
    return TABLE[state][EVENTS.index(event)]

"""Writes `default_config.cfg`, which shows every option with its default, from the tables in `alagg.config`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from alagg.alertsconfig import ALERTS
from alagg.config import LINK, NODE, PEER
from alagg.historyconfig import HISTORY
from alagg.webconfig import WEB

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from alagg.config import Option

_HEAD: Final = """\
# Configuration of alagg: every option with its default. Each host has a file of its own.
#
# A line that starts with '#' says something; one that starts with ';' is an option that you may switch on by taking
# the ';' away. `alagg check --config FILE` tells whether a file is right and whether this host is ready for it.
# Times carry a unit (us, ms, s), and so do rates (kbit, mbit, gbit).
"""
_PEER: Final = """\
# A remote node. One or more of these, each with a name of your choice.
"""
_LINK: Final = """\
# A link to it: one local interface and the peer's address there, or UDP. One or more of these for each peer.
"""
_SECOND: Final = """\
# A second link, so that the first may fail.
;[link copper]
;interface = eth1
;mac = 52:54:00:12:34:57

# A link over the Internet has type = udp and remote = 203.0.113.5:7311; the peer's has local = 0.0.0.0:7311 instead.
"""
_WEB: Final = """\
# The dashboard and the API, for `alagg web`, a process of its own without any rights.
"""
_HISTORY: Final = """\
# What links and peers did, for `alagg history`: a day by the second, two weeks by the minute, a year by the hour.
"""
_ALERTS: Final = """\
# Who is told when something is wrong, such as a link that is down. `alagg alert test` tries it.
"""


def text() -> str:
    """Give the content of `default_config.cfg`."""
    return "\n".join(
        (
            _HEAD,
            _section("alagg", NODE),
            _PEER + _section("peer office", PEER, inherited={option.key for option in NODE}),
            _LINK + _section("link fibre", LINK),
            _SECOND,
            _HISTORY + _section("history", HISTORY),
            _ALERTS + _section("alerts", ALERTS),
            _WEB + _section("web", WEB),
        )
    )


def _section(name: str, options: Sequence[Option], inherited: Collection[str] = ()) -> str:
    # A section with an option that has no default cannot stand as it is: all of it is an example.
    switch = ";" if any(option.default is None or option.example for option in options) else ""
    lines = [f"{switch}[{name}]"]
    for option in options:
        lines.append(f"# {option.comment}{' (overrides [alagg])' if option.key in inherited else ''}")
        lines.append(f"{switch}{option.key} = {option.example or option.default or ''}".rstrip())
    return "\n".join((*lines, ""))


if __name__ == "__main__":
    sys.stdout.write(text())

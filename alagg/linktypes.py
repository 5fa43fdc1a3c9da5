"""The types of link: which options each needs, and which it does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alagg.config import LinkConfig, Option

NEEDED: Final = {"ethernet": ("interface", "mac"), "udp": ()}
"""What each type cannot do without."""
FOREIGN: Final = {"ethernet": ("local", "remote", "copy_dscp"), "udp": ("mac",)}
"""What means nothing to it."""


def problem(link: Mapping[str, Any], given: Mapping[str, str], options: Sequence[Option]) -> str:
    """Say what is wrong with a link for its type, as "key = value: why; allowed: what"; empty when nothing is.

    Args:
        link: the values of its options, by their keys.
        given: the texts that stand in the file.
        options: all that a link may have.
    """
    kind: str = link["type"]
    for option in options:
        if option.key in NEEDED[kind] and not link[option.key]:
            return f"{option.key}: is missing; allowed: {option.comment}"
        if option.key in FOREIGN[kind] and link[option.key] != option.parse(option.default or ""):
            others = ", ".join(one.key for one in options if one.key not in FOREIGN[kind])
            value = " ".join(given[option.key].split())
            return f"{option.key} = {value}: a link of type {kind} has none; allowed: {others}"
    return _udp_problem(link) if kind == "udp" else ""


def overhead(link: LinkConfig) -> int:
    """Give the bytes of the IP and UDP headers around a link's frames, as far as can be known; 0 for Ethernet."""
    if link.type != "udp":
        return 0
    ends = [end.ip for end in (link.remote, link.local) if end is not None]
    known = next((end for end in ends if end is not None and not (end.version == 6 and end.is_unspecified)), None)
    return 28 if known is not None and known.version == 4 else 48


def way(link: LinkConfig) -> tuple[object, ...]:
    """Give what says where a link leads: one that leads elsewhere is another link."""
    return link.type, link.interface, link.mac, link.local, link.remote


def _udp_problem(link: Mapping[str, Any]) -> str:
    local, remote = link["local"], link["remote"]
    if local is None and remote is None:
        return "local: is missing; allowed: an address and port to wait at, such as 0.0.0.0:7311, or a remote"
    if local and remote and remote.ip and not _reaches(local.ip, remote.ip):
        return f"remote = {remote}: cannot be reached from local = {local}; allowed: both IPv4 or both IPv6"
    return ""


def _reaches(local: Any, remote: Any) -> bool:
    """Say whether a socket at an address sends to another; `::` takes both families."""
    return bool(local.version == remote.version or (local.version == 6 and local.is_unspecified))

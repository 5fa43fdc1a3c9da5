"""Shapes an interface to the `rate` of its link, with `pacing = tbf`: a token bucket as its root discipline."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

from alagg.system import HostError, netlink
from alagg.system.journal import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.config import Config
    from alagg.system.journal import Facts, Journal

_ROOT: Final = 0xFFFFFFFF
_QUEUE: Final = 0.025
"""Seconds of frames that may wait in the bucket; what comes on top is refused at once, and counted."""
_BURST: Final = 0.005
"""Seconds of frames that may leave in one go: more than a timer's tick, or the rate is never reached."""
_SMALLEST_BURST: Final = 20_000
"""Bytes; holds two jumbo frames."""


def rates(config: Config) -> dict[str, int]:
    """Give the bits per second of each interface that is to be shaped.

    Raises:
        HostError: two links of one interface want different rates.
    """
    found: dict[str, int] = {}
    for link in config.links:
        if link.rate is None or link.pacing != "tbf":
            continue
        if found.setdefault(link.interface, link.rate) != link.rate:
            raise HostError(f"[link {link.name}] rate: another link wants a different rate of {link.interface}")
    return found


def unshaped(config: Config) -> list[netlink.Interface]:
    """Give the interfaces that are there and not shaped to their rates.

    Raises:
        HostError: the kernel cannot be asked.
    """
    handle = _handle(config)
    there = [(found, rate) for name, rate in rates(config).items() if (found := netlink.interface(name))]
    return [found for found, rate in there if not _is_shaped(found, rate, handle)]


def shape(config: Config, journal: Journal) -> None:
    """Shape all interfaces that are there to their rates, and no others. Doing it again changes nothing.

    Raises:
        HostError: an interface has a queueing discipline of the user, which stays as it is.
    """
    handle = _handle(config)
    for found in unshaped(config):
        journal.record(Change("qdisc", {"interface": found.name, "handle": handle}))
        _shape(found, rates(config)[found.name], handle)


def unshape(before: Config, now: Config | None) -> None:
    """Undo the shaping of the interfaces that `before` shaped and `now` does not; None for no shaping at all."""
    keep = rates(now) if now else {}
    for name in rates(before):
        if name not in keep:
            _remove(name, _handle(before))


def undo(facts: Sequence[Facts]) -> list[str]:
    """Remove the queueing disciplines that a journal names; the kernel then puts its own back."""
    return [
        f"removed the shaping of {one['interface']}"
        for one in facts
        if _remove(str(one["interface"]), int(one["handle"]))
    ]


def _handle(config: Config) -> int:
    """Give the name of our discipline: from the mark, in which two nodes on one host differ; 0 and ffff are taken."""
    return (config.mark % 0xFFFE + 1) << 16


def _root(requests: Any, index: int) -> tuple[str, int]:
    """Give the kind and handle of an interface's root discipline; the kernel's own ones have handle 0."""
    for message in requests.get_qdiscs(index):
        if message["parent"] == _ROOT:
            return message.get_attr("TCA_KIND"), message["handle"]
    return "", 0


def _is_shaped(interface: netlink.Interface, rate: int, handle: int) -> bool:
    with netlink.kernel(f"rate of {interface.name}") as requests:
        for message in requests.get_qdiscs(interface.index):
            if (message["parent"], message["handle"], message.get_attr("TCA_KIND")) == (_ROOT, handle, "tbf"):
                parameters = message.get_nested("TCA_OPTIONS", "TCA_TBF_PARMS")
                return bool(parameters and parameters["rate"] == rate // 8)
    return False


def _shape(interface: netlink.Interface, rate: int, handle: int) -> None:
    bytes_per_second = rate // 8
    burst = max(_SMALLEST_BURST, int(bytes_per_second * _BURST))
    with netlink.kernel(f"rate of {interface.name}") as requests:
        kind, present = _root(requests, interface.index)
        if present not in (0, handle):
            raise HostError(
                f"{interface.name} has a queueing discipline ({kind}) of its own: remove it "
                f"(tc qdisc del dev {interface.name} root) or leave rate = empty"
            )
        requests.tc(
            "replace", "tbf", interface.index, handle, parent=_ROOT,
            rate=bytes_per_second, burst=burst, limit=int(bytes_per_second * _QUEUE) + burst,
        )


def _remove(name: str, handle: int) -> bool:
    found = netlink.interface(name)
    if found is None:
        return False
    try:
        with netlink.kernel(f"rate of {name}") as requests:
            if _root(requests, found.index) != ("tbf", handle):
                return False
            requests.tc("del", index=found.index, handle=handle, parent=_ROOT)
    except HostError as error:
        if netlink.refused(error, errno.ENODEV, errno.ENOENT):
            return False
        raise
    return True

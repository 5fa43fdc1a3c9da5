"""A minute of a node with three links, told second by second: what screenshots show."""

from __future__ import annotations

import math
from typing import Any

from alagg.web.words import verdict_of
from tests.web.fake_node import link, status

Status = dict[str, Any]


def well(second: int) -> Status:
    """Give the node's status while all is well."""
    links = (("fibre", 48e6, 0.4), ("radio", 18e6, 6.0), ("lte", 9e6, 31.0))
    return _told(second, tuple(_link(name, second, rate, rtt) for name, rate, rtt in links))


def bad(second: int) -> Status:
    """Give it where the radio loses frames from second 20 on, and lte is silent from 35 on."""
    lossy = {"loss": 0.034, "tx_loss": 0.021} if second >= 20 else {}
    silent: Status = {"state": "suspect", "reason": "an answer is overdue"} if second == 34 else {}
    if second >= 35:
        silent = {"state": "silent", "reason": f"the peer has not answered for {second - 34} s", "rtt_ms": None}
    return _told(
        second,
        (
            _link("fibre", second, 48e6, 0.4), _link("radio", second, 18e6, 6.0, **lossy),
            _link("lte", min(second, 35), 9e6, 31.0, **silent),
        ),
    )  # fmt: skip


def _told(second: int, links: tuple[Status, ...]) -> Status:
    told = status(*links, uptime_s=86400.0 * 3 + second)
    return told | {"verdict": verdict_of(told)}


def _link(name: str, second: int, rate: float, rtt: float, **values: Any) -> Status:
    swing = _swing(second, rate)
    carried = round(sum(rate / 8 * _swing(one, rate) for one in range(second)))
    measured = {
        "tx_bytes": carried, "rx_bytes": carried // 5,
        "rtt_ms": rtt * (0.9 + 0.2 * (swing - 0.7)), "jitter_ms": rtt / 12,
        "queue_ms": rtt / 20 * swing, "capacity_bps": round(rate * 2), "share": rate / 75e6,
    }  # fmt: skip
    return link(name, **(measured | values))


def _swing(second: int, phase: float) -> float:
    return 1 + 0.25 * math.sin(second / 7 + phase) + 0.05 * math.sin(second * 2.1)

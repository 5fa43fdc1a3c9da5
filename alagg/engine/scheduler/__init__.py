"""Schedulers choose the links of each packet; they are found by their name in `SCHEDULERS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.scheduler.adaptive import Adaptive
from alagg.engine.scheduler.latency import Latency
from alagg.engine.scheduler.redundant import Redundant
from alagg.engine.scheduler.round_robin import RoundRobin
from alagg.engine.scheduler.weighted import Weighted

if TYPE_CHECKING:
    from alagg.engine.scheduler.base import Scheduler

SCHEDULERS: Final[dict[str, type[Scheduler]]] = {
    "redundant": Redundant,
    "round-robin": RoundRobin,
    "weighted": Weighted,
    "latency": Latency,
    "adaptive": Adaptive,
}
"""Every scheduler by the name that the configuration gives it. A new one adds its file and its line here."""

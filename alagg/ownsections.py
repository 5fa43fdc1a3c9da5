"""Sections of the configuration that stand for themselves: each may be left out, and tells nothing of any link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alagg import alertsconfig, historyconfig, webconfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.option import Option

OWN: Final[dict[str, tuple[tuple[Option, ...], type[Any], Callable[[Any], str]]]] = {
    "history": (historyconfig.HISTORY, historyconfig.HistoryConfig, lambda _: ""),
    "alerts": (alertsconfig.ALERTS, alertsconfig.AlertsConfig, alertsconfig.contradiction),
    "web": (webconfig.WEB, webconfig.WebConfig, webconfig.contradiction),
}
"""By name: the options, what is made of them, and what says which of them cannot work together."""

"""Alerts and messages to tell."""

from __future__ import annotations

from typing import Any

from alagg.alerts.conditions import WARNING, Alert
from alagg.alerts.grouping import Message


def alert(kind: str = "link_down", subject: str = "office/wan", severity: int = WARNING, text: str = "") -> Alert:
    return Alert(kind, subject, severity, text or f"{kind} of {subject}")


def message(*begun: Alert) -> Message:
    return Message("host1", 1_800_000_000.0, begun or (alert(),), (), (), begun or (alert(),))


def status(*links: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Give a node's answer; each link has at least a name and a state."""
    return {"links": [{"peer": "office", "rtt_ms": 2.0, **link} for link in links], **more}


def link(name: str = "wan", state: str = "up", **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, **more}

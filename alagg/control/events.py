"""Events as clients of the control socket read them: one object each, with its kind, its time and its values."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from alagg.control.logs import iso_time

if TYPE_CHECKING:
    from alagg.engine.events import Event


def describe(event: Event, seconds: float) -> dict[str, Any]:
    """Give an event of the engine that happened at a time of `time.time`.

    `kind` is the event's class in small letters, such as `link_state_changed`; `text` is the line of the log.
    """
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    return {"kind": kind, "time": iso_time(seconds), **asdict(event), "text": str(event)}

"""The form of a status, for the API's description: made from the table of all counters, so that nothing differs."""

from __future__ import annotations

from typing import Any, Final

from alagg.control import counters
from alagg.control.counters import TEXT, Counter

Schema = dict[str, Any]

_FAMILY: Final = "_REASON"
"""End of the name of counters of which there is one for each reason."""
_LEVEL: Final = {"type": "string", "enum": ["ok", "note", "bad"]}


def status() -> Schema:
    """Give the JSON schema of a status."""
    return _object({
        "version": {"type": "string", "description": "of alagg"},
        "pid": {"type": "integer"},
        "uptime_s": {"type": "number", "description": "seconds since the node's start"},
        "engine": {"type": "string", "description": "`compiled` or `plain`"},
        "edges": {"type": "string", "description": "`compiled` or `plain`"},
        "peers": {"type": "array", "items": _peer()},
        "links": {"type": "array", "items": table("link")},
        **{name: table(name) for name in ("capture", "injector", "drops")},
        "verdict": verdict(),
    })


def table(name: str) -> Schema:
    """Give the schema of a table of counters."""
    return _object({line.name: _value(line) for line in counters.TABLES[name] if not line.name.endswith(_FAMILY)})


def verdict() -> Schema:
    """Give the schema of the verdict."""
    line = _object({"level": _LEVEL, "text": {"type": "string"}}, needed=True)
    words = {"type": "array", "items": {"type": "string"}, "description": "what is wrong with it now"}
    link = _object({"peer": {"type": "string"}, "name": {"type": "string"}, "faults": words}, needed=True)
    return _object(
        {
            "level": _LEVEL,
            "text": {"type": "string", "description": "what is wrong, in one line"},
            "lines": {"type": "array", "items": line, "description": "what is wrong with what, and why"},
            "links": {"type": "array", "items": link},
        },
        needed=True,
    )


def _peer() -> Schema:
    words = {"name": {"type": "string"}, "scheduler": {"type": "string"}}
    return _object({**words, "tx": table("tx"), "rx": table("rx")})


def _value(line: Counter) -> Schema:
    unit = f" ({line.unit})" if line.unit else ""
    if line.kind != TEXT:
        return {"type": ["number", "null"], "description": f"{line.help}{unit}"}
    return {"description": line.help} if line.name == "recent" else {
        "type": ["string", "null"], "description": line.help,
    }  # fmt: skip


def _object(properties: Schema, *, needed: bool = False) -> Schema:
    return {"type": "object", "properties": properties, **({"required": list(properties)} if needed else {})}

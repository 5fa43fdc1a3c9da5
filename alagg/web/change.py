"""A change to a link that a client may ask for: its form in the API, and the node's own words for it."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field
from typing_extensions import TypedDict


def _whole(value: Any) -> Any:
    """Give 3 for 3.0: JSON knows only numbers (JSON Schema 2020-12, 4.2.3)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Change(TypedDict, total=False):
    """What is to be different."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    blocked: Annotated[bool, Field(description="let nothing leave on it, until it is unblocked or the node restarts")]
    weight: Annotated[
        int, Field(ge=1, le=1_000_000, description="its share of the bytes, `weighted`"), BeforeValidator(_whole)
    ]
    rate: Annotated[
        str,
        Field(pattern=r"^([0-9]{1,12}(\.[0-9]{1,6})?[kmg]bit)?$",
              description="send no faster than this, such as `20mbit`; empty: no limit"),
    ]  # fmt: skip


def asked(peer: str, link: str, change: Change) -> list[dict[str, Any]]:
    """Give what the node is asked for, one thing after the other: what may be refused comes first."""
    named = {"link": link, "peer": peer}
    values = {key: str(value) for key, value in change.items() if key != "blocked"}
    questions: list[dict[str, Any]] = [{"do": "set", **named, "values": values}] if values else []
    if "blocked" in change:
        questions.append({"do": "block" if change["blocked"] else "unblock", **named})
    return questions


def told(change: Change) -> str:
    """Say it in one line, for the log."""
    return ", ".join(f"{key} = {json.dumps(value)}" for key, value in change.items())

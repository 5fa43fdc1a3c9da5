"""The API's description of a status: every counter of the table, with its unit and meaning."""

from __future__ import annotations

from alagg.control import counters
from alagg.web import schema


def test_every_counter_is_described() -> None:
    for name in counters.TABLES:
        described = schema.table(name)["properties"]
        for line in counters.TABLES[name]:
            if not line.name.endswith("_REASON"):
                assert described[line.name]["description"].startswith(line.help)


def test_units_stand_beside_the_meaning() -> None:
    links = schema.status()["properties"]["links"]["items"]["properties"]
    assert links["rtt_ms"]["type"] == ["number", "null"]
    assert links["rtt_ms"]["description"].endswith("(ms)")

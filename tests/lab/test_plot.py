"""Pictures of what happened: every link, its states, and what was done, as text in an SVG that is always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from alagg.lab.plot import COLOURS, draw, runs
from alagg.lab.record import Look, Record

if TYPE_CHECKING:
    from pathlib import Path


def link(name: str, state: str, received: int, trip: float | None = 2.0) -> dict[str, Any]:
    return {"name": name, "state": state, "rx_bytes": received, "rtt_ms": trip}


def made_up() -> Record:
    """Give a record in which eth1 is not there from the start, and eth0 falls silent."""
    looks = [Look(0.0, [{"links": [link("eth0", "up", 0)]}, {"links": [link("eth0", "up", 0)]}])]
    for second in range(1, 5):
        state = "silent" if second > 2 else "up"
        said = [link("eth0", state, 1000 * second), link("eth1", "up", 9000 * second, None)]
        looks.append(Look(float(second), [{"links": said}, {"links": said}]))
    return Record(looks, [(2.0, "cable pulled")])


def test_picture_names_links_states_and_what_was_done(tmp_path: Path) -> None:
    draw(made_up(), "pulled", tmp_path / "one.svg")
    draw(made_up(), "pulled", tmp_path / "two.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    texts = {"".join(element.itertext()).strip() for element in ET.parse(tmp_path / "one.svg").iter()}
    for words in ("pulled", "cable pulled", "eth0 at A", "eth1 at B", "eth1 to A", "up", "silent", "round trip, ms"):
        assert words in texts, words


def test_what_stays_the_same_is_one_bar() -> None:
    said = [(0.0, "up"), (1.0, "up"), (2.0, "silent"), (3.0, "up")]
    assert runs(said) == [(0.0, 2.0, "up"), (2.0, 3.0, "silent"), (3.0, 3.0, "up")]
    assert runs([]) == []


def test_every_state_has_a_colour() -> None:
    states = {"new", "up", "wary", "suspect", "silent", "down", "blocked", "standby", "capped"}
    assert set(COLOURS) == states
    assert len(set(COLOURS.values())) == len(states)

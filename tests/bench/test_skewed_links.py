"""What is left of the fast link: the ratio, in words and as a table. (The measuring itself: tests/netns.)"""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from alagg.lab.measure import Transfer
from bench.skewed_links import Round, Slow, table


def transfer(goodput: float) -> Transfer:
    return Transfer(sent=1000, received=1000, intact=True, seconds=8000 / goodput, longest_stall=0.025)


ROUNDS = [Round(4, transfer(72e6), transfer(70.56e6), 14_000, 0), Round(6, transfer(70e6), transfer(63e6), 15_000, 2)]


def test_a_round_says_what_is_left() -> None:
    assert [round(one.ratio, 3) for one in ROUNDS] == [0.98, 0.9]
    assert "IPv6: 63.00 of 70.00 Mbit/s, 0.900; the slow link shed 15000 copies" in str(ROUNDS[1])


def test_the_table_shows_medians_and_the_worst() -> None:
    console = Console(width=120, file=StringIO(), record=True)
    console.print(table({Slow(25e6, 0.02): ROUNDS}))
    text = console.export_text()
    for shown in ("25 Mbit/s with 20 ms of queue", "71.0", "66.8", "0.940", "0.900", "29000", "25 ms"):
        assert shown in text

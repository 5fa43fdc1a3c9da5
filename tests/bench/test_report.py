"""Tables and values of results that are known."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from rich.console import Console

from bench import report
from bench.contestants import CONTESTANTS
from bench.end_to_end import Standing, add_differences
from bench.engine import Case, Cost
from bench.goals import Results
from bench.growth import BASE, Growth


def standing(name: str, **samples: list[float]) -> Standing:
    return Standing(CONTESTANTS[name](), samples)


@pytest.fixture
def standings() -> dict[str, Standing]:
    every = {
        "veth": standing("veth", tcp_1_bit_per_s=[8e9, 4e9], udp_64_per_s=[2e5, 2e5], rtt_tcp_p50_s=[2e-5, 4e-5]),
        "mptcp": standing("mptcp", tcp_1_bit_per_s=[4e9, 2e9], rtt_tcp_p50_s=[3e-5, 4e-5]),
        "alagg-redundant": standing(
            "alagg-redundant", tcp_1_bit_per_s=[6e8, 3e8], udp_64_per_s=[2e4, 4e4], rtt_tcp_p50_s=[3.2e-4, 3.4e-4],
            memory_bytes=[1e8, 1e8],
        ),
    }
    every["veth"].capped = Counter(udp_64_per_s=2)
    add_differences(every)
    return every


def shown(table: object) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def line(text: str, start: str) -> list[str]:
    (found,) = [one for one in text.splitlines() if one.startswith(f"│ {start}")]
    return [cell.strip() for cell in found.strip("│").split("│")]


def test_ratios_are_to_mptcp_and_round_by_round(standings: dict[str, Standing]) -> None:
    cells = line(shown(report.end_to_end_table(standings)), "TCP goodput")
    assert cells[1] == "Mbit/s"
    assert [cell.split("x")[1].strip() for cell in cells[2:5]] == ["2.00", "1.00", "0.15"]
    assert cells[5] == "kernel MPTCP"


def test_what_mptcp_has_not_is_compared_with_the_bare_link(standings: dict[str, Standing]) -> None:
    cells = line(shown(report.end_to_end_table(standings)), "UDP, 64 bytes")
    assert cells[2].startswith("≥ 200,000")
    assert cells[3] == "-"
    assert cells[4].startswith("30,000")
    assert cells[4].endswith("x0.15")
    assert cells[5] == "veth, one link"


def test_added_round_trip_time_stands_in_the_file_alone(standings: dict[str, Standing]) -> None:
    assert "beyond veth" not in shown(report.end_to_end_table(standings))
    figures = report.end_to_end_values(standings)["alagg-redundant"]["figures"]
    assert figures["added_rtt_tcp_p50_s"]["samples"] == pytest.approx([3e-4, 3e-4])


def test_a_brief_table_has_what_all_have(standings: dict[str, Standing]) -> None:
    text = shown(report.end_to_end_table(standings, brief=True))
    assert "TCP goodput" in text
    assert "Memory" in text
    assert "UDP" not in text


def test_every_figure_has_a_title() -> None:
    assert report.figure_of("udp_1400_per_s").title == "UDP, 1400 bytes, loss ≤ 0.5 %"
    assert report.figure_of("rtt_loaded_p99.9_s").title == "Round trip beside TCP, p99.9"
    with pytest.raises(KeyError):
        report.figure_of("tcp_fast")


def test_growth_is_relative_to_the_base() -> None:
    growths = [Growth("base", "1", BASE, (1e-6,), (1e-6,)), Growth("links", "8", BASE, (2e-6,), (1e-6,))]
    assert line(shown(report.growth_table(growths)), "links")[1:] == ["8", "2.00", "1.00", "1.50"]
    assert report.growth_values(growths)[1]["relative"] == 1.5


def test_goals_are_judged(standings: dict[str, Standing]) -> None:
    text = shown(report.goal_table(Results(standings=standings)))
    assert line(text, "TCP goodput, redundant")[1:] == ["≥ 0.8 x", "0.15 ±  0%", "no"]
    assert line(text, "TCP goodput, round-robin")[1:] == ["≥ 1.2 x", "not measured", ""]


def test_values_can_be_written_as_json(standings: dict[str, Standing]) -> None:
    values = json.loads(json.dumps(report.end_to_end_values(standings)))
    goodput = values["alagg-redundant"]["figures"]["tcp_1_bit_per_s"]
    assert goodput["samples"] == [6e8, 3e8]
    assert (goodput["ratio"], goodput["ratio_to"]) == (0.15, "mptcp")
    assert values["veth"]["figures"]["udp_64_per_s"]["rounds_capped"] == 2
    assert values["mptcp"]["figures"]["added_rtt_tcp_p50_s"]["ratio"] is None


def test_without_reference_there_is_no_ratio(standings: dict[str, Standing]) -> None:
    alone = {"alagg-redundant": standings["alagg-redundant"]}
    assert report.ratio_of(alone, "alagg-redundant", "tcp_1_bit_per_s") is None
    assert "TCP goodput" in shown(report.end_to_end_table(alone))


def test_engine_sizes_stand_side_by_side() -> None:
    costs = [
        Cost(Case("decode", lambda: lambda: None, size), (size * 1e-8, size * 1e-8)) for size in (64, 512, 1400)
    ]
    costs.append(Cost(Case("recovery", lambda: lambda: None), (3e-7,)))
    text = shown(report.engine_table(costs))
    assert line(text, "decode")[4:] == ["0.64 ±  0%", "5.12 ±  0%", "14.00 ±  0%"]
    assert line(text, "recovery")[3:] == ["0.30 ±  0%", "", "", ""]
    values = json.loads(json.dumps(report.engine_values(costs)))
    assert values["cases"][0]["median"] == pytest.approx(6.4e-7)

"""Tables of results that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import report
from bench.soak import SAMPLES

if TYPE_CHECKING:
    from bench.sheet import Sheet


def one(title: str, **figures: list[float]) -> dict[str, Any]:
    return {"title": title,
            "figures": {name: {str(n): value for n, value in enumerate(values)} for name, values in figures.items()}}


RUN: dict[str, Any] = {
    "end_to_end": {
        "veth": one("bare", tcp_bit_per_s=[4e9, 2e9], udp_64_per_s=[2e5], udp_64_capped=[1.0], rtt_p50_s=[3e-5]),
        "mptcp": one("kernel MPTCP", tcp_bit_per_s=[2e9, 1e9]),
        "alagg-redundant": one("alagg", tcp_bit_per_s=[1e9, 1e9], udp_64_per_s=[3e4], udp_64_capped=[0.0],
                               rtt_p50_s=[3.3e-4], memory_bytes=[7e7]),
        "mptcp-gro": one("kernel MPTCP, GRO on", tcp_bit_per_s=[4e9]),
        "alagg-redundant-gro": one("alagg, GRO on", tcp_bit_per_s=[1e9]),
    },
    "engine": {"form": "compiled", "seconds": {"out": {"0": 1e-7, "1": 3e-7}, "C out": {"0": 1e-7, "1": 1e-7}}},
    "scale": [
        {"peers": 1000, "idle_cpu": 0.031, "status_s": 0.04, "rtt_p50_s": 2e-4, "rtt_max_s": 0.0025, "lost": 0},
    ],
    "soak": {"minutes": 10, "bit_per_s": 1e9, "memory_bytes": [70_000_000] * SAMPLES},
}


def line(sheet: Sheet, title: str) -> tuple[str, ...]:
    (found,) = [row for row in sheet.rows if row[0] == title]
    return found[1:]


def test_ratios_are_to_mptcp_on_the_same_bed() -> None:
    sheet = report.contestants_sheet([RUN])
    assert sheet.head[1:] == ("TCP, Mbit/s", "UDP packets/s, 64 bytes", "round trip p50, µs", "node's memory, MB")
    assert line(sheet, "bare") == ("3,000 x2.00", "≥ 200,000 x1.00", "30", "-")
    assert line(sheet, "kernel MPTCP")[0] == "1,500 x1.00"
    assert line(sheet, "alagg") == ("1,000 x0.75", "30,000 x0.15", "330 (+300)", "70.0")
    assert line(sheet, "alagg, GRO on")[0] == "1,000 x0.25"


def test_of_several_runs_the_medians_are_shown() -> None:
    other = {"end_to_end": {"alagg-redundant": one("alagg", tcp_bit_per_s=[3e9])}}
    assert line(report.contestants_sheet([RUN, other]), "alagg")[0].startswith("2,000")


def test_all_tables_are_made_of_what_was_measured() -> None:
    titles = [sheet.title.partition(",")[0].partition(":")[0] for sheet in report.sheets([RUN])]
    assert titles == ["End to end", "The engine alone", "Peers on two links each", "Soak"]
    assert list(report.sheets([{"failures": []}])) == []


def test_costs_of_the_engine_stand_with_their_range() -> None:
    sheet = report.engine_sheet([RUN["engine"]["seconds"]])
    assert sheet.rows[0] == ("redundant on two links, out", "0.20", "0.10 to 0.30")


def test_many_peers_and_memory() -> None:
    _, _, scale, soak = report.sheets([RUN])
    assert scale.rows == [("1,000", "3.1%", "40.0", "0.20", "2.5", "0")]
    assert soak.rows == [("10", "1,000", "70.0", "1.0000")]


def test_goals_say_what_they_are_taken_of() -> None:
    sheet = report.goal_sheet([RUN], whole=False)
    assert sheet.title == "Goals, a single run; median and range of its turns"
    assert line(sheet, "TCP goodput, redundant on two links / kernel MPTCP") == (
        "≥ 0.8 x", "0.75 x", "0.50 to 1.00", "missed")
    assert line(sheet, "- GRO on at the receivers: redundant / kernel MPTCP")[1] == "0.25 x"
    sheet = report.goal_sheet([RUN, RUN, RUN])
    assert sheet.title == "Goals, 3 runs; median and range of the runs"
    assert line(sheet, "TCP goodput, one link / OpenVPN") == ("≥ 6 x", "-", "-", "not measured")

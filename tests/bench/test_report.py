"""Tables and values of results that are known."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bench import goals, report, values
from bench.contestants import CONTESTANTS
from bench.end_to_end import QUICK
from bench.engine import Case, Cost
from bench.figures import figure_of
from bench.goals import Results
from bench.growth import BASE, Growth
from bench.soak import SAMPLES, Soak
from bench.standing import Standing, add_differences

if TYPE_CHECKING:
    from bench.sheet import Sheet


def standing(name: str, **samples: list[float]) -> Standing:
    return Standing(CONTESTANTS[name](), {figure: dict(enumerate(rounds)) for figure, rounds in samples.items()})


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


def line(sheet: Sheet, start: str) -> tuple[str, ...]:
    (found,) = [row for row in sheet.rows if row[0].startswith(start)]
    return found


def table(standings: dict[str, Standing], number: int = 0) -> Sheet:
    return list(report.end_to_end_sheets(values.end_to_end_values(standings)))[number]


def test_ratios_are_to_mptcp_and_round_by_round(standings: dict[str, Standing]) -> None:
    cells = line(table(standings), "TCP goodput")
    assert cells[1] == "Mbit/s"
    assert [cell.split("x")[1].strip() for cell in cells[2:]] == ["2.00", "1.00", "0.15"]


def test_what_mptcp_has_not_is_compared_with_the_bare_link(standings: dict[str, Standing]) -> None:
    cells = line(table(standings), "UDP, 64 bytes")
    assert cells[2].startswith("≥ 200,000")
    assert cells[3] == "-"
    assert cells[4].startswith("30,000")
    assert cells[4].endswith("x0.15")


def test_added_round_trip_time_stands_beside_the_whole(standings: dict[str, Standing]) -> None:
    sheet = table(standings)
    assert [cell.split(" ±")[0] for cell in line(sheet, "TCP round trip, p50")[2:]] == [
        "30", "35 (+5)", "330 (+300)"
    ]
    assert not [row for row in sheet.rows if "beyond" in row[0]]
    figures = values.end_to_end_values(standings)["alagg-redundant"]["figures"]
    assert figures["added_rtt_tcp_p50_s"]["samples"] == pytest.approx([3e-4, 3e-4])


def test_forms_have_tables_of_their_own_beside_the_reference(standings: dict[str, Standing]) -> None:
    standings["alagg-redundant-plain"] = standing("alagg-redundant-plain", tcp_1_bit_per_s=[1e8, 1e8])
    standings["alagg-redundant-no-gso"] = standing("alagg-redundant-no-gso", tcp_1_bit_per_s=[2e8, 2e8])
    assert len(table(standings).head) == 2 + 3
    assert table(standings, 1).head[2:] == ("kernel MPTCP", "alagg redundant, all plain")
    assert table(standings, 2).head[2:] == ("kernel MPTCP", "alagg redundant, gso = no")


def test_every_figure_has_a_title() -> None:
    assert figure_of("udp_1400_per_s").title == "UDP, 1400 bytes, loss ≤ 0.5 %"
    assert figure_of("rtt_loaded_p99.9_s").title == "Round trip beside TCP, p99.9"
    with pytest.raises(KeyError):
        figure_of("tcp_fast")


def test_growth_is_relative_to_the_base() -> None:
    growths = values.growth_values(
        [Growth("base", "1", BASE, (1e-6,), (1e-6,)), Growth("links", "8", BASE, (2e-6,), (1e-6,))]
    )
    assert line(report.growth_sheet(growths), "links")[1:] == ("8", "2.00", "1.00", "1.50")
    assert growths[1]["relative"] == 1.5


def test_growth_end_to_end_is_relative_to_its_axis() -> None:
    ways = [{"axis": axis, "value": value, "bit_per_s": [1e9, 3e9], "cpu_s_per_gb": [cost, cost]}
            for axis, value, cost in (("links", 1, 1.0), ("links", 2, 2.0), ("links", 8, 3.0), ("peers", 16, 3.0))]
    rows = report.growth_net_sheet(ways).rows
    assert rows[0] == ("links", "1", "2,000 ±25%", "1.00 ±0%", "0.50")
    assert rows[2][-1] == "1.50"
    assert rows[3][-1] == "-"


def test_losses_stand_beside_what_is_to_be_expected() -> None:
    row = {"title": "alagg redundant", "link_loss": 0.05, "link_bit_per_s": 5e7, "bit_per_s": [4e7], "lost": [0.002],
           "expected_lost": 0.0025}
    sheet = report.loss_sheet([row, {**row, "lost": [], "expected_lost": None}])
    assert sheet.rows[0] == ("alagg redundant", "5%", "40.0", "0.20%", "0.25%")
    assert sheet.rows[1][-2:] == ("-", "-")
    assert sheet.title == "Losses, end to end: links of 50 Mbit/s"


def test_goals_are_judged(standings: dict[str, Standing]) -> None:
    sheet = report.goal_sheet(goals.values(Results(standings=standings)))
    assert line(sheet, "TCP goodput, redundant on")[1:] == ("≥ 0.8 x", "0.15 x ±0%", "missed")
    assert line(sheet, "TCP goodput, round-robin")[1:] == ("≥ 1.2 x", "-", "not measured")
    assert line(sheet, "memory")[1:] == ("≤ 80 MB", "100.00 MB ±0%", "missed")


def test_all_tables_are_made_of_what_was_measured(standings: dict[str, Standing]) -> None:
    measured = {"commit": "1234", "soak": Soak(10, 1e9, (1,) * SAMPLES).values(), "goals": [],
                "end_to_end": values.end_to_end_values(standings)}
    assert [sheet.title.partition(":")[0] for sheet in report.sheets(json.loads(json.dumps(measured)))] == [
        "End to end", "Soak"
    ]


def test_values_can_be_written_as_json(standings: dict[str, Standing]) -> None:
    written = json.loads(json.dumps([values.end_to_end_values(standings), values.plan_values(QUICK)]))
    goodput = written[0]["alagg-redundant"]["figures"]["tcp_1_bit_per_s"]
    assert (goodput["samples"], goodput["rounds"]) == ([6e8, 3e8], [0, 1])
    assert (goodput["ratio"], goodput["ratio_to"]) == (0.15, "mptcp")
    assert written[0]["veth"]["figures"]["udp_64_per_s"]["rounds_capped"] == 2
    assert written[0]["mptcp"]["figures"]["added_rtt_tcp_p50_s"]["ratio"] is None
    assert written[1]["only_tcp"] == ["SHORT", "TCP"]


def test_without_reference_there_is_no_ratio(standings: dict[str, Standing]) -> None:
    alone = {"alagg-redundant": standings["alagg-redundant"]}
    assert values.ratio_of(alone, "alagg-redundant", "tcp_1_bit_per_s") is None
    assert "x" not in line(table(alone), "TCP goodput")[2]


def test_engine_sizes_stand_side_by_side() -> None:
    costs = [
        Cost(Case("decode", lambda: lambda: None, size), (size * 1e-8, size * 1e-8)) for size in (64, 512, 1400)
    ]
    costs.append(Cost(Case("recovery", lambda: lambda: None), (3e-7,)))
    written = json.loads(json.dumps(values.engine_values(costs)))
    sheet = report.engine_sheet(written)
    assert line(sheet, "decode")[4:] == ("0.64 ±0%", "5.12 ±0%", "14.00 ±0%")
    assert line(sheet, "recovery")[3:] == ("0.30", "", "", "")
    assert written["cases"][0]["median"] == pytest.approx(6.4e-7)

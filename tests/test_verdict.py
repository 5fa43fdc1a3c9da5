"""The verdict: what is wrong now, since when, and which option to look at."""

from __future__ import annotations

from typing import Any

import pytest

from alagg import verdict

LINK: dict[str, Any] = {
    "name": "copper", "state": "up", "reason": "", "loss": 0.0, "tx_loss": 0.0, "rx_expected": 115, "rate_bps": None,
    "tx_dropped_full": 7, "rx_dropped": 0, "malformed": 3,
    "recent": {
        "seconds": 61.0, "tx_frames": 998, "tx_dropped_full": 0, "rx_frames": 9, "rx_dropped": 0, "malformed": 0,
    },
}  # fmt: skip


def told(*links: dict[str, Any], **status: Any) -> list[str]:
    return [line.plain for line in verdict.lines({"links": list(links), **status})]


def recent(**changes: float) -> dict[str, Any]:
    return {"recent": LINK["recent"] | changes}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, []),
        ({"state": "down"}, ["is down"]),
        ({"state": "standby", "reason": "a backup"}, []),
        ({"state": "down", "reason": "3 probes unanswered"}, ["3 probes unanswered"]),
        ({"reason": "proving itself"}, ["proving itself"]),
        ({"loss": 0.009}, []),
        ({"loss": 1 / 20, "rx_expected": 20}, []),
        ({"loss": 6 / 115}, ["lost 6 of 115 frames in the last 10 s"]),
        ({"tx_loss": 0.05}, ["the peer missed 5 % of late"]),
        ({"tx_loss": 0.05, "tx_expected": 20}, []),
        ({"tx_loss": 0.05, "tx_expected": 60}, ["the peer missed 3 of 60 frames of late"]),
        (recent(tx_dropped_full=2), ["2 of 1,000 frames found the link full in the last minute"]),
        (recent(tx_dropped_full=2) | {"rate_bps": 20_000_000}, []),
        (recent(malformed=1, seconds=12.0), ["1 of 10 frames arrived damaged in the last 12 s"]),
        ({"state": "down", "loss": 1.0, "rx_expected": 0}, ["is down", "lost 100 % in the last 10 s"]),
    ],
)
def test_faults(change: dict[str, Any], fault: list[str]) -> None:
    assert verdict.faults(LINK | change) == fault


def test_what_is_long_past_makes_no_link_bad_and_is_told() -> None:
    head, line = told(LINK)
    assert head == "no link is bad (of 1)"
    assert line == (
        "  copper: 7 frames found the link full, 3 frames arrived damaged since the node's start, none in the last "
        "minute"
    )


def test_a_link_that_was_given_a_rate_is_full_without_being_bad() -> None:
    link = LINK | recent(tx_dropped_full=500) | {"rate_bps": 20_000_000, "malformed": 0}
    share = "500 of 1,498 frames found the link full in the last minute"
    assert told(link) == ["no link is bad (of 1)", f"  copper: {share}: it has a rate, the others carry the rest"]


def test_where_nobody_answers_check_is_named() -> None:
    silent = LINK | {"state": "silent", "reason": "the peer does not answer", "malformed": 0, "tx_dropped_full": 0}
    assert told(silent) == [
        "1 of 1 links is bad", "  copper: the peer does not answer",
        "  where nobody answers, alagg check says what comes instead: of another address, of another EtherType",
    ]


def test_a_path_that_is_narrower_than_its_interface_is_told() -> None:
    link = LINK | {"mtu": 1500, "path_mtu": 1400, "interface": "eth1", "malformed": 0, "tx_dropped_full": 0}
    assert told(link) == [
        "no link is bad (of 1)", "  copper: frames of at most 1400 bytes get through, although eth1 takes 1500",
    ]
    assert len(told(link | {"path_mtu": 1500})) == 1


def test_what_does_not_fit_the_peer_is_in_the_verdict() -> None:
    peer = {"name": "office", "advice": ["destinations has 10.9.9.9/32, but …"]}
    assert told(peers=[peer]) == [
        "no link is bad (of 0); but see below", "  peer office: destinations has 10.9.9.9/32, but …",
    ]


def test_refused_packets_name_an_address_and_the_option() -> None:
    refused = {"foreign_source": {"source": "10.1.2.3", "destination": "10.99.0.1", "seconds_ago": 3.0}}
    peer = {"name": "office", "refused": refused, "rx": {"refused_foreign_source": 1234}}
    words = "1,234 packets refused: 10.1.2.3 is not in its destinations (the last one was for 10.99.0.1)"
    assert told(peers=[peer])[1:] == [f"  peer office: {words}"]
    refused["foreign_source"]["seconds_ago"] = 61.0
    assert told(peers=[peer]) == ["no link is bad (of 0)"]


def test_a_node_without_rules_says_why_and_is_well() -> None:
    assert told(without_rules="this kernel has no legacy filter table") == [
        "no link is bad (of 0)", "  no rules, the device captures everything: this kernel has no legacy filter table",
    ]


def test_peers_that_no_link_leads_to_are_named() -> None:
    assert told(unreachable=["office"]) == [
        "no link is bad (of 0)",
        "  peer office: no link works, its packets go by this host's own routes (when_unreachable)",
    ]


def test_what_others_took_away_is_told_for_ever_and_alarms_for_a_minute() -> None:
    one = {"what": ["rules of IPv4 in filter OUTPUT"], "times": 2, "seconds_ago": 5.0}
    why = "another program takes away what the node needs, and it is put back"
    assert told(put_back=[one]) == [
        "no link is bad (of 0); but see below", f"  {why}: rules of IPv4 in filter OUTPUT (2 times, 5 s ago)",
    ]
    assert told(put_back=[one | {"seconds_ago": 600.0, "times": 1}]) == [
        "no link is bad (of 0)",
        "  put back what another program had taken away: rules of IPv4 in filter OUTPUT (once, 600 s ago)",
    ]

"""Changes of a configuration's links as texts, and how they differ from a file."""

from __future__ import annotations

from alagg.changes import add, change, differences, remove

FILE = {
    "alagg": {"mark": "7"},
    "link wan": {"interface": "eth0", "rate": "20mbit"},
    "link lan": {"interface": "eth1"},
}


def test_links_are_added_changed_and_removed_and_all_else_stays() -> None:
    texts = add(FILE, "sat", {"interface": "eth2\n"})
    texts = change(texts, "wan", {"rate": "5mbit", "weight": "3"})
    texts = remove(texts, "lan")
    assert texts == {
        "alagg": {"mark": "7"},
        "link wan": {"interface": "eth0", "rate": "5mbit", "weight": "3"},
        "link sat": {"interface": "eth2"},
    }
    assert [(one.link, one.what, one.words) for one in differences(texts, FILE)] == [
        ("wan", "changed", "rate = 5mbit (file: 20mbit), weight = 3 (file: 1)"),
        ("sat", "added", "added while the node runs"),
        ("lan", "removed", "removed while the node runs"),
    ]
    assert list(FILE["link wan"]) == ["interface", "rate"]


def test_what_means_the_same_is_no_difference() -> None:
    same = {"link wan": {"interface": "eth0", "rate": "20mbit", "weight": "1"}, "link lan": {"interface": "eth1"}}
    assert differences(same, FILE) == []
    (found,) = differences(change(FILE, "wan", {"remote": "x"}), FILE)
    assert found.words == "remote = x (file: nothing)"

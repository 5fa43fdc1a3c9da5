"""Parts of a snapshot on their way: what comes out is what went in, and several workers' are merged."""

from __future__ import annotations

import json
from typing import Any

from alagg.control.merged import merge
from alagg.control.parts import answer, decode, encode

TRAP = '"peers": [], "links": []'


def part(*names: str, **rest: object) -> dict[str, Any]:
    """Give a part whose texts look like what they stand between."""
    return {
        **rest,
        "peers": [{"name": name, "tx": {"sent": 1}} for name in names],
        "links": [
            {"name": name, "reason": TRAP, "state": "up", "loss": None, "tx_loss": None, "rx_expected": 0,
             "tx_expected": 0} for name in names
        ],
    }


def test_what_comes_out_is_what_went_in() -> None:
    parts = [encode(one) for one in (part("a", "b", epoch=1, drops={"text": TRAP}), part("c"), part())]
    found = decode(parts)
    assert [peer["name"] for peer in found["peers"]] == ["a", "b", "c"]
    assert [link["reason"] for link in found["links"]] == [TRAP] * 3
    assert (found["epoch"], found["drops"]) == (1, {"text": TRAP})
    assert decode([encode(part(epoch=1))]) == {"epoch": 1, "peers": [], "links": []}


def test_one_workers_answer_is_put_together_from_its_texts() -> None:
    parts = [encode(part("a", epoch=1)), encode(part("b"))]
    assert json.loads(answer([parts], {"pid": 7, "version": TRAP})) == {
        "pid": 7, "version": TRAP, "epoch": 1, **{key: part("a", "b")[key] for key in ("peers", "links")},
    }


def test_several_workers_are_merged() -> None:
    workers = [[encode(part("a", epoch=1))], [encode(part("a", epoch=2))]]
    found = json.loads(answer(workers, {"pid": 7}))
    assert found == {"pid": 7, **merge([decode(parts) for parts in workers])}
    assert found["peers"][0]["tx"]["sent"] == 2

"""What the facts of an interface say about the way past its queues and filters."""

from __future__ import annotations

import pytest

from alagg.messages import InterfaceFacts


@pytest.mark.parametrize(("wish", "queues", "expected"), [
    ("auto", "", (True, "nothing orders or filters what the interface sends")),
    ("auto", "its queueing discipline is fq", (False, "its queueing discipline is fq")),
    ("yes", "its queueing discipline is fq", (True, "xdp = yes")),
    ("yes", "", (True, "xdp = yes")),
    ("no", "", (False, "xdp = no")),
])
def test_queues_are_passed_as_wished_or_where_there_are_none(
    wish: str, queues: str, expected: tuple[bool, str]
) -> None:
    assert InterfaceFacts(2, 1500, "", queues).bypass(wish) == expected


def test_interface_of_which_nothing_is_known_may_have_queues() -> None:
    assert InterfaceFacts(2, 1500, "").bypass("auto") == (False, "its queueing discipline is not known")

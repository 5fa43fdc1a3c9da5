"""JSON with msgspec and without it: the same values, the same complaints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.control import text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)  # fmt: skip


@given(VALUES)
def test_both_ways_give_the_same(values: Any) -> None:
    assert json.loads(text.dumps(values)) == values == text.loads(json.dumps(values).encode())


@pytest.mark.parametrize("installed", [True, False])
def test_what_is_no_json_is_a_value_error(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    if not installed:
        monkeypatch.setattr(text, "_fast", None)
    assert text.loads(text.dumps({"a": [1, None, "ä"]}).encode()) == {"a": [1, None, "ä"]}
    for wrong in (b"", b"{", b"nonsense", b"\xff"):
        with pytest.raises(ValueError):
            text.loads(wrong)

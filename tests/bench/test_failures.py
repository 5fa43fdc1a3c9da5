"""Errors in a line."""

from __future__ import annotations

import pytest

from alagg.lab.namespace import LabError
from bench.failures import LONGEST, line


@pytest.mark.parametrize(("error", "said"), [
    (LabError("the node ended:\n  Traceback"), "the node ended: Traceback"),
    (ConnectionError("gone"), "ConnectionError: gone"),
    (KeyError("port"), "KeyError: 'port'"),
    (TimeoutError(), "TimeoutError: no reason given"),
    (LabError("x" * 1000), "x" * LONGEST + " ..."),
])
def test_a_line(error: Exception, said: str) -> None:
    assert line(error) == said

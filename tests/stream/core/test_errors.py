"""The errors: each is a ConnectionError with a name."""

from __future__ import annotations

import pytest

from alagg.stream.core.errors import NoLinks, ProtocolError, Refused, StreamAborted, StreamError, StreamReset


@pytest.mark.parametrize(
    ("error", "reason", "again", "builtin"),
    [
        (NoLinks("x"), "no-links", True, ConnectionError),
        (StreamReset("x"), "reset", True, ConnectionResetError),
        (StreamAborted("x"), "aborted", True, ConnectionAbortedError),
        (Refused("x"), "refused", True, ConnectionRefusedError),
        (ProtocolError("overlap", "x"), "overlap", False, ConnectionError),
    ],
)
def test_each_has_a_name_and_says_whether_to_try_again(
    error: StreamError, reason: str, again: object, builtin: type[Exception]
) -> None:
    assert isinstance(error, StreamError)
    assert isinstance(error, builtin)
    assert (error.reason, error.should_reconnect) == (reason, again)

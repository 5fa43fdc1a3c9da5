"""Everything that can end a stream connection, each with a name."""

from __future__ import annotations


class StreamError(ConnectionError):
    """A stream connection has ended, or could not begin."""

    reason = "failed"
    """A name for programs; the message is for people."""
    should_reconnect = True
    """Whether a new connection to the same peer may fare better."""


class ProtocolError(StreamError):
    """The peer sent what no peer may send; the reason names the rule."""

    should_reconnect = False

    def __init__(self, reason: str, text: str) -> None:
        """Name the rule that was broken, and say what was seen."""
        super().__init__(f"the peer broke the protocol: {text}")
        self.reason = reason


class StreamReset(StreamError, ConnectionResetError):  # noqa: N818 - named as the one it is
    """The peer ended the connection by force."""

    reason = "reset"


class StreamAborted(StreamError, ConnectionAbortedError):  # noqa: N818 - named as the one it is
    """This side ended the connection by force."""

    reason = "aborted"


class NoLinks(StreamError):  # noqa: N818 - a state, as it is shown
    """All links were gone for longer than the settings allow."""

    reason = "no-links"


class Refused(StreamError, ConnectionRefusedError):  # noqa: N818 - named as the one it is
    """The other end did not let this link join."""

    reason = "refused"

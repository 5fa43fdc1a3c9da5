"""What a command may fail with, for the user to read."""

from __future__ import annotations


class CommandError(Exception):
    """Why a command failed, in one line; the exit status is 1."""

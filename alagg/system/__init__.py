"""The host: what the node reads from it, changes on it, and puts back as it was."""

from __future__ import annotations


class HostError(Exception):
    """What the host refuses or lacks, in one line for the user."""

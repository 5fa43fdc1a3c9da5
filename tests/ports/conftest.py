"""Two hosts on one bare veth pair, with a way to work inside of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from pyroute2 import netns

from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.namespace import Namespace


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(1, direct=True) as lab:
        yield lab


@contextmanager
def inside(namespace: Namespace) -> Iterator[None]:
    """Let this process work in a namespace; a socket stays where it was made."""
    netns.pushns(namespace.name)
    try:
        yield
    finally:
        netns.popns()

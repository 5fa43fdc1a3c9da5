"""What the tests on the real kernel share: a lab whose nodes run, and what its nodes say when a test fails."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.lab.namespace import LabError
from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

GSO: Final = "ALAGG_TEST_GSO"
"""The environment's variable that has the nodes run with `gso = no`."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the nodes have counted and logged when a test with a lab fails."""
    result = yield
    lab = getattr(item, "funcargs", {}).get("lab")
    if call.when == "call" and result.failed and isinstance(lab, Lab):
        result.sections.append(("nodes", report(lab)))
    return result


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Give two hosts, two cables, and a running node on each host that sees both links up."""
    with running(Lab(links=2)) as built:
        yield built


@contextmanager
def running(lab: Lab, **options: object) -> Iterator[Lab]:
    """Build a lab and start its nodes."""
    with lab:
        lab.start_nodes({"gso": os.environ.get(GSO, "yes"), **options})
        lab.await_links()
        yield lab
        lab.stop_nodes()


def say(*things: object) -> None:
    """Write down what was measured; pytest shows it when the test fails, or with -rP."""
    sys.stdout.write("".join(f"{thing}\n" for thing in things))


def report(lab: Lab) -> str:
    """Give the counters that are not 0 and the end of the log of each node."""
    lines = []
    for host in lab.hosts:
        lines.append(f"--- node {host.letter} ---")
        with suppress(LabError):
            status = host.node.status()
            lines += [f"{name}: {_counted(status[name])}" for name in ("capture", "injector", "drops")]
            lines += [f"{side}: {_counted(peer[side])}" for peer in status["peers"] for side in ("tx", "rx")]
            lines += [f"{link['name']}: {_counted(link)}" for link in status["links"]]
        with suppress(FileNotFoundError):
            lines.append(host.node.tail(20))
    return "\n".join(lines)


def _counted(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}

"""What all tests share: how hard Hypothesis looks, what is left out without root, and which form runs."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

from alagg import form

# A deadline would assert real speed.
settings.register_profile("default", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=1200)
settings.load_profile("default")

# What was started in the background of a script ignores Ctrl-C, and so would all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# A browser is no small thing to install: `make test-browser`.
collect_ignore = [] if os.environ.get("ALAGG_TEST_BROWSER") else ["browser"]


def pytest_report_header() -> str:
    """Say which form the tests are about."""
    return f"alagg: engine {form.engine()}, edges {form.edges()}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs root where there is none, and say so; mark what of the kernel runs beside others."""
    for item in items:
        if item.path.parent.name != "netns":
            item.add_marker(pytest.mark.beside)
        if os.geteuid() and item.get_closest_marker("netns"):
            item.add_marker(pytest.mark.skip(reason="makes network namespaces, which needs root"))

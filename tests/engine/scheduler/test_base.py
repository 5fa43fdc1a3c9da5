"""What a scheduler gives: runs that no one changes any more."""

from __future__ import annotations

import pytest

from alagg.engine.link import Link
from alagg.engine.scheduler.base import Run
from tests import forms


def test_run_is_a_number_of_packets_and_their_links() -> None:
    links = (Link(0, "fibre", 1500), Link(1, "radio", 1500))
    run = Run(3, links)
    assert (run.length, run.links) == (3, links)


@pytest.mark.skipif(forms.compiled() is None, reason="nothing was compiled")
def test_compiled_run_cannot_be_changed() -> None:
    engine = forms.compiled()
    assert engine is not None
    run = engine.scheduler.base.Run(1, ())
    with pytest.raises(AttributeError):
        run.length = 2

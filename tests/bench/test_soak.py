"""The long transfer, made short."""

from __future__ import annotations

import pytest
from rich.console import Console

from bench import soak


@pytest.mark.netns
def test_memory_is_looked_at_all_the_time() -> None:
    console = Console(width=200)
    with console.capture() as capture:
        found = soak.run(console, 1 / 60)
    assert len(found["memory_bytes"]) == soak.SAMPLES
    assert min(found["memory_bytes"]) > 1 << 20
    assert found["bit_per_s"] > 0
    assert "MB at most" in capture.get()

"""What all tests share: how hard Hypothesis looks."""

from __future__ import annotations

from hypothesis import settings

# A deadline would assert real speed.
settings.register_profile("default", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=5000)
settings.load_profile("default")

"""The tutorial runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIAL = (Path(__file__).parents[2] / "docs" / "streams.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)
SAYS = ("hello", "hello, trio", "127.0.0.1:", "by either")
"""What each example prints, among other things."""


@pytest.mark.parametrize(("example", "says"), list(zip(EXAMPLES, SAYS, strict=True)), ids=SAYS)
def test_examples_run(example: str, says: str) -> None:
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert says in done.stdout

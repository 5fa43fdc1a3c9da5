"""A host without Linux's own parts: `python -m pytest -p tests.stream.elsewhere tests/stream` tests there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

HIDDEN: Final = (
    "alagg.native", "iptc", "netfilterqueue", "pyroute2", "sdnotify",
    "grp", "pwd", "resource", "syslog", "termios",
)  # fmt: skip
"""What is compiled, packages with a marker for Linux, and modules of Python that Windows lacks."""


class Hide:
    """Finds nothing, and has nobody else find it: an entry of `sys.meta_path`."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Refuse what is hidden."""
        if any(f"{name}.".startswith(f"{one}.") for one in HIDDEN):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


for loaded in [name for name in sys.modules if name.partition(".")[0] in HIDDEN]:
    del sys.modules[loaded]
sys.meta_path.insert(0, Hide())

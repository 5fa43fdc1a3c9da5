"""The specification is read, and not run: the packet path does without it."""

from __future__ import annotations

import subprocess
import sys

from alagg.engine.header import SIZE
from alagg.engine.specification import HEADER, fields


def test_fields_fill_the_header() -> None:
    assert HEADER.sizeof() == SIZE == sum(bits for _, bits in fields()) // 8
    assert [name for name, _ in fields()][:4] == ["version", "type", "flags", "key"]


def test_the_packet_path_does_not_import_construct() -> None:
    code = "import sys, alagg.worker, alagg.cli.status; sys.exit('construct' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

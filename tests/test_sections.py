"""Sections: what a file says as texts; the lines for what is wrong in one are held in test_config.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from alagg.sections import ConfigError, one_line, parse, read

PATH = Path("alagg.cfg")


def test_texts_by_section_and_key() -> None:
    text = "# head\n[alagg]\n\n[link wan]\nrate = 20mbit ; paid for\nPeer=office\nlong = one\n  two\n"
    assert parse(text, PATH) == {
        "alagg": {}, "link wan": {"rate": "20mbit", "Peer": "office", "long": "one\ntwo"},
    }  # fmt: skip
    assert one_line("one\n two") == "one two"


def test_what_is_no_such_file_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^alagg.cfg: line 2: \[a\] stands twice; allowed: once$"):
        parse("[a]\n[a]\n", PATH)
    with pytest.raises(ConfigError, match=r"^/nowhere: cannot be read: No such file"):
        read(Path("/nowhere"))

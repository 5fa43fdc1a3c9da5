"""`default_config.cfg` says what the code says, and what it shows can be used."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import resources
from pathlib import Path

from alagg import config, default_config
from alagg.ownsections import OWN

SHIPPED = resources.files("alagg").joinpath("default_config.cfg")
TOP = Path(__file__).parent.parent / "default_config.cfg"
DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("operations.md", "history-and-alerts.md", "web.md")
TABLES = (config.NODE, config.PEER, config.LINK, *(options for options, _, _ in OWN.values()))


def uncomment(text: str) -> str:
    return re.sub(r"^;", "", text, flags=re.MULTILINE)


def test_file_is_what_the_tables_say() -> None:
    # After a change to the tables: make config
    assert SHIPPED.read_text(encoding="utf-8") == default_config.text()


def test_file_lies_at_the_top_too() -> None:
    assert TOP.read_text(encoding="utf-8") == default_config.text()


def test_every_option_stands_once_in_its_section_with_its_comment() -> None:
    sections = re.split(r"^;?\[", default_config.text(), flags=re.MULTILINE)[1:]
    sections = [section for section in sections if not section.startswith("link copper]")]
    for section, options in zip(sections, TABLES, strict=True):
        for option in options:
            assert len(re.findall(rf"^;?{option.key} =", section, flags=re.MULTILINE)) == 1, option.key
            assert option.comment in section


def test_every_option_has_its_line_in_the_manual() -> None:
    pages = [(DOCS / name).read_text(encoding="utf-8") for name in PAGES]
    sections = [section for page in pages for section in re.split(r"^### `\[", page, flags=re.MULTILINE)[1:]]
    for section, options in zip(sections, TABLES, strict=True):
        table = section.split("\n## ")[0]
        cells = " ".join(re.findall(r"^\| (`.+?) \|", table, flags=re.MULTILINE))
        keys = re.findall(r"\w+", cells)
        assert keys == [option.key for option in options]


def test_examples_work_once_they_are_switched_on(tmp_path: Path) -> None:
    path = tmp_path / "alagg.cfg"
    path.write_text(uncomment(default_config.text()), encoding="utf-8")
    settings = config.load(path)
    assert [peer.name for peer in settings.peers] == ["office"]
    assert [link.interface for link in settings.links] == ["eth0", "eth1"]


def test_node_s_values_are_the_defaults(tmp_path: Path) -> None:
    shown, short = tmp_path / "shown.cfg", tmp_path / "short.cfg"
    shown.write_text(uncomment(default_config.text()), encoding="utf-8")
    short.write_text(
        "[peer office]\ndestinations = 10.99.0.2, fd99::2\n"
        "[link fibre]\ninterface = eth0\nmac = 52:54:00:12:34:56\n"
        "[link copper]\ninterface = eth1\nmac = 52:54:00:12:34:57\n",
        encoding="utf-8",
    )
    assert replace(config.load(shown), path=short) == config.load(short)

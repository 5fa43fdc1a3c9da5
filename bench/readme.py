"""Writes the published figures from a result file: `python -m bench.readme docs/bench/result.json`.

They stand between markers in README.md (the goals) and docs/benchmarks.md (everything), so nobody types a figure.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench import report
from bench.machine import BUSY
from bench.values import FORMAT, others_load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT: Final = Path(__file__).parents[1]
BEGIN: Final = "<!-- figures: written by python -m bench.readme -->"
END: Final = "<!-- end of figures -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or with --check only tell whether they are true; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.readme", description="Publish a result's figures.")
    parser.add_argument("result", type=Path, help="a JSON file that python -m bench has written")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a page is out of date")
    given = parser.parse_args(arguments)
    try:
        values = read(given.result)
        pages = {path: placed(path.read_text(encoding="utf-8"), write(values)) for path, write in PAGES.items()}
    except (OSError, ValueError, KeyError) as error:
        print(f"bench.readme: {given.result}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    stale = [path for path, text in pages.items() if path.read_text(encoding="utf-8") != text]
    for path in stale:
        if given.check:
            print(f"{path} does not show {given.result}")
        else:
            path.write_text(pages[path], encoding="utf-8")
            print(f"wrote {path}")
    return int(given.check and bool(stale))


def read(path: Path) -> dict[str, Any]:
    """Read a result file.

    Raises:
        ValueError: it was written by another version of the harness.
    """
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if values.get("format") != FORMAT:
        raise ValueError(f"its format is {values.get('format')}, not {FORMAT}; measure anew")
    return values


def placed(page: str, text: str) -> str:
    """Put a text between a page's markers.

    Raises:
        ValueError: the page does not have each marker once, in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"the page needs one {BEGIN!r} and one {END!r} after it")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def goals(values: Mapping[str, Any]) -> str:
    """Give the goals, and where they come from."""
    return f"{report.goal_sheet(values['goals']).markdown()}\n\n{origin(values)}"


def everything(values: Mapping[str, Any]) -> str:
    """Give every table, and where they come from."""
    failures = [f"Not measured: {failure}" for failure in values["failures"]]
    return "\n\n".join([origin(values), *failures, *(sheet.markdown() for sheet in report.sheets(values))])


def origin(values: Mapping[str, Any]) -> str:
    """Say what made the figures, where and when."""
    machine, load = values["machine"], others_load(values.get("end_to_end", {}))
    busy = f" **Others used up to {load:.0%} of the processors meanwhile: it says little.**" if load > BUSY else ""
    return (
        f"Made by `{values['command']}` at commit {values['commit']} in {values['seconds'] / 60:.0f} minutes, begun "
        f"{values['started']}, with both hosts on one machine: {machine['processors']} processors "
        f"({machine['processor']}), {machine['memory_bytes'] / 2**30:.0f} GiB, Linux {machine['kernel']}, "
        f"{machine['implementation']} {machine['python']}.{busy}"
    )


PAGES: Final[dict[Path, Callable[[Mapping[str, Any]], str]]] = {
    ROOT / "README.md": goals, ROOT / "docs" / "benchmarks.md": everything,
}
"""What writes each page's figures."""

if __name__ == "__main__":
    sys.exit(main())

"""Writes the published figures from result files: `python -m bench.readme FILE...`, docs/bench/*.json without any.

They stand between markers in README.md (the goals) and docs/benchmarks.md (everything), so nobody types a figure. Of
several runs the medians count, and the range is that of the runs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench import report
from bench.machine import BUSY
from bench.results import read, samples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Runs = Sequence[Mapping[str, Any]]

ROOT: Final = Path(__file__).parents[1]
PUBLISHED: Final = ROOT / "docs" / "bench"
BEGIN: Final = "<!-- figures: written by python -m bench.readme -->"
END: Final = "<!-- end of figures -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or with --check only tell whether they are true; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.readme", description="Publish the figures of runs.")
    parser.add_argument("results", nargs="*", type=Path, metavar="FILE",
                        help="JSON files that python -m bench has written, of whole runs hours apart "
                             "(default: those in docs/bench)")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a page is out of date")
    given = parser.parse_args(arguments)
    files = given.results or sorted(PUBLISHED.glob("*.json"))
    try:
        runs = sorted(map(read, files), key=lambda run: run["started"])
        pages = {path: placed(path.read_text(encoding="utf-8"), write(runs)) for path, write in PAGES.items()}
    except (OSError, ValueError, LookupError) as error:
        print(f"bench.readme: {' '.join(map(str, files))}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    stale = [path for path, text in pages.items() if path.read_text(encoding="utf-8") != text]
    for path in stale:
        if given.check:
            print(f"{path} does not show {' '.join(map(str, files))}")
        else:
            path.write_text(pages[path], encoding="utf-8")
            print(f"wrote {path}")
    return int(given.check and bool(stale))


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


def goals(runs: Runs) -> str:
    """Give the goals, and where they come from."""
    return "\n\n".join([report.goal_sheet(runs).markdown(), *map(origin, runs)])


def everything(runs: Runs) -> str:
    """Give every table, and where they come from."""
    failures = [f"Not measured: {failure}" for run in runs for failure in run["failures"]]
    tables = [report.goal_sheet(runs), *report.sheets(runs)]
    return "\n\n".join([*map(origin, runs), *failures, *(sheet.markdown() for sheet in tables)])


def origin(run: Mapping[str, Any]) -> str:
    """Say what made the figures, where and when."""
    machine, load = run["machine"], others_load(run)
    busy = f" **Others used up to {load:.0%} of the processors meanwhile: it says little.**" if load > BUSY else ""
    return (
        f"Made by `{run['command']}` at commit {run['commit']} in {run['seconds'] / 60:.0f} minutes, begun "
        f"{run['started']}, with both hosts on one machine: {machine['processors']} processors "
        f"({machine['processor']}), {machine['memory_bytes'] / 2**30:.0f} GiB, Linux {machine['kernel']}, "
        f"{machine['implementation']} {machine['python']}.{busy}"
    )


def others_load(run: Mapping[str, Any]) -> float:
    """Give the share of the processors that others used while the contestant worked that suffered most from them."""
    found = (samples(run, name, "others_load").values() for name in run.get("end_to_end", {}))
    return max((statistics.median(loads) for loads in found if loads), default=0.0)


PAGES: Final[dict[Path, Callable[[Runs], str]]] = {
    ROOT / "README.md": goals, ROOT / "docs" / "benchmarks.md": everything,
}
"""What writes each page's figures."""

if __name__ == "__main__":
    sys.exit(main())

"""Runs the coverage-guided fuzzing of all targets, or of some, for a while.

    python -m tests.fuzz [--seconds N] [TARGET ...]

Each target starts from its corpus in the tree. What it finds is kept in build/fuzz: new inputs for the next run, and
under `TARGET-crash-*` what broke something; `python -m tests.fuzz.guided TARGET FILE` shows such a one again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from alagg import form
from tests import forms
from tests.fuzz.targets import TARGETS

CORPUS: Final = Path(__file__).with_name("corpus")
FOUND: Final = Path("build/fuzz")
LONGEST: Final = 4096
"""Bytes of an input; longer ones are slow and reach nothing else."""
SLOWEST: Final = 20
"""Seconds that one input may take."""


def say(text: str) -> None:
    """Print a line, before what a child prints next."""
    print(f"alagg: {text}", flush=True)  # noqa: T201 - a program's output


def run(target: str, seconds: int) -> bool:
    """Fuzz one target; tell whether nothing was found."""
    found = FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "tests.fuzz.guided", target, str(found), str(CORPUS / target),
        f"-artifact_prefix={found}-", f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={SLOWEST}",
        "-rss_limit_mb=4096", "-verbosity=0", "-print_final_stats=1",
    ]  # fmt: skip
    say(f"fuzzing {target} for {seconds} s")
    return subprocess.run(command, env=environment(), check=False).returncode == 0


def environment() -> dict[str, str]:
    """Give the environment of a run; under a sanitizer (`LD_PRELOAD`) atheris comes first.

    The sanitizer has functions of the same names that take coverage and throw it away.
    """
    preloaded = os.environ.get("LD_PRELOAD", "")
    if "asan" not in preloaded:
        return dict(os.environ)
    atheris = find_spec("atheris.core_with_libfuzzer")
    assert atheris
    options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:detect_leaks=0"
    return {**os.environ, "LD_PRELOAD": f"{atheris.origin} {preloaded}", "ASAN_OPTIONS": options}


def main() -> int:
    """Run the command line; give the exit status."""
    parser = argparse.ArgumentParser(description="coverage-guided fuzzing of what reads foreign bytes")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; default: all of them")
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together (default: 60)")
    chosen = parser.parse_args()
    targets = chosen.targets or list(TARGETS)
    if unknown := [target for target in targets if target not in TARGETS]:
        parser.error(f"unknown target: {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if find_spec("atheris") is None:
        say("coverage-guided fuzzing is skipped: there is no atheris here (it has wheels for Python 3.11 to 3.13)")
        return 0
    if forms.compiled() is None or form.edges() == "plain":
        say("nothing is compiled: only the plain form is fuzzed")
    failed = [target for target in targets if not run(target, max(1, chosen.seconds // len(targets)))]
    if failed:
        say(f"fuzzing found something in: {', '.join(failed)}; the inputs are {FOUND}/*-crash-* and the like")
    else:
        say("fuzzing found nothing")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Without the parts that only Linux has: the library and its tools are there, the rest says what it lacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BEGIN = "import tests.stream.elsewhere\nimport sys\nfrom alagg import cli\n"


def elsewhere(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script where the parts for Linux are hidden."""
    command = [sys.executable, "-c", BEGIN + script]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)


def test_the_tutorial_and_the_tools_help_are_there() -> None:
    tutorial = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    example = tutorial.partition("```python\n")[2].partition("```")[0].replace("from __future__", "# from __future__")
    tools = "assert [cli.main([tool, '--help']) for tool in ('tunnel',)] == [0]\n"
    done = elsewhere(f"{tools}{example}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "hello" in done.stdout


@pytest.mark.parametrize("words", ["--config default_config.cfg", "cleanup --config default_config.cfg"])
def test_what_needs_linux_says_so_in_one_line(words: str) -> None:
    done = elsewhere(f"sys.exit(cli.main({words.split()}))")
    assert done.returncode == 1
    assert done.stderr.startswith("alagg: ")
    assert done.stderr.count("\n") == 1
    assert "Linux" in done.stderr
    assert "alagg tunnel" in done.stderr


def test_dependencies_that_only_linux_has_are_marked() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for package in ("python-iptables", "pyroute2", "sdnotify"):
        (line,) = (line for line in project.splitlines() if line.strip().startswith(f'"{package}>'))
        assert "sys_platform == 'linux'" in line

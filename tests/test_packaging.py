"""What is handed out: the source package holds every source, and without a compiler the plain form installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).parent.parent
PARTS: Final = ("alagg", "bench", "docs", "scripts", "tests")
FILES: Final = (
    "CHANGELOG.md", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "default_config.cfg", "pyproject.toml",
    "setup.py",
)  # fmt: skip
BUILD: Final = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def build(source: Path, kind: str, target: Path) -> Path:
    """Build a package as pip would, with a compiler that always fails."""
    command = [sys.executable, "-c", BUILD, kind, str(target)]
    done = subprocess.run(
        command, cwd=source, env={**os.environ, "CC": "false"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the unpacked source package."""
    place = tmp_path_factory.mktemp("packaging")
    tree = place / "tree"
    tree.mkdir()
    for part in PARTS:
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("*.so", "*.pyc", "results", "api"))
    for name in FILES:
        shutil.copy(ROOT / name, tree)
    with tarfile.open(build(tree, "build_sdist", place)) as package:
        package.extractall(place, filter="data")
    (found,) = place.glob("alagg-*/")
    return found


def sources(suffixes: tuple[str, ...]) -> set[str]:
    """Give the files of the package with these endings."""
    return {str(path.relative_to(ROOT)) for path in (ROOT / "alagg").rglob("*") if path.suffix in suffixes}


def test_source_package_holds_every_source_and_nothing_made_of_them(sdist: Path) -> None:
    found = {str(path.relative_to(sdist)) for path in sdist.rglob("*")}
    assert sources((".py", ".pyx", ".pxd", ".pyi", ".lua", ".cfg", ".typed")) <= found
    assert {"Makefile", "scripts/compile", "tests/test_packaging.py", "docs/protocol.md"} <= found
    assert not [name for name in found if name.startswith("alagg/") and name.endswith((".c", ".so", ".pyc"))]


def test_unit_allows_what_the_node_needs() -> None:
    unit = (ROOT / "alagg/contrib/alagg@.service").read_text()
    allowed = {line.partition("=")[0]: line.partition("=")[2].split() for line in unit.splitlines()}
    families = {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_XDP"}
    assert families <= set(allowed["RestrictAddressFamilies"])
    assert set(allowed["CapabilityBoundingSet"]) == {"CAP_NET_ADMIN", "CAP_NET_RAW"}
    assert "\nSystemCallFilter=@system-service bpf\n" in unit
    assert allowed["LimitMEMLOCK"] == ["infinity"]
    assert (allowed["StartLimitIntervalSec"], allowed["RestartPreventExitStatus"]) == (["0"], ["2"])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
@pytest.mark.parametrize(
    ("name", "most"), [("alagg@.service", 25), ("alagg-web@.service", 10), ("alagg-tunnel@.service", 11)]
)
def test_units_leave_hardly_anything_open(tmp_path: Path, name: str, most: int) -> None:
    unit = tmp_path / name
    shutil.copy(ROOT / "alagg/contrib" / name, unit)
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={most}", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_unit_of_the_web_process_waits_for_what_it_tells_of() -> None:
    unit = (ROOT / "alagg/contrib/alagg-web@.service").read_text()
    assert "\nRestartPreventExitStatus=2\n" in unit
    assert "\nType=notify\n" in unit
    assert "\nCapabilityBoundingSet=\n" in unit


def test_plain_form_installs_where_there_is_no_compiler(sdist: Path, tmp_path: Path) -> None:
    names = zipfile.ZipFile(build(sdist, "build_wheel", tmp_path)).namelist()
    assert sources((".py", ".pyx", ".pxd", ".pyi", ".lua", ".cfg", ".typed")) <= set(names)
    page = ("index.html", "main.js", "page.css", "vendor/uPlot.iife.min.js")
    assert {f"alagg/web/page/{name}" for name in page} <= set(names)
    contrib = ("alagg@.service", "alagg-web@.service", "alagg-tunnel@.service", "alagg-iptables")
    assert {f"alagg/contrib/{name}" for name in contrib} <= set(names)
    assert not [name for name in names if name.endswith((".c", ".so"))]
    assert not [name for name in names if not name.startswith("alagg")]

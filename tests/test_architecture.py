"""Rules about the code itself: what the engine may import, where tests stand, how long things may grow."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent
SOURCES: Final = sorted((ROOT / "alagg").rglob("*.py"))
FOLDERS: Final = ("alagg", "tests", "bench", "scripts")
CODE: Final = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
ENGINE: Final = sorted((ROOT / "alagg" / "engine").rglob("*.py"))

IO: Final = frozenset((
    "asyncio", "concurrent", "io", "logging", "multiprocessing", "os", "pathlib", "select", "selectors", "signal",
    "socket", "ssl", "subprocess", "threading", "time", "datetime", "secrets",
    "iptc", "netfilterqueue", "pyroute2", "scapy",
))  # fmt: skip
"""What the engine must do without: everything that waits, reads a clock, or touches the host."""
DAEMON: Final = ("alagg.node", "alagg.worker")
"""Where the program that runs as root begins."""
TESTED_ELSEWHERE: Final = {
    "alagg/__main__.py": "tests/cli/test_main.py",
    "alagg/alerts/__init__.py": "tests/alerts/test_alerts.py",
    "alagg/cli/__init__.py": "tests/cli/test_main.py",
    "alagg/cli/parser.py": "tests/cli/test_main.py",
    "alagg/metrics/__init__.py": "tests/metrics/test_collector.py",
    "alagg/values.py": "tests/test_config.py",
}
MAX_FUNCTION_LINES: Final = 60
MAX_FILE_LINES: Final = 450


def name_of(path: Path) -> str:
    """Give a file's dotted name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


MODULES: Final = {name_of(path): path for path in SOURCES}


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Walk over everything that runs: imports that only the type checker sees are left out."""
    for child in ast.iter_child_nodes(node):
        if not is_for_types_only(child):
            yield child
            yield from statements(child)


def imports(path: Path) -> set[str]:
    """Give the modules that a file imports when it runs, those of alagg by their full name."""
    found: set[str] = set()
    for node in statements(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & set(MODULES)
            found |= inner or {node.module}
    return found


def reached(start: str) -> dict[str, set[str]]:
    """Give, for a module of alagg and every one that it imports directly or not, what that one imports."""
    seen: dict[str, set[str]] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen and name in MODULES:
            seen[name] = imports(MODULES[name])
            waiting += seen[name]
            # A package is run before what it contains. The outermost one chooses between the compiled and the plain
            # form, which takes a look at the environment; nothing within it may use that.
            waiting += {name.rpartition(".")[0]} - {"alagg"}
    return seen


@pytest.mark.parametrize("path", ENGINE, ids=relative)
def test_engine_does_no_io(path: Path) -> None:
    for module, imported in reached(name_of(path)).items():
        forbidden = {name for name in imported if name.partition(".")[0] in IO}
        assert not forbidden, f"{name_of(path)} reaches {module}, which imports {', '.join(sorted(forbidden))}"


@pytest.mark.parametrize("path", ENGINE, ids=relative)
def test_engine_stays_within_itself(path: Path) -> None:
    for name in imports(path):
        inside = name.startswith("alagg.engine") or name.partition(".")[0] != "alagg"
        assert inside, f"{relative(path)} imports {name}"


@pytest.mark.parametrize("path", ENGINE, ids=relative)
def test_engine_uses_no_randomness_of_its_own(path: Path) -> None:
    """A `random.Random` that is handed in is seeded by whoever made it; the module's functions are not."""
    for node in statements(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            assert not (isinstance(owner, ast.Name) and owner.id == "random"), f"{relative(path)}:{node.lineno}"
        if isinstance(node, ast.ImportFrom):
            assert node.module not in ("random", "uuid"), f"{relative(path)}:{node.lineno}"


@pytest.mark.parametrize("start", DAEMON)
def test_daemon_never_imports_scapy(start: str) -> None:
    for module, imported in reached(start).items():
        assert not {name for name in imported if name.partition(".")[0] == "scapy"}, module


@pytest.mark.parametrize("start", DAEMON)
def test_daemon_needs_neither_lab_nor_command_line(start: str) -> None:
    assert not {name for name in reached(start) if name.startswith(("alagg.lab", "alagg.tools", "alagg.cli"))}


def test_imports_are_really_followed() -> None:
    everything = reached("alagg.node")
    assert "alagg.engine.header" in everything
    assert "struct" in everything["alagg.engine.header"]


def is_only_an_interface(path: Path) -> bool:
    """Tell whether a file defines nothing that could fail: protocols, exceptions, values without methods."""
    functions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]
    return all(isinstance(part, ast.Expr) for function in functions for part in function.body)


@pytest.mark.parametrize("path", [path for path in SOURCES if not is_only_an_interface(path)], ids=relative)
def test_each_source_has_its_test(path: Path) -> None:
    mirror = path.relative_to(ROOT / "alagg").with_name(f"test_{path.name}")
    expected = TESTED_ELSEWHERE.get(relative(path), f"tests/{mirror}")
    assert (ROOT / expected).exists(), f"{relative(path)} has no {expected}"


def test_list_of_exceptions_is_up_to_date() -> None:
    for source in TESTED_ELSEWHERE:
        assert (ROOT / source).exists(), source


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_functions_stay_short(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.stat().st_size], ids=relative)
def test_each_module_opens_with_its_responsibility(path: Path) -> None:
    text = ast.get_docstring(tree(path))
    assert text, "no docstring"
    first = text.split("\n\n")[0]
    assert first.endswith((".", "?", ":")), first


def test_changelog_has_a_place_for_what_comes() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

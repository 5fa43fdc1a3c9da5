"""The choice of form: what the environment asks for decides, and without compiled modules everything still runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from alagg import form

ROOT: Final = Path(form.__file__).parents[1]
ENGINE_IS_COMPILED: Final = any((ROOT / "alagg" / "engine").glob("receiver.*.so"))
EDGES_ARE_COMPILED: Final = any((ROOT / "alagg" / "native").glob("packet.*.so"))

ASK: Final = """
import alagg.engine.receiver, alagg.engine.scheduler, alagg.worker
from alagg import form
from alagg.ports import ethernet, nfqueue
print(form.engine(), form.edges(), nfqueue.Reader.__module__, ethernet.FrameSender.__module__, sep="\\n")
"""


def asked(variable: str | None) -> list[str]:
    """Give what a fresh interpreter says of the engine, of the edges, and where two edges come from."""
    environment = {key: value for key, value in os.environ.items() if key != form.VARIABLE}
    environment |= {"PYTHONPATH": str(ROOT)} | ({} if variable is None else {form.VARIABLE: variable})
    command = [sys.executable, "-c", ASK]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


PLAIN: Final = ["plain", "alagg.ports.netlink", "alagg.ports.packet"]
NATIVE: Final = ["compiled", "alagg.native.nfqueue", "alagg.native.packet"] if EDGES_ARE_COMPILED else PLAIN


@pytest.mark.parametrize(("variable", "engine", "edges"), [
    (None, "compiled" if ENGINE_IS_COMPILED else "plain", NATIVE),
    ("", "compiled" if ENGINE_IS_COMPILED else "plain", NATIVE),
    ("1", "plain", NATIVE),
    ("all", "plain", PLAIN),
])
def test_environment_decides(variable: str | None, engine: str, edges: list[str]) -> None:
    assert asked(variable) == [engine, *edges]


@pytest.mark.parametrize(("variable", "engine", "edges", "line"), [
    ("", "compiled", "compiled", ""),
    ("", "plain", "plain", "engine and edges: plain form, * (no compiler was found at installation)"),
    ("", "compiled", "plain", "edges: plain form, * (no compiler was found at installation)"),
    ("1", "plain", "compiled", "engine: plain form, * (ALAGG_PURE asks for it)"),
])
def test_what_is_not_compiled_is_said_in_a_line(
    variable: str, engine: str, edges: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(form.VARIABLE, variable)
    monkeypatch.setattr(form, "engine", lambda: engine)
    monkeypatch.setattr(form, "edges", lambda: edges)
    assert form.shortfall() == line.replace("*", "several times slower than the compiled one")


def test_plain_engine_is_found_in_the_engine_and_its_loop_only() -> None:
    package = str(ROOT / "alagg" / "engine")
    spec = form.PlainSources().find_spec("alagg.engine.receiver", [package])
    assert spec
    assert spec.origin == f"{package}/receiver.py"
    assert form.PlainSources().find_spec("alagg.engine.nothing", [package]) is None
    spec = form.PlainSources().find_spec("alagg.worker", [str(ROOT / "alagg")])
    assert spec
    assert spec.origin == f"{ROOT}/alagg/worker.py"
    assert form.PlainSources().find_spec("alagg.workers", [str(ROOT / "alagg")]) is None
    spec = form.PlainSources().find_spec("alagg.control.snapshot", [str(ROOT / "alagg" / "control")])
    assert spec
    assert spec.origin == f"{ROOT}/alagg/control/snapshot.py"
    assert form.PlainSources().find_spec("alagg.node", [str(ROOT / "alagg")]) is None
    assert form.PlainSources().find_spec("alagg.engine.receiver", None) is None


def test_environment_is_obeyed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    finders = [finder for finder in sys.meta_path if not isinstance(finder, form.PlainSources)]
    monkeypatch.setattr(sys, "meta_path", list(finders))
    monkeypatch.delenv(form.VARIABLE, raising=False)
    form.obey_environment()
    assert sys.meta_path == finders
    monkeypatch.setenv(form.VARIABLE, "1")
    form.obey_environment()
    form.obey_environment()
    (first, *others) = sys.meta_path
    assert isinstance(first, form.PlainSources)
    assert others == finders

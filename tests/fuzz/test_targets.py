"""Every input that fuzzing has kept stays good, and so does any other: the targets without their fuzzer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import forms
from tests.fuzz import seeds
from tests.fuzz.keep import keep
from tests.fuzz.targets import TARGETS
from tests.native.messages import PAYLOAD, SKB_INFO, attribute, message, packet_hdr

if TYPE_CHECKING:
    from types import SimpleNamespace

pytestmark = pytest.mark.fuzz

ROOT: Final = Path(__file__).parents[2]
NAMES: Final = pytest.mark.parametrize("name", TARGETS)


@NAMES
def test_corpus(name: str) -> None:
    inputs = sorted((seeds.CORPUS / name).iterdir())
    assert inputs
    for path in inputs:
        try:
            TARGETS[name](path.read_bytes())
        except AssertionError as error:
            raise AssertionError(path.name) from error


@NAMES
def test_seeds_are_in_the_corpus(name: str) -> None:
    for seed, data in getattr(seeds, name)():
        assert (seeds.CORPUS / name / seed).read_bytes() == data


@NAMES
def test_any_bytes(name: str) -> None:
    given(st.binary(max_size=400))(TARGETS[name])()


@pytest.fixture
def other_form(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give a form that differs from the plain one in a trifle, in place of the compiled one."""
    other = forms.plain_anew()
    monkeypatch.setattr(forms, "both", lambda: [forms.plain(), other])
    return other


def test_difference_between_forms_is_found(other_form: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_form.recovery, "_TRIAL_FRAMES", 1)
    monkeypatch.setattr(other_form.segment, "_CWR", 0)
    monkeypatch.setattr(other_form.merge, "_SEGMENTS", 2)
    monkeypatch.setattr(other_form.header, "_LAST_TYPE", 1)
    for name in ("header", "node", "cut", "merge"):
        with pytest.raises(AssertionError):
            test_corpus(name)


def test_guided_fuzzing_runs(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    command = [sys.executable, "-m", "tests.fuzz.guided", "netlink", str(tmp_path), "-runs=2000", "-seed=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Done 2000 runs" in done.stderr


def test_what_reaches_more_is_kept(tmp_path: Path) -> None:
    corpus, found = tmp_path / "corpus", tmp_path / "found"
    corpus.mkdir()
    found.mkdir()
    known, new = ((seeds.CORPUS / "netlink" / name).read_bytes() for name in ("nothing", "packet"))
    longer = message(packet_hdr(1), attribute(SKB_INFO, b"\0\0\0\x03"), attribute(PAYLOAD, b"a longer packet"))
    (corpus / "known").write_bytes(known)
    for name, data in (("same", known), ("new", new), ("new-and-longer", longer)):
        (found / name).write_bytes(data)
    assert keep(TARGETS["netlink"], corpus, found) == [corpus / "new"]
    assert (corpus / "new").read_bytes() == new

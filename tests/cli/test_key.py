"""`alagg key`: what is written, what two people compare, and one line for what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg import cli
from alagg.keys import files, identity

if TYPE_CHECKING:
    from pathlib import Path


class Desk:
    """A place to make keys at."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path / "keys"
        self._capsys = capsys

    def key(self, *words: str) -> str:
        """Run `alagg key` and give what it says."""
        assert cli.main(["key", *words]) == 0
        said = self._capsys.readouterr()
        assert not said.err
        return said.out

    def wrong(self, *words: str) -> str:
        """Run what fails, and give its one line."""
        assert cli.main(["key", *words]) in {1, 2}
        said = self._capsys.readouterr()
        assert not said.out
        assert said.err.count("\n") == 1
        return said.err

    def new(self, name: str, *more: str) -> str:
        return self.key("new", "--name", name, "--dir", str(self.path), *more)


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def test_new(desk: Desk) -> None:
    said = desk.new("robot")
    certificate = files.read_certificates(desk.path / "robot.crt")[0]
    assert certificate.public_key() == files.read_key(desk.path / "robot.key").public_key()
    assert (desk.path / "robot.key").stat().st_mode & 0o777 == 0o600
    assert desk.path.stat().st_mode & 0o777 == 0o700
    for line in (
        f"keep:      {desk.path}/robot.key", f"hand over: {desk.path}/robot.crt", "name:      robot",
        "signed by: itself", f"read out:  {identity.short_form(certificate)}",
        f"SHA-256:   {identity.fingerprint(certificate)}",
    ):  # fmt: skip
        assert line in said.splitlines()


def test_show_gives_the_same_of_the_key_and_of_the_certificate(desk: Desk) -> None:
    made = desk.new("robot").splitlines()[2:]
    for file in ("robot.crt", "robot.key"):
        assert desk.key("show", str(desk.path / file)).splitlines() == made


def test_authority(desk: Desk) -> None:
    desk.key("authority", "--name", "office-ca", "--dir", str(desk.path))
    said = desk.new("robot", "--authority", str(desk.path / "office-ca"), "--days", "30")
    assert "signed by: CN=office-ca" in said
    chain = files.read_certificates(desk.path / "robot.crt")
    assert chain[1:] == files.read_certificates(desk.path / "office-ca.crt")
    assert (chain[0].not_valid_after_utc - chain[0].not_valid_before_utc).days == 31
    for count, name in enumerate(("one", "two"), 1):
        desk.new(name, "--authority", str(desk.path / "office-ca"))
        said = desk.key("revoke", str(desk.path / f"{name}.crt"), "--authority", str(desk.path / "office-ca"))
        assert said.splitlines()[1] == f"revoked:   {count} in all, now with {name}"
    assert len(files.read_revoked(desk.path / "office-ca.crl")) == 2


def test_no_key_is_shown(desk: Desk) -> None:
    said = desk.new("robot") + desk.key("show", str(desk.path / "robot.key"))
    secret = (desk.path / "robot.key").read_text().splitlines()[1]
    assert secret not in said


def test_what_is_wrong(desk: Desk, tmp_path: Path) -> None:
    desk.new("robot")
    desk.new("other")
    here, robot = str(desk.path), str(desk.path / "robot.crt")
    assert "robot.crt: is there already" in desk.wrong("new", "--name", "robot", "--dir", here)
    assert "--name a b: allowed: 1 to 64 letters" in desk.wrong("new", "--name", "a b", "--dir", here)
    assert "--days: 0: allowed: 1 to 36500" in desk.wrong("new", "--name", "a", "--dir", here, "--days", "0")
    assert "are required: ACTION" in desk.wrong()
    assert "cannot be read: No such file" in desk.wrong("show", str(tmp_path / "none.crt"))
    assert "others can read it" in desk.wrong("new", "--name", "a", "--dir", here, "--authority", _open(desk))
    assert "is not an authority's" in desk.wrong("revoke", robot, "--authority", str(desk.path / "other"))
    (desk.path / "other.crt").unlink()
    assert "has no certificate beside it" in desk.wrong("show", str(desk.path / "other.key"))
    (desk.path / "other.crt").write_bytes((desk.path / "robot.crt").read_bytes())
    assert "is another key's" in desk.wrong("show", str(desk.path / "other.key"))
    desk.key("authority", "--name", "ca", "--dir", here)
    assert "was not signed by" in desk.wrong("revoke", robot, "--authority", str(desk.path / "ca"))


def _open(desk: Desk) -> str:
    """Make an authority whose key others can read."""
    desk.key("authority", "--name", "open", "--dir", str(desk.path))
    (desk.path / "open.key").chmod(0o644)
    return str(desk.path / "open")


def test_a_key_is_not_left_without_its_certificate(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_certificate", full)
    assert "No space left" in desk.wrong("new", "--name", "robot", "--dir", str(desk.path))
    assert not list(desk.path.iterdir())

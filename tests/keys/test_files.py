"""The files of keys: who can read them, what is refused, and that nothing of them is quoted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from alagg.keys import files, identity
from alagg.keys.files import KeyFileError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "robot.key"
    files.write_key(path, identity.new_key())
    return path


def test_a_key_is_its_owners_alone_and_comes_back(key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    assert files.read_key(key).public_key() == files.read_key(key).public_key()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o777])
def test_a_key_that_others_can_read_is_refused(key: Path, mode: int) -> None:
    key.chmod(mode)
    with pytest.raises(KeyFileError, match=f"{key}: others can read it; allowed: .* chmod 600 {key}"):
        files.read_key(key)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives a file away")
def test_a_key_of_another_user_is_refused(key: Path) -> None:
    os.chown(key, 12345, -1)
    with pytest.raises(KeyFileError, match="another user's"):
        files.read_key(key)


def test_nothing_is_overwritten(key: Path, tmp_path: Path) -> None:
    before = key.read_bytes()
    with pytest.raises(KeyFileError, match="is there already"):
        files.write_key(key, identity.new_key())
    link = tmp_path / "link.key"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="is there already"):
        files.write_key(link, identity.new_key())
    assert key.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"TOP-SECRET", b"-----BEGIN PRIVATE KEY-----\nTOP-SECRET\n", bytes(99)])
def test_what_is_no_key_is_refused_and_never_quoted(key: Path, content: bytes) -> None:
    key.write_bytes(content)
    for read in (files.read_key, files.read_certificates, files.read_revoked):
        with pytest.raises(KeyFileError, match=f"{key}: is not understood; allowed: ") as refused:
            read(key)
        assert "SECRET" not in str(refused.value)


def test_what_is_not_there(tmp_path: Path) -> None:
    for read in (files.read_key, files.read_certificates, files.read_revoked):
        with pytest.raises(KeyFileError, match="cannot be read: No such file"):
            read(tmp_path / "none")


def test_credentials_of_systemd(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.place(str(key)) == key
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(KeyFileError, match=r"credential:robot\.key: there are no credentials"):
        files.place("credential:robot.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(key.parent))
    key.chmod(0o440)  # systemd lets the unit's user read it by an ACL, which shows as the group's
    assert files.place("credential:robot.key") == key
    files.read_key(files.place("credential:robot.key"))
    assert files.place("credential:../../etc/shadow").parent == key.parent


def test_an_authority_is_found_by_its_stem(tmp_path: Path) -> None:
    made = identity.authority("office.ca", identity.new_key(), identity.now())
    files.write_key(tmp_path / "office.ca.key", made.key)  # type: ignore[arg-type]
    files.write_certificate(tmp_path / "office.ca.crt", made.certificate)
    for name in ("office.ca", "office.ca.key", "office.ca.crt"):
        assert files.read_authority(tmp_path / name).certificate == made.certificate
    other = identity.host("robot", identity.new_key(), made, identity.now())
    (tmp_path / "office.ca.crt").unlink()
    files.write_certificate(tmp_path / "office.ca.crt", other)
    with pytest.raises(KeyFileError, match="the key is not the certificate's"):
        files.read_authority(tmp_path / "office.ca")


def test_a_list_of_revoked_certificates_is_replaced_in_one_step(tmp_path: Path) -> None:
    authority = identity.authority("ca", identity.new_key(), identity.now())
    path = tmp_path / "ca.crl"
    for count in (1, 2):
        files.write_revoked(path, identity.revoke(authority, range(1, count + 1), identity.now()))
        assert [one.serial_number for one in files.read_revoked(path)] == list(range(1, count + 1))
    assert [one.name for one in tmp_path.iterdir()] == ["ca.crl"]

"""Sharing: lets a group use a file of ours, also where this process may not give files away."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_ATTRIBUTE: Final = "system.posix_acl_access"
_VERSION: Final = struct.pack("<I", 2)
_ENTRY: Final = struct.Struct("<HHI")
"""Whom it is for, what is allowed (as three bits of a mode), and an id; in the order of the first (acl(5))."""
_OWNER, _OWNERS_GROUP, _GROUP, _MASK, _OTHERS = 0x01, 0x04, 0x08, 0x10, 0x20
_NOBODY: Final = 0xFFFFFFFF


def share(path: Path, group: int, mode: int) -> None:
    """Let a group use a file: give it the file, or, without the right to (CAP_CHOWN), an entry in its access list.

    Args:
        path: the file, which is ours.
        group: the group's number.
        mode: what all may do from now on; its second digit is the group's.

    Raises:
        OSError: neither is possible.
    """
    try:
        os.chown(path, -1, group)
    except PermissionError:
        os.setxattr(path, _ATTRIBUTE, access_list(group, mode))
    else:
        path.chmod(mode)


def shared(path: Path, group: int) -> bool:
    """Say whether a group has a file, or an entry in its access list.

    Raises:
        OSError: there is no such file.
    """
    if path.stat().st_gid == group:
        return True
    try:
        listed = os.getxattr(path, _ATTRIBUTE)
    except OSError:  # it has none
        return False
    return any((kind, number) == (_GROUP, group) for kind, _, number in _ENTRY.iter_unpack(listed[len(_VERSION) :]))


def access_list(group: int, mode: int) -> bytes:
    """Give an access list as the kernel takes it: what `mode` says of the group is for this one."""
    owner, theirs, others = mode >> 6 & 7, mode >> 3 & 7, mode & 7
    entries = [
        (_OWNER, owner, _NOBODY), (_OWNERS_GROUP, 0, _NOBODY), (_GROUP, theirs, group), (_MASK, theirs, _NOBODY),
        (_OTHERS, others, _NOBODY),
    ]  # fmt: skip
    return _VERSION + b"".join(_ENTRY.pack(*entry) for entry in entries)

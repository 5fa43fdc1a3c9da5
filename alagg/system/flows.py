"""The programs by which rules share flows out among workers: classic BPF for the match `bpf` of iptables.

NFQUEUE's own `--queue-balance` hashes addresses and protocol only: all flows between two hosts would share a queue.
These programs hash the ports of TCP and UDP as well. A packet whose ports cannot be found (another protocol, a
fragment, IPv6 with extension headers) goes by its addresses, so it always goes where the others of its kind go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from alagg.system.rules import Family

# linux/filter.h and linux/bpf_common.h; a jump's two distances count the instructions that are passed over.
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE, _LOAD_WORD_AT_X, _LOAD_NUMBER = 0x20, 0x28, 0x30, 0x40, 0x00
_X_HEADER_LENGTH, _X_FROM_A = 0xB1, 0x07
_JUMP, _JUMP_EQUAL, _JUMP_BITS, _RETURN = 0x05, 0x15, 0x45, 0x06
_MULTIPLY, _MODULO, _SHIFT_RIGHT, _XOR_X = 0x24, 0x94, 0x74, 0xAC

_Step = tuple[int, int, int, int]
_TCP, _UDP = 6, 17

_PORTS: Final[dict[int, tuple[_Step, ...]]] = {
    4: (
        (_LOAD_BYTE, 0, 0, 9),
        (_JUMP_EQUAL, 1, 0, _TCP),
        (_JUMP_EQUAL, 0, 5, _UDP),
        (_LOAD_HALF, 0, 0, 6),
        (_JUMP_BITS, 3, 0, 0x3FFF),  # a fragment
        (_X_HEADER_LENGTH, 0, 0, 0),
        (_LOAD_WORD_AT_X, 0, 0, 0),
        (_JUMP, 0, 0, 1),
        (_LOAD_NUMBER, 0, 0, 0),
    ),
    6: (
        (_LOAD_BYTE, 0, 0, 6),
        (_JUMP_EQUAL, 1, 0, _TCP),
        (_JUMP_EQUAL, 0, 2, _UDP),
        (_LOAD_WORD, 0, 0, 40),
        (_JUMP, 0, 0, 1),
        (_LOAD_NUMBER, 0, 0, 0),
    ),
}
_ADDRESSES: Final = {4: (12, 16), 6: (8, 12, 16, 20, 24, 28, 32, 36)}
"""Where the words of source and destination stand."""


def bytecode(family: Family, worker: int, workers: int) -> str:
    """Give the program that keeps one worker's share of the flows, as iptables' `--bytecode` takes it.

    Args:
        family: 4 or 6.
        worker: the worker's number, from 0.
        workers: how many share the flows, 2 to 16.
    """
    steps = list(_PORTS[family])
    for word in _ADDRESSES[family]:
        steps += [(_X_FROM_A, 0, 0, 0), (_LOAD_WORD, 0, 0, word), (_XOR_X, 0, 0, 0)]
    # MurmurHash3's last mixing: ports of one host's flows often differ in few bits, and evenly.
    steps += [*_fold(16), (_MULTIPLY, 0, 0, 0x85EBCA6B), *_fold(13), (_MULTIPLY, 0, 0, 0xC2B2AE35), *_fold(16)]
    steps += [(_MODULO, 0, 0, workers), (_JUMP_EQUAL, 0, 1, worker), (_RETURN, 0, 0, 65535), (_RETURN, 0, 0, 0)]
    return ",".join((str(len(steps)), *(" ".join(map(str, step)) for step in steps)))


def _fold(bits: int) -> tuple[_Step, ...]:
    return (_X_FROM_A, 0, 0, 0), (_SHIFT_RIGHT, 0, 0, bits), (_XOR_X, 0, 0, 0)

"""Each kind of filter is found where it is and nowhere else, when it comes and when it goes."""

from __future__ import annotations

import errno
import select
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from alagg.system import filters, netlink
from alagg.system.filters import Filters
from tests.system.attach import EGRESS, INGRESS, bpf_program, nftables_chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Hosts

pytestmark = pytest.mark.netns


@pytest.fixture
def found(hosts: Hosts) -> Iterator[Filters]:
    made = Filters()
    assert not look(made), "there is nothing yet"
    yield made
    made.close()
    made.close()


def interfaces() -> list[netlink.Interface]:
    return sorted((one for one in netlink.interfaces() if one.name != "lo"), key=lambda one: one.name)


def look(found: Filters) -> bool:
    return found.look(interfaces())


def reasons(found: Filters) -> list[str]:
    """Give what is said of eth0 and of eth1."""
    return [found.on(one) for one in interfaces()]


@contextmanager
def where_the_kernel_can() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM):
            raise
        pytest.skip(f"the kernel has no such filter: {error.strerror}")


@pytest.mark.parametrize("kind", ["clsact", "ingress"])
def test_place_for_filters_of_tc_is_seen(hosts: Hosts, found: Filters, kind: str) -> None:
    """It shows as no queueing discipline: the interface's root stays `noqueue`."""
    hosts.a.tc(f"qdisc add dev eth1 {kind}")
    assert [one.qdisc for one in interfaces()] == ["noqueue"] * 2
    assert look(found)
    assert reasons(found) == ["", f"filters of tc ({kind})"]
    assert not look(found), "nothing has changed since"
    hosts.a.tc(f"qdisc del dev eth1 {kind}")
    assert look(found)
    assert reasons(found) == ["", ""]


def test_other_queueing_disciplines_are_none_of_its_business(hosts: Hosts, found: Filters) -> None:
    hosts.a.tc("qdisc add dev eth1 root pfifo limit 7")
    assert not look(found)


@pytest.mark.parametrize("attach_type", [INGRESS, EGRESS])
def test_bpf_programs_are_seen(found: Filters, attach_type: int) -> None:
    with where_the_kernel_can(), bpf_program(interfaces()[0].index, attach_type):
        assert look(found)
        assert reasons(found) == ["a BPF program (tcx)", ""]
    assert look(found)
    assert reasons(found) == ["", ""]


def test_machine_whose_bpf_we_do_not_know_has_none(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "z80")
    with closing(Filters()) as found:
        assert not look(found)


RESTRICTED: Final = """
import ctypes, struct
from alagg.system import filters, netlink
number = filters._usable_bpf()
steps = (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, ANSWER), (0x06, 0, 0, 0x7FFF0000)
program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0
assert ctypes.CDLL(None).prctl(22, 2, struct.pack("HP", 4, ctypes.addressof(program)), 0, 0) == 0
found = filters.Filters()
found.look(netlink.interfaces())
print(found._bpf == number, found._bpf)
"""


@pytest.mark.parametrize(("answer", "expected"), [("0x80000000", "False None"), ("0x7FFF0000", "True ")])
def test_filter_of_system_calls_ends_nobody(hosts: Hosts, answer: str, expected: str) -> None:
    """As of a unit of systemd that does not name bpf(2): its answer is to kill the process."""
    done = hosts.a.run([sys.executable, "-c", RESTRICTED.replace("ANSWER", answer)])
    assert done.stdout.startswith(expected)


@pytest.mark.parametrize("hook", [0, 1])
@pytest.mark.parametrize("several", [False, True])
def test_chains_of_nftables_are_seen(found: Filters, hook: int, several: bool) -> None:  # noqa: FBT001
    with where_the_kernel_can(), nftables_chain("eth1", hook, several=several):
        assert look(found)
        assert reasons(found) == ["", "nftables (chain net out)"]
    assert look(found)
    assert reasons(found) == ["", ""]


@pytest.mark.parametrize(("wanted", "matches"), [
    (b"eth1\0", True), (b"eth\0", False), (b"eth", True), (b"", True), (b"eth11\0", False), (b"eth11", False),
])
def test_chain_may_name_the_beginning_of_a_name(wanted: bytes, matches: bool) -> None:  # noqa: FBT001
    assert filters._matches(wanted, "eth1") == matches


def test_kernel_that_refuses_is_asked_later(found: Filters, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def refuse(*_: object) -> Iterator[bytes]:
        nonlocal asked
        asked += 1
        raise OSError(errno.EINVAL, "no nftables")

    monkeypatch.setattr(filters, "_dump", refuse)
    assert found._nftables() == []
    assert found._nftables() == []
    assert asked == 1
    monkeypatch.setattr("time.monotonic", lambda: found._nftables_from)
    assert found._nftables() == []
    assert asked == 2


def test_answer_that_broke_off_changes_nothing(hosts: Hosts, found: Filters, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts.a.tc("qdisc add dev eth1 clsact")
    assert look(found)
    with monkeypatch.context() as patch:
        patch.setattr(filters, "_attributes", lambda _: (_ for _ in ()).throw(OSError(errno.ENOBUFS, "lost")))
        assert not look(found)
        # What was not read of that answer does not disturb the next one.
    assert not look(found)
    assert reasons(found) == ["", "filters of tc (clsact)"]


def test_asks_for_another_look_at_regular_times(found: Filters) -> None:
    assert select.select([found], (), (), 10)[0]
    look(found)
    assert not select.select([found], (), (), 0)[0]

"""The kernel's packet filter tables, through python-iptables: rules replaced in one step, and read.

All work happens in a short-lived child process, one for each address family, for three reasons: libxtables ends
its process when an extension such as TCPMSS is wanted for both families, or when it meets a rule that it cannot
read; 20 MB of libraries do not stay in the node; and both families are worked on at the same time.
"""

from __future__ import annotations

import ctypes.util
import fcntl
import multiprocessing
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from alagg.system import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from alagg.system.rules import Family, Rule

_Result = TypeVar("_Result")

_LOCK: Final = Path(os.environ.get("XTABLES_LOCKFILE", "/run/xtables.lock"))
"""What iptables(8) locks while it changes a table; python-iptables does not."""
_LOCK_PATIENCE: Final = 10.0
"""Seconds to wait for another program to finish with the tables."""
_COMMITS: Final = 5
"""How often a change is tried when another program that knows no lock changes the table at the same moment."""


class Seen(NamedTuple):
    """One rule in the kernel, as far as it matters here."""

    family: Family
    table: str
    chain: str
    destination: str
    """With its prefix length; empty for all."""
    out_interface: str
    protocol: str
    """`tcp`, another protocol's name or number, or empty for all."""
    mark: int
    """The mark that the rule leaves alone; 0 for none."""
    target: str
    queue: int
    """The NFQUEUE that it leads to; -1 for another target."""
    bytecode: str = ""
    """The program that picks its packets; empty for none."""


def replace(delete: Sequence[Rule], insert: Sequence[Rule]) -> None:
    """Delete rules, as often as they are there, and insert others first in their chains, table by table.

    Raises:
        HostError: the kernel or its libraries refuse; the table in question is unchanged.
    """
    families = _families([*delete, *insert])
    _each(families, _replace, [(_of(family, delete), _of(family, insert)) for family in families])


def read(rules: Sequence[Rule]) -> list[Seen]:
    """Give every rule of the chains that the given rules belong to; those that cannot be parsed are left out.

    Raises:
        HostError: the kernel or its libraries refuse.
    """
    families = _families(rules)
    batches = _each(families, _read, [(_of(family, rules),) for family in families])
    return [seen for batch in batches for seen in batch]


def nftables_queues() -> bool:
    """Say whether a rule of nftables, which live beside these tables, hands packets to an NFQUEUE."""
    from pyroute2.nftables.main import NFTables  # noqa: PLC0415 - see alagg.system.netlink

    tables = NFTables(nfgen_family=0)
    try:
        return any("NFQUEUE" in str(rule) or "'queue'" in str(rule) for rule in tables.get_rules())
    finally:
        tables.close()


def _families(rules: Sequence[Rule]) -> list[Family]:
    return sorted({rule.family for rule in rules})


def _of(family: Family, rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if rule.family == family]


# --- the child ----------------------------------------------------------------------------------------------------


def _each(families: list[Family], work: Callable[..., _Result], arguments: list[tuple[Any, ...]]) -> list[_Result]:
    """Work on all families at the same time, each in a child of its own; give the results or the first mistake."""
    children = [_Child(family, work, one) for family, one in zip(families, arguments, strict=True)]
    outcomes = [child.outcome() for child in children]
    for outcome in outcomes:
        if isinstance(outcome, HostError):
            raise outcome
    return [outcome for outcome in outcomes if not isinstance(outcome, HostError)]


class _Child:
    """A forked process that does one piece of work and hands its result over a pipe."""

    def __init__(self, family: Family, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("fork")
        self._family = family
        self._results, results = context.Pipe(duplex=False)
        self._process = context.Process(target=_serve, args=(results, work, family, arguments), daemon=True)
        self._process.start()
        results.close()

    def outcome(self) -> Any:
        """Wait for the end and give the result, or the `HostError` that came instead."""
        try:
            return self._results.recv()
        except EOFError:
            return HostError(f"IPv{self._family} rules: libxtables gave up; its reason stands above")
        finally:
            self._results.close()
            self._process.join()
            self._process.close()


def _serve(results: Any, work: Callable[..., Any], family: Family, arguments: tuple[Any, ...]) -> None:
    try:
        results.send(work(family, *arguments))
    except HostError as error:
        results.send(error)
    except Exception as error:  # noqa: BLE001 - libraries in C may raise anything; the user gets one line of it
        results.send(HostError(f"IPv{family} rules: {type(error).__name__}: {error}"))


def _library() -> Any:
    if "iptc" not in sys.modules:
        _spare_compilers()
    try:
        import iptc  # noqa: PLC0415 - only in the child
    except ModuleNotFoundError as error:
        if error.name != "iptc":
            raise HostError(f"python-iptables cannot be imported: {error}") from None
        raise HostError("python-iptables is not installed; its installation needs a C compiler") from None
    except Exception as error:  # noqa: BLE001 - it raises several kinds, plain Exception among them
        raise HostError(f"python-iptables does not find its libraries; install iptables ({error})") from None
    return iptc


def _spare_compilers() -> None:
    """Let ctypes find libraries in the linker's cache only, and make iptc do without the old distutils.

    iptc looks for its libraries under a dozen names. For each that is not in the cache ctypes runs a C compiler and
    a linker, whichever are first in PATH, with our rights; all in all, that takes a third of a second.
    """
    try:
        cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return

    def find_library(name: str) -> str | None:
        found = re.search(rf"\s(lib{re.escape(name)}\.so\S*)", cache)
        return found and found[1]

    ctypes.util.find_library = find_library
    sys.modules["distutils"] = None  # type: ignore[assignment]


def _table(family: Family, name: str) -> Any:
    """Read a table of the kernel afresh."""
    iptc = _library()
    try:
        table = (iptc.Table6 if family == 6 else iptc.Table)(name, autocommit=False)
        table.refresh()
    except iptc.IPTCError as error:
        raise HostError(_unavailable(family, name, str(error))) from None
    return table


def _unavailable(family: Family, name: str, error: str) -> str:
    if "ermission" in error:
        return f"the {name} table of IPv{family} cannot be read: permission denied (CAP_NET_ADMIN and CAP_NET_RAW)"
    module = {4: "iptable_", 6: "ip6table_"}[family] + name
    return (
        f"this kernel has no legacy {name} table for IPv{family}: load the module {module}, or set capture = "
        "device, which needs none (with manage_host = yes)"
    )


# --- changing -----------------------------------------------------------------------------------------------------


def _replace(family: Family, delete: Sequence[Rule], insert: Sequence[Rule]) -> None:
    _library()  # it takes time to load, in which nobody has to wait for the lock
    with _locked():
        for name in sorted({rule.table for rule in (*delete, *insert)}):
            _replace_in(
                family, name, [rule for rule in delete if rule.table == name],
                [rule for rule in insert if rule.table == name],
            )


def _replace_in(family: Family, name: str, delete: Sequence[Rule], insert: Sequence[Rule]) -> None:
    iptc = _library()
    for left in reversed(range(_COMMITS)):
        table = _table(family, name)
        for rule in delete:
            _delete(table, rule)
        for rule in reversed(insert):
            iptc.Chain(table, rule.chain).insert_rule(_build(family, rule))
        try:
            table.commit()
        except iptc.IPTCError as error:
            if not left or "unavailable" not in str(error):
                raise
        else:
            return


def _delete(table: Any, rule: Rule) -> None:
    iptc = _library()
    chain = iptc.Chain(table, rule.chain)
    # libiptc compares the whole rule, its comment included: a rule of anyone else never looks the same.
    while True:
        try:
            chain.delete_rule(_build(rule.family, rule))
        except iptc.IPTCError:
            return


def _build(family: Family, rule: Rule) -> Any:
    iptc = _library()
    built = (iptc.Rule6 if family == 6 else iptc.Rule)()
    if rule.destination:
        built.dst = rule.destination
    if rule.out_interface:
        built.out_interface = rule.out_interface
        if family == 6:
            # python-iptables masks all but the lowest bit of each character: `lo` would stand for `tun0` as well.
            length = len(rule.out_interface.lstrip("!")) + 1
            built.entry.ipv6.outiface_mask = b"\xff" * length + bytes(16 - length)
    if rule.protocol:
        built.protocol = rule.protocol
    _match(built, rule)
    _target(built, rule)
    return built


def _match(built: Any, rule: Rule) -> None:
    if rule.icmp_type:
        built.create_match("icmp").set_parameter("icmp-type", rule.icmp_type)
    elif rule.queue < 0:
        built.create_match("tcp").set_parameter("tcp-flags", ["SYN,RST", "SYN"])
    if rule.mark:
        built.create_match("mark").set_parameter("mark", ["!", hex(rule.mark)])
    if rule.bytecode:
        built.create_match("bpf").set_parameter("bytecode", rule.bytecode)
    built.create_match("comment").set_parameter("comment", rule.comment)


def _target(built: Any, rule: Rule) -> None:
    if rule.icmp_type:
        built.create_target("DROP")
    elif rule.queue < 0:
        built.create_target("TCPMSS").set_parameter("clamp-mss-to-pmtu", "")
    else:
        target = built.create_target("NFQUEUE")
        target.set_parameter("queue-num", str(rule.queue))
        target.set_parameter("queue-bypass", "")


@contextmanager
def _locked() -> Iterator[None]:
    """Hold the lock of iptables(8)."""
    try:
        descriptor = os.open(_LOCK, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostError(f"{_LOCK}: cannot be opened: {error.strerror}") from None
    try:
        _wait_for(descriptor)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int) -> None:
    deadline = time.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise HostError(f"another program has held {_LOCK} for {_LOCK_PATIENCE:g} s") from None
            time.sleep(0.02)
        else:
            return


# --- reading ------------------------------------------------------------------------------------------------------


def _read(family: Family, rules: Sequence[Rule]) -> list[Seen]:
    return [
        seen
        for table, chain in sorted({(rule.table, rule.chain) for rule in rules})
        for seen in _read_chain(family, table, chain)
    ]


def _read_chain(family: Family, name: str, chain: str) -> Iterator[Seen]:
    table = _table(family, name)
    whole = _library().Chain(table, chain)
    entry = table.first_rule(chain)
    while entry:
        # A rule with an extension that libxtables does not know is none of ours.
        with suppress(Exception):
            yield _see(family, name, chain, table.create_rule(entry, whole))
        entry = table.next_rule(entry)


def _see(family: Family, table: str, chain: str, rule: Any) -> Seen:
    mark = queue = bytecode = ""
    for match in rule.matches:
        if match.name == "mark":
            words = match.get_all_parameters().get("mark", [])
            mark = words[1].partition("/")[0] if words[:1] == ["!"] else ""
        elif match.name == "bpf":
            bytecode = match.get_all_parameters()["bytecode"][0]
    if rule.target.name == "NFQUEUE":
        queue = rule.target.get_all_parameters()["queue-num"][0]
    return Seen(
        family=family,
        table=table,
        chain=chain,
        destination="" if rule.dst.startswith(("0.0.0.0/0", "::/0")) else rule.dst,
        out_interface=rule.out_interface or "",
        protocol="" if rule.protocol in ("ip", "all", "0") else rule.protocol,
        mark=int(mark, 0) if mark else 0,
        target=rule.target.name,
        queue=int(queue) if queue else -1,
        bytecode=bytecode,
    )

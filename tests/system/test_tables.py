from __future__ import annotations

import ctypes.util
import fcntl
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from alagg.lab.namespace import environment
from alagg.system import HostError, rules, tables
from alagg.system.rules import Rule

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Hosts

RULE = Rule(4, "filter", "OUTPUT", comment="alagg:test", destination="10.1.2.3/32", mark=1, queue=3)


def lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(tables, "_LOCK", path)
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def test_finds_the_libraries_without_running_a_compiler(tmp_path: Path) -> None:
    for name in ("gcc", "cc", "ld", "objdump"):
        (tmp_path / name).write_text(f"#!/bin/sh\n: >{tmp_path}/was-run\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    code = "from alagg.system.tables import _library; print(_library().Table.FILTER)"
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment() | {"PATH": str(tmp_path)}, capture_output=True, text=True,
        check=True,
    )
    assert ended.stdout == "filter\n"
    assert not (tmp_path / "was-run").exists()


def test_without_the_linkers_cache_the_search_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError

    search = ctypes.util.find_library
    monkeypatch.setattr(subprocess, "run", refuse)
    tables._spare_compilers()
    assert ctypes.util.find_library is search


@pytest.mark.netns
def test_gives_up_when_another_program_keeps_the_lock(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    descriptor = lock(tmp_path / "lock", monkeypatch)
    monkeypatch.setattr(tables, "_LOCK_PATIENCE", 0.1)
    with pytest.raises(HostError, match="has held"):
        tables.replace(delete=(), insert=[RULE])
    os.close(descriptor)
    tables.replace(delete=(), insert=[RULE])
    assert len(tables.read([RULE])) == 1


@pytest.mark.netns
def test_tries_again_when_another_program_ignores_the_lock(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = tables._table, tmp_path / "calls"
    another = ["env", f"XTABLES_LOCKFILE={tmp_path}/lock", "iptables-legacy", "-A", "OUTPUT", "-j", "ACCEPT"]

    def table(family: rules.Family, name: str) -> object:
        found = real(family, name)
        with calls.open("a") as file:
            file.write("x")
        if calls.stat().st_size == 1:
            hosts.a.run(another)
        return found

    monkeypatch.setattr(tables, "_table", table)
    tables.replace(delete=(), insert=[RULE])
    assert calls.read_text() == "xx"
    monkeypatch.undo()
    assert [seen.target for seen in tables.read([RULE])] == ["NFQUEUE", "ACCEPT"]


@pytest.mark.netns
def test_says_what_to_do_when_the_kernel_has_no_such_table(hosts: Hosts) -> None:
    line = "no legacy none table for IPv6: load the module ip6table_none, or set capture = device"
    with pytest.raises(HostError, match=line):
        tables.replace(delete=(), insert=[replace(RULE, family=6, table="none", destination="fd99::/64")])


@pytest.mark.netns
def test_a_library_that_ends_its_process_ends_no_node(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_table", lambda family, name: os._exit(1))
    with pytest.raises(HostError, match="libxtables gave up"):
        tables.read([RULE])


@pytest.mark.netns
def test_reads_past_rules_that_it_does_not_understand(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts.a.run(["iptables-legacy", "-A", "OUTPUT", "-p", "tcp", "-j", "ACCEPT"])
    tables.replace(delete=(), insert=[RULE])
    see = tables._see

    def stumble(family: rules.Family, table: str, chain: str, rule: object) -> tables.Seen:
        seen = see(family, table, chain, rule)
        if seen.queue < 0:
            raise ValueError
        return seen

    monkeypatch.setattr(tables, "_see", stumble)
    [seen] = tables.read([RULE])
    assert (seen.family, seen.table, seen.chain, seen.out_interface) == (4, "filter", "OUTPUT", "")
    assert (seen.destination, seen.mark, seen.target, seen.queue) == ("10.1.2.3/255.255.255.255", 1, "NFQUEUE", 3)


@pytest.mark.netns
def test_deletes_a_rule_as_often_as_it_is_there(hosts: Hosts) -> None:
    for _ in range(3):
        tables.replace(delete=(), insert=[RULE])
    tables.replace(delete=[RULE], insert=())
    assert tables.read([RULE]) == []


@pytest.mark.netns
def test_sees_queues_of_nftables(hosts: Hosts) -> None:
    assert not tables.nftables_queues()
    hosts.a.run(["iptables-nft", "-A", "OUTPUT", "-j", "NFQUEUE"])
    assert tables.nftables_queues()

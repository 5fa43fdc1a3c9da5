"""Who else takes frames of our links: nodes are known by their files, other programs by their sockets."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from alagg.lab.namespace import environment
from alagg.system import others

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alagg.config import Config

    from .conftest import Hosts

    MakeConfig = Callable[..., Config]

pytestmark = pytest.mark.netns

LISTEN = """
import socket, time
sockets = [socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) for _ in range(2)]
for one in sockets:
    one.bind(("eth0", 0x88b5))
print("listens", flush=True)
time.sleep(60)
"""


@contextmanager
def listening(*words: str) -> Iterator[int]:
    command = [sys.executable, "-c", LISTEN, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def test_nobody_else(hosts: Hosts, make_config: MakeConfig) -> None:
    assert others.claims(make_config()) == []


def test_a_program_that_is_no_node(hosts: Hosts, make_config: MakeConfig) -> None:
    with listening() as pid:
        assert others.claims(make_config()) == [others.Claim("zero", "eth0", pid, None)]
        assert others.claims(make_config(ethertype="0x88b6")) == []


def test_a_node_counts_where_its_links_are_the_same(hosts: Hosts, make_config: MakeConfig) -> None:
    config, second = make_config("first"), make_config("second")
    elsewhere = make_config("elsewhere").path
    elsewhere.write_text(elsewhere.read_text().replace("02:00:00:00:0b", "02:00:00:00:0c"))
    with listening("--config", str(second.path)) as pid:
        assert others.claims(config) == [others.Claim("zero", "eth0", pid, second.path)]
    with listening(f"--config={elsewhere}"):
        assert others.claims(config) == []
    with listening("--config", str(config.path)):
        assert others.claims(config) == [], "it is the node of this very file"

"""What a supervisor finds around it, faked: the host, what is told of its interfaces, systemd."""

from __future__ import annotations

from functools import partialmethod
from typing import TYPE_CHECKING, Final

from alagg.system.upkeep import Upkeep
from tests.engine.helpers import networks

if TYPE_CHECKING:
    import ipaddress
    from collections.abc import Callable

    from alagg.config import Config
    from alagg.system.netlink import Interface
    from tests.test_node import Stage

LOCAL: Final = "10.0.0.1"


class FakeHost:
    def __init__(self, stage: Stage, config: Config) -> None:
        assert config.control_socket.exists()
        self.device = None
        self.upkeep = Upkeep()
        self.without_rules = ""
        self._stage = stage
        stage.log.append("host made")

    def _do(self, verb: str) -> None:
        self._stage.log.append(f"host {verb}")
        if verb in self._stage.refusal:
            raise self._stage.refusal[verb]

    open = partialmethod(_do, "opened")
    set_up = partialmethod(_do, "set up")
    update = partialmethod(_do, "update")
    check = partialmethod(_do, "check")

    def reload(self, config: Config, between: Callable[[], None]) -> None:
        if "reload" not in self._stage.refusal:
            between()
        self._do("reload")

    def let_go(self, peers: frozenset[str]) -> list[str]:
        if peers:
            self._stage.log.append(f"host let go of {', '.join(sorted(peers))}")
        return sorted(peers)

    def withdraw(self) -> list[str]:
        self._do(f"withdrawn while the worker {self._stage.worker()}")
        return []

    def close(self) -> None:
        self._do(f"closed while the worker {self._stage.worker()}")


class FakeWatcher:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        stage.changed[0].setblocking(False)

    @property
    def interfaces(self) -> list[Interface]:
        return self._stage.interfaces

    @property
    def addresses(self) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        return {networks(LOCAL)[0].network_address}

    def fileno(self) -> int:
        return self._stage.changed[0].fileno()

    def events(self) -> list[object]:
        try:
            return list(self._stage.changed[0].recv(10))
        except BlockingIOError:
            return []

    def close(self) -> None:
        self._stage.log.append("watcher closed")


class FakeNotifier:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def notify(self, text: str) -> None:
        word = text.partition("=")[0]
        self._stage.log.append(word)
        if word == "READY":
            self._stage.steps.pop(0)()

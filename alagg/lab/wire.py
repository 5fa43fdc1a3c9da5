"""What lies between the two hosts on one link: a bare veth pair, a patch cable, or the emulator."""

from __future__ import annotations

import json
import select
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from alagg.lab.impairment import Settings
from alagg.lab.namespace import LabError, Namespace, finish, python

if TYPE_CHECKING:
    import subprocess

    from alagg.lab.host import Host

_ANSWER_TIMEOUT: Final = 10.0


@dataclass(frozen=True)
class LinkSpec:
    """How one link is made."""

    mtu: int = 1500
    rate: int = 0
    """Bits per second to which both hosts shape their interface (tbf); 0 for no limit."""


class Wire:
    """A bare veth pair from host to host: the fastest. The other kinds of wire can do more."""

    def __init__(self, number: int, spec: LinkSpec, hosts: tuple[Host, Host]) -> None:
        self.number = number
        self.interface = f"eth{number}"
        self.spec = spec
        self.hosts = hosts
        self.settings = [Settings(), Settings()]
        """How frames travel towards each of the hosts."""

    def create(self) -> None:
        """Make the link and bring it up."""
        one, two = self.hosts
        one.ip(
            f"link add {self.interface} mtu {self.spec.mtu} address {one.mac(self.number)} type veth "
            f"peer name {self.interface} mtu {self.spec.mtu} address {two.mac(self.number)} netns {two.name}"
        )
        for host in self.hosts:
            self._equip(host)

    def destroy(self) -> None:
        """End what runs for the link; its interfaces go with their namespaces."""

    def delete_device(self, host: Host) -> None:
        """Delete the interface of a host, as if a USB adapter were pulled; the far end goes with it."""
        host.ip(f"link delete {self.interface}")

    def create_device(self, host: Host) -> None:  # noqa: ARG002 - a bare pair has both its ends or none
        """Make the interface of a host again, with the name, MAC address and IP addresses that it had."""
        self.create()

    def unplug(self) -> None:
        """Pull the cable: both hosts lose the carrier."""
        raise LabError("a direct wire has no plug; leave `direct` out")

    def plug(self) -> None:
        """Put the cable back in."""
        raise LabError("a direct wire has no plug; leave `direct` out")

    def set(self, *, towards: Host | None = None, **values: float) -> None:
        """Make the link behave in a way that the fields of `Settings` describe; what is left out is clean.

        Args:
            towards: only frames that travel to this host; all, when left out.
        """
        self.apply(Settings(**values), towards=towards)  # type: ignore[arg-type]

    def clear(self, *, towards: Host | None = None) -> None:
        """Make the link clean again."""
        self.apply(Settings(), towards=towards)

    def apply(self, settings: Settings, *, towards: Host | None = None) -> None:
        """Make the link behave in a way that is given as a value."""
        self._change(towards, [settings, settings])

    def cut(self, *, towards: Host | None = None) -> None:
        """Make the link a black hole that keeps its carrier; the other settings are kept."""
        self.change(towards=towards, cut=True)

    def restore(self, *, towards: Host | None = None) -> None:
        """Undo `cut`."""
        self.change(towards=towards, cut=False)

    def change(self, *, towards: Host | None = None, **values: float) -> None:
        """Change some of the settings; the others are kept."""
        self._change(towards, [replace(settings, **values) for settings in self.settings])  # type: ignore[arg-type]

    def counters(self, *, towards: Host) -> dict[str, int]:
        """Give what happened to the frames that travel to a host; see `alagg.lab.impairment.Counters`."""
        return self._command({})[self.hosts.index(towards)]

    def _change(self, towards: Host | None, wanted: list[Settings]) -> None:
        for index, host in enumerate(self.hosts):
            if towards in (None, host):
                self._command({"towards": [index], "settings": asdict(wanted[index])})
                self.settings[index] = wanted[index]

    def _command(self, command: dict[str, object]) -> list[dict[str, int]]:
        raise LabError(f"link {self.number} has no emulator for {command}; build the lab with `emulated=True`")

    def _equip(self, host: Host) -> None:
        if self.spec.rate:
            # 5 ms of traffic as the burst, but room for two frames; 20 ms may wait.
            burst = max(self.spec.rate // 8 // 200, 2 * (self.spec.mtu + 18))
            host.tc(f"qdisc add dev {self.interface} root tbf rate {self.spec.rate} burst {burst} latency 20ms")
        host.link_up(self.number)


class Cable(Wire):
    """A veth pair from each host to a namespace in the middle, patched together there by the kernel."""

    def __init__(self, number: int, spec: LinkSpec, hosts: tuple[Host, Host], middle: Namespace) -> None:
        super().__init__(number, spec, hosts)
        self.middle = middle

    def create(self) -> None:
        """Make the link and bring it up."""
        for host in self.hosts:
            self._create_pair(host)
        self._join()

    def unplug(self) -> None:
        """Pull the cable: both hosts lose the carrier."""
        self.middle.ip(*(f"link set {self._end(host)} down" for host in self.hosts))

    def plug(self) -> None:
        """Put the cable back in."""
        self.middle.ip(*(f"link set {self._end(host)} up" for host in self.hosts))

    def create_device(self, host: Host) -> None:
        """Make the interface of a host again, with the name, MAC address and IP addresses that it had."""
        self._create_pair(host)
        self._join()

    def _end(self, host: Host) -> str:
        return f"{host.letter}{self.number}"

    def _create_pair(self, host: Host) -> None:
        end, mtu = self._end(host), self.spec.mtu
        host.ip(
            f"link add {self.interface} mtu {mtu} address {host.mac(self.number)} type veth "
            f"peer name {end} mtu {mtu} netns {self.middle.name}"
        )
        self.middle.ip(f"link set {end} up")
        self._equip(host)

    def _join(self) -> None:
        """Let what enters one end leave at the other; anew after one was deleted, since rules know indexes."""
        one, two = (self._end(host) for host in self.hosts)
        self.middle.run(["tc", "-force", "-batch", "-"], check=False,
                        stdin=f"qdisc delete dev {one} clsact\nqdisc delete dev {two} clsact\n")
        self.middle.tc(
            *(f"qdisc add dev {end} clsact" for end in (one, two)),
            *(
                f"filter add dev {end} ingress protocol all u32 match u32 0 0 "
                f"action mirred egress redirect dev {other}"
                for end, other in ((one, two), (two, one))
            ),
        )


class EmulatedWire(Cable):
    """A cable through the link emulator, which delays, loses, repeats, damages and holds up frames."""

    def __init__(self, number: int, spec: LinkSpec, hosts: tuple[Host, Host], middle: Namespace, seed: int) -> None:
        super().__init__(number, spec, hosts, middle)
        self.seed = seed
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make the link, start its emulator and bring it up."""
        super().create()
        ends = [self._end(host) for host in self.hosts]
        self._process = self.middle.popen(python("alagg.lab.emulator", *ends, "--seed", str(self.seed)))
        self._answer()

    def destroy(self) -> None:
        """End the emulator."""
        if self._process:
            finish(self._process)
            self._process = None

    def _command(self, command: dict[str, object]) -> list[dict[str, int]]:
        if not self._process or not self._process.stdin:
            raise LabError(f"the emulator of link {self.number} does not run")
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> list[dict[str, int]]:
        assert self._process
        assert self._process.stdout
        readable, _, _ = select.select([self._process.stdout], (), (), _ANSWER_TIMEOUT)
        line = self._process.stdout.readline() if readable else b""
        if not line:
            self._process.kill()
            raise LabError(f"the emulator of link {self.number} ended: {self._process.communicate()[1].decode()}")
        answer = json.loads(line)
        if "error" in answer:
            raise LabError(answer["error"])
        counters: list[dict[str, int]] = answer["counters"]
        return counters

    def _join(self) -> None:
        """Let the emulator see frames as they cross a real wire: cut to size, and with their checksums."""
        for end in map(self._end, self.hosts):
            self.middle.run(["ethtool", "-K", end, "tx", "off", "tso", "off", "gso", "off", "gro", "off"])

    def _equip(self, host: Host) -> None:
        host.run(["ethtool", "-K", self.interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off"])
        super()._equip(host)

"""The user-space tunnels that Debian ships, set up between the hosts of a lab: the references for a single link."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alagg.lab.namespace import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.lab.host import Host
    from alagg.lab.topology import Lab

START_TIME: Final = 15.0
"""Seconds in which a tunnel must carry a ping."""
PACKAGES: Final = {
    "wireguard-go": "wireguard-go", "wg": "wireguard-tools", "openvpn": "openvpn", "openssl": "openssl",
}
"""The Debian package of each program."""
WIREGUARD_MTU: Final = 1440
"""The largest that fits 1500 over IPv4 (60 bytes are added), so that 1,400 bytes of UDP stay one packet."""


@dataclass(frozen=True)
class Tunnel:
    """A tunnel that runs."""

    address: str
    """The second host's address inside."""
    processes: dict[str, list[int]]
    """By the host's letter."""


def wireguard_go(lab: Lab) -> Tunnel:
    """Start wireguard-go on both hosts.

    Raises:
        LabError: its programs are missing, or the tunnel does not work.
    """
    _require("wireguard-go", "wg")
    names = {host.letter: _wireguard_name(host.letter) for host in lab.hosts}
    keys = {host.letter: lab.directory / f"wg-{host.letter}.key" for host in lab.hosts}
    public, processes = {}, {}
    for host in lab.hosts:
        private = host.run(["wg", "genkey"]).stdout
        _private(keys[host.letter], private)
        public[host.letter] = host.run(["wg", "pubkey"], stdin=private).stdout.strip()
        processes[host.letter] = _start(lab, host, ["wireguard-go", "--foreground", names[host.letter]])
    for number, (host, peer) in enumerate((lab.hosts, lab.hosts[::-1]), 1):
        name = names[host.letter]
        _await(_wireguard_socket(name).exists, "wireguard-go")
        host.run(["wg", "set", name, "private-key", str(keys[host.letter]), "listen-port", "51820",
                  "peer", public[peer.letter], "endpoint", f"{peer.ipv4}:51820",
                  "allowed-ips", f"10.97.0.{3 - number}/32"])
        host.ip(f"address add 10.97.0.{number}/24 dev {name}", f"link set {name} mtu {WIREGUARD_MTU} up")
    return _working(lab, Tunnel("10.97.0.2", processes))


def forget_wireguard_go(lab: Lab) -> None:
    """Remove the sockets that wireguard-go leaves behind when it is killed."""
    for host in lab.hosts:
        _wireguard_socket(_wireguard_name(host.letter)).unlink(missing_ok=True)


def _wireguard_name(letter: str) -> str:
    # Its socket lies in a directory that all namespaces share, so the name has to be unique on the machine.
    return f"wg{os.getpid() % 10**8}{letter}"


def _wireguard_socket(name: str) -> Path:
    return Path(f"/var/run/wireguard/{name}.sock")


def openvpn(lab: Lab) -> Tunnel:
    """Start OpenVPN on both hosts, peer to peer over UDP, in user space, with AES-256-GCM.

    Raises:
        LabError: its programs are missing, or the tunnel does not work.
    """
    _require("openvpn", "openssl")
    fingerprints = {host.letter: _certificate(lab, host) for host in lab.hosts}
    roles = {"a": ["--tls-client"], "b": ["--tls-server", "--dh", "none"]}
    processes = {}
    for number, (host, peer) in enumerate((lab.hosts, lab.hosts[::-1]), 1):
        letter = host.letter
        processes[letter] = _start(lab, host, [
            "openvpn", "--dev", "tun0", "--ifconfig", f"10.97.0.{number}", f"10.97.0.{3 - number}",
            "--proto", "udp", "--local", host.ipv4, "--remote", peer.ipv4, "--port", "1194", *roles[letter],
            "--cert", str(lab.directory / f"ovpn-{letter}.crt"), "--key", str(lab.directory / f"ovpn-{letter}.key"),
            "--peer-fingerprint", fingerprints[peer.letter], "--data-ciphers", "AES-256-GCM", "--disable-dco",
        ])
    return _working(lab, Tunnel("10.97.0.2", processes))


def _certificate(lab: Lab, host: Host) -> str:
    """Make a key and a certificate that signs itself; give its fingerprint."""
    key, certificate = (str(lab.directory / f"ovpn-{host.letter}.{kind}") for kind in ("key", "crt"))
    host.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
              "-days", "2", "-subj", f"/CN={host.letter}", "-keyout", key, "-out", certificate])
    shown = host.run(["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"]).stdout
    return shown.strip().partition("=")[2]


def _require(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            raise LabError(f"{program} is not installed; on Debian and Ubuntu: apt-get install {PACKAGES[program]}")


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")


def _start(lab: Lab, host: Host, command: list[str]) -> list[int]:
    """Start a program on a host, its output beside the lab's other files; give its process' id."""
    with (lab.directory / f"{command[0]}-{host.letter}.log").open("wb") as log:
        # `ip netns exec` and the shell both become the program; standard output must not fill a pipe.
        process = host.popen(["sh", "-c", 'exec "$@" >&2', "sh", *command], stderr=log)
    return [process.pid]




def _working(lab: Lab, tunnel: Tunnel) -> Tunnel:
    """Wait until a tunnel carries a ping."""
    command = ["ping", "-q", "-c", "1", "-W", "1", tunnel.address]
    _await(lambda: lab.a.run(command, check=False).returncode == 0, f"the tunnel to {tunnel.address}")
    return tunnel


def _await(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_TIME
    while not ready():
        if time.monotonic() > deadline:
            raise LabError(f"{what} does not work within {START_TIME:g} s")
        time.sleep(0.05)

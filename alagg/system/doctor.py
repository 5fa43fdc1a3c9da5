"""Examines a host for `alagg check`: whether a configuration can work here, and what to mend."""

from __future__ import annotations

import grp
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from alagg import consistency
from alagg.control.client import ControlError, request
from alagg.engine.header import SIZE
from alagg.system import (
    HostError,
    firewall,
    journal,
    netlink,
    observerdoctor,
    others,
    policy,
    prober,
    rights,
    rules,
    sysctl,
    tables,
    udpdoctor,
)
from alagg.system.sources import first_host, own_networks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alagg.config import Config, LinkConfig, Network
    from alagg.system.netlink import Interface

_QUEUES: Final = Path("/proc/net/netfilter/nfnetlink_queue")
_USUAL_MTU: Final = 1500


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Literal["ok", "warn", "wait", "fail"]
    """`fail`: the node cannot do its work; `warn`: it can, but not as one would wish; `wait`: the peer is absent."""
    what: str
    mend: str = ""
    """What to do about it; empty where all is well."""


def examine(config: Config) -> list[Finding]:
    """Look at everything that a configuration needs of this host; change nothing. A running node is not disturbed.

    The last findings are about the peers: each link carries one probe frame, for half a second at most.
    """
    parts: tuple[Callable[[Config], Iterator[Finding]], ...] = (
        _rights, _kernel, _queue, _device, _files, _interfaces, _udp, _others, _addresses, _policy, _options, _rules,
        _settings, _firewalls, _observer, _peers,
    )
    findings: list[Finding] = []
    for part in parts:
        try:
            findings += part(config)
        except HostError as error:
            findings.append(Finding("fail", str(error)))
        except PermissionError as error:
            findings.append(Finding("fail", f"cannot be examined: {error.strerror}", "run it as root"))
    return findings


# --- the host -----------------------------------------------------------------------------------------------------


def _rights(_: Config) -> Iterator[Finding]:
    if lacking := rights.lacking():
        yield Finding("fail", f"this process lacks {' and '.join(lacking)}", "run it as root, or grant it these")
    else:
        yield Finding("ok", "rights: CAP_NET_ADMIN and CAP_NET_RAW")


def _options(config: Config) -> Iterator[Finding]:
    for line in consistency.warnings(config):
        yield Finding("warn", line)


def _kernel(config: Config) -> Iterator[Finding]:
    if _QUEUES.exists():
        yield Finding("ok", "kernel: NFQUEUE")
    elif config.queues:
        yield Finding("warn", "kernel: NFQUEUE is not loaded", "modprobe nfnetlink_queue (the node may load it, too)")
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM).close()
        yield Finding("ok", "kernel: AF_PACKET")
    except PermissionError:
        raise
    except OSError as error:
        yield Finding("fail", f"kernel: AF_PACKET: {error.strerror}", "modprobe af_packet")
    if config.manage_host:
        yield _tun()


def _tun() -> Finding:
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return Finding("fail", f"kernel: /dev/net/tun: {error.strerror}", "modprobe tun, or set manage_host = no")
    return Finding("ok", "kernel: TUN")


def _queue(config: Config) -> Iterator[Finding]:
    taken = _queues_in_use()
    for queue in config.queues:
        if queue not in taken:
            yield Finding("ok", f"queue {queue} is free")
        elif node := _running(config):
            yield Finding("ok", f"queue {queue} belongs to the running node, pid {node}")
        else:
            yield Finding("fail", f"queue {queue} is in use by another program", _other_queues(config))


def _device(config: Config) -> Iterator[Finding]:
    if not config.manage_host or _running(config):
        return
    if netlink.interface(config.device) is None:
        yield Finding("ok", f"device {config.device}: the name is free")
    else:
        mend = "choose another with device = …; two nodes on one host need two"
        yield Finding("fail", f"device {config.device}: another program has an interface of this name", mend)


def _other_queues(config: Config) -> str:
    if config.workers == 1:
        return "choose others with queue = …"
    return f"choose others with queue = … ({config.workers} workers take as many in a row, nodes must not overlap)"


def _queues_in_use() -> set[int]:
    try:
        return {int(line.split()[0]) for line in _QUEUES.read_text().splitlines()}
    except FileNotFoundError:
        return set()


def _running(config: Config) -> int | None:
    return journal.owner(config.journal)


def _files(config: Config) -> Iterator[Finding]:
    place = next(path for path in config.control_socket.parents if path.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        yield Finding("fail", f"control socket: {place} cannot be written", "choose another path, or run as root")
    elif len(str(config.control_socket).encode()) > 107:
        yield Finding("fail", f"control socket: {config.control_socket} is too long", "at most 107 bytes")
    else:
        yield Finding("ok", f"control socket: {config.control_socket}")
    if config.control_group:
        yield _group(config.control_group)


def _group(name: str) -> Finding:
    try:
        grp.getgrnam(name)
    except KeyError:
        return Finding("fail", f"control_group: there is no group {name}", f"groupadd --system {name}")
    return Finding("ok", f"control_group: {name}")


# --- links --------------------------------------------------------------------------------------------------------


def _interfaces(config: Config) -> Iterator[Finding]:
    found: list[Interface] = []
    for link in config.ethernet_links:
        interface = netlink.interface(link.interface)
        yield _interface(link, interface)
        if interface is not None:
            found.append(interface)
            yield from _mac(link, interface)
    yield from _mtus(found)


def _udp(config: Config) -> Iterator[Finding]:
    for level, what, mend in udpdoctor.examine(config, running=_running(config) is not None):
        yield Finding(level, what, mend)


def _observer(config: Config) -> Iterator[Finding]:
    for level, what, mend in observerdoctor.examine(config):
        yield Finding(level, what, mend)


def _interface(link: LinkConfig, interface: Interface | None) -> Finding:
    name = f"link {link.name}: {link.interface}"
    if interface is None:
        return Finding("fail", f"{name} does not exist", "plug it in, or correct interface = … (ip link lists them)")
    if interface.type != netlink.ETHERNET:
        return Finding("fail", f"{name} carries no Ethernet frames", "choose an Ethernet or VLAN interface")
    if not interface.up:
        return Finding("fail", f"{name} is switched off", f"ip link set {link.interface} up")
    if not interface.carrier:
        return Finding("fail", f"{name} has no carrier", "look at the cable, and at the interface on the other side")
    return Finding("ok", f"{name} is up, MTU {interface.mtu}, MAC {interface.mac.hex(':')}")


def _mac(link: LinkConfig, interface: Interface) -> Iterator[Finding]:
    if interface.mac == link.mac:
        yield Finding(
            "fail", f"link {link.name}: mac = {link.mac.hex(':')} is {interface.name}'s own address",
            "give the address of the peer's interface on this link (ip link, over there)",
        )


def _mtus(found: list[Interface]) -> Iterator[Finding]:
    smallest = min((one.mtu for one in found), default=_USUAL_MTU)
    widest = max((one.mtu for one in found), default=_USUAL_MTU)
    if smallest < widest:
        yield Finding(
            "warn", f"MTU: the links differ ({smallest} to {widest}); packets are made to fit the smallest",
            "raise the smaller ones where the network allows it",
        )
    if smallest - SIZE < 1280:
        yield Finding(
            "warn", f"MTU: a link takes packets of {smallest - SIZE} bytes; larger ones, usual with IPv6, are split",
            f"an MTU of at least {1280 + SIZE} avoids it",
        )


def _others(config: Config) -> Iterator[Finding]:
    for one in others.claims(config):
        name = f"link {one.link}: {one.interface}"
        if one.file is None:
            what = f"takes frames of EtherType {config.ethertype:#06x} there, too"
            mend = "is it another node? Its links must differ from these in interface or mac, or its ethertype must"
            yield Finding("warn", f"{name}: another program, pid {one.pid}, {what}", mend)
        else:
            mend = "end that node (two of them answer for each other), or take the link out of one of the files"
            yield Finding("fail", f"{name}: the node with {one.file}, pid {one.pid}, has the same link", mend)


# --- addresses, rules, settings -----------------------------------------------------------------------------------


def _addresses(config: Config) -> Iterator[Finding]:
    own = netlink.local_addresses()
    networks = _own_networks(config)
    for peer in config.peers:
        for network in peer.destinations:
            yield _destination(config, peer.name, network, own)
            yield from _contained(peer.name, network, networks)
    for one in config.addresses or ():
        if one.network_address not in own:
            yield _new_address(config, one.network_address)


def _policy(config: Config) -> Iterator[Finding]:
    for what, mend in policy.examine(config) if config.manage_host else ():
        yield Finding("warn", what, mend)


def _own_networks(config: Config) -> list[Network]:
    device = netlink.interface(config.device)
    return sorted(own_networks(device.index if device else 0), key=str)


def _contained(peer: str, network: Network, own: list[Network]) -> Iterator[Finding]:
    """Look for this host's own networks within a destination: they stay its own (see alagg.system.host)."""
    for one in own:
        if one == network:
            what = f"{network} is a network of this host, too, and stays that: no route leads to the peer"
            yield Finding("warn", f"peer {peer}: {what}", "name the peer's addresses")
        elif one.version == network.version and one.subnet_of(network):  # type: ignore[arg-type]
            what = f"{network} contains this host's own network {one}: what goes there does not go to the peer"
            yield Finding("warn", f"peer {peer}: {what}", "leave it so if that is meant; else name smaller networks")


def _new_address(config: Config, address: netlink.Address) -> Finding:
    if config.manage_host:
        return Finding("ok", f"addresses: the node brings {address}")
    return Finding("fail", f"addresses: no interface has {address}", "give it to one, or set manage_host = yes")


def _destination(config: Config, peer: str, network: Network, own: set[netlink.Address]) -> Finding:
    target = first_host(network)
    if network.num_addresses == 1 and target in own:
        return Finding("fail", f"peer {peer}: {target} is this host's own address", "name the peer's addresses")
    found = netlink.path(target)
    if found is None and not config.manage_host:
        return Finding("fail", f"peer {peer}: there is no route to {network}", "add one, or no packet reaches a rule")
    if (found is None or found.source is None) and not config.addresses:
        return Finding(
            "warn", f"peer {peer}: this host has no address of its own towards {network}", "set addresses = …"
        )
    source = found.source if found else "the configured address"
    return Finding("ok", f"peer {peer}: {network} from {source}")


def _rules(config: Config) -> Iterator[Finding]:
    running = _running(config)
    try:
        lacking = rules.missing(config)
    except HostError as error:
        if config.capture != "auto" or not config.manage_host:
            raise
        yield Finding("warn", f"rules: the device captures everything without: {error}", "set capture = device")
        return
    if config.manage_host and not running:
        yield Finding("ok", "rules: the legacy tables are there; the node sets its rules up when it starts")
    elif not lacking:
        yield Finding("ok", "rules: all are there")
    elif not config.manage_host and tables.nftables_queues():
        yield Finding("warn", "rules: nftables hands packets to a queue, which is not examined further", "")
    else:
        slower = rules.only_slower(config, lacking)
        by_hand = f"alagg rules install --config {config.path}, or the script alagg-iptables (alagg files rules)"
        mend = "restart the node" if config.manage_host else by_hand
        for rule in lacking:
            if rule in slower:
                what, other = ("packets flow", "workers = 1") if config.workers > 1 else ("TCP flows", "gso = no")
                yield Finding("warn", f"rules: {what}, but slower, without: {rule}", f"{mend}, or set {other}")
            else:
                yield Finding("fail", f"rules: lacking: {rule}", mend)


def _settings(config: Config) -> Iterator[Finding]:
    """Look at the settings that may get into the way. `rp_filter` does not: see alagg.system.sysctl."""
    if "FORWARD" not in config.chains:
        return
    for family, name in ((4, "net/ipv4/ip_forward"), (6, "net/ipv6/conf/all/forwarding")):
        wanted = any(network.version == family for peer in config.peers for network in peer.destinations)
        if wanted and sysctl.read(name) == "0":
            key = name.replace("/", ".")
            yield Finding("warn", f"{key} is 0: no packet of another host reaches FORWARD", f"sysctl -w {key}=1")


def _firewalls(config: Config) -> Iterator[Finding]:
    """Look for what lets in only what it knows: see docs/operations.md, Firewalls."""
    if not config.manage_host:
        return
    forwards = "FORWARD" in config.chains or bool(config.networks)
    for hook, what in (("INPUT", "to this host"), ("FORWARD", "to hosts behind this one")):
        for place in firewall.refusing(hook, config.device) if hook == "INPUT" or forwards else ():
            refuses = f"firewall: {place}, refuses what it does not name, and does not name {config.device}"
            mend = f"accept what comes in by it, such as: iptables -I {hook} -i {config.device} -j ACCEPT"
            yield Finding("warn", f"{refuses}: packets from peers {what} may be dropped", mend)


# --- peers --------------------------------------------------------------------------------------------------------


def _peers(config: Config) -> Iterator[Finding]:
    told, links = _told_by_the_node(config), config.ethernet_links
    answers = prober.probe(config, leave=told) if told else prober.probe(config)
    for link, answer in zip(links, answers, strict=True):
        answer.rtt = told.get(link.name, answer.rtt)
    present = {link.peer for link, answer in zip(links, answers, strict=True) if answer.rtt is not None}
    for link, answer in zip(links, answers, strict=True):
        name = f"link {link.name}: peer {link.peer}"
        if answer.rtt is not None:
            yield Finding("ok", f"{name} answers after {answer.rtt * 1000:.2f} ms")
        elif link.finds:
            yield Finding("wait", f"{name}: its address is found when the node runs", "start it on both sides")
        elif answer.error:
            yield Finding("fail", f"{name}: no probe could be sent: {answer.error}")
        else:
            # Whose other links answer, or whose frames come, is there: then it is this link that is wrong.
            level: Literal["fail", "wait"] = "fail" if link.peer in present or answer.heard else "wait"
            heard = "".join(f"; {one}" for one in answer.heard)
            yield Finding(level, f"{name} at {link.mac.hex(':')}: no answer{heard}", _look_at(config, link))


def _told_by_the_node(config: Config) -> dict[str, float]:
    """Give the round trips, in seconds, of the links that a running node of this configuration says are well.

    They need no probe of ours, whose answer the node would find strange.
    """
    if not _running(config):
        return {}
    try:
        links = request(config.control_socket, "status")["links"]
    except (ControlError, KeyError):
        return {}
    ours = {(link.name, link.interface): link for link in config.links}
    return {
        one["name"]: one["rtt_ms"] / 1000
        for one in links
        if one["state"] == "up" and one["rtt_ms"] is not None
        and (link := ours.get((one["name"], one["interface"]))) and (link.finds or link.mac.hex(":") == one["mac"])
    }


def _look_at(config: Config, link: LinkConfig) -> str:
    interface = netlink.interface(link.interface)
    mac = interface.mac.hex(":") if interface else "this interface's address"
    return (
        f"does the node run there, with a link of mac = {mac} and ethertype = {config.ethertype:#06x}? "
        f"Does frame traffic pass (tcpdump -eni {link.interface} ether proto {config.ethertype:#06x})?"
    )

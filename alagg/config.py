"""The configuration file: its options, their defaults, and one clear line for everything that is wrong in it.

The tables `NODE`, `PEER`, `LINK`, and those of the sections that stand for themselves, are the contract:
`default_config.cfg` and the documentation follow them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alagg import cap, consistency, linktypes, sections, values
from alagg.engine.scheduler import SCHEDULERS
from alagg.option import Option as Option  # noqa: PLC0414 - this module offers it
from alagg.ownsections import OWN
from alagg.ports import PORTS
from alagg.sections import ConfigError as ConfigError  # noqa: PLC0414 - this module offers it
from alagg.sections import Texts, one_line
from alagg.values import Network as Network  # noqa: PLC0414 - this module offers it
from alagg.values import UdpAddress, counted, similar
from alagg.webconfig import WebConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alagg.alertsconfig import AlertsConfig
    from alagg.cap import Cap
    from alagg.historyconfig import HistoryConfig


DEFAULT_SOCKET: Final = Path("/run/alagg/alagg.sock")
"""Where a node is found that no file tells of."""
TCP_QUEUE_OFFSET: Final = 1024
"""The NFQUEUE for TCP super-packets is this far from the first one, modulo 65536."""
MAX_WORKERS: Final = 16
"""As many lanes as the header has room for (`alagg.engine.header.LANES`)."""


@dataclass(frozen=True)
class LinkConfig:
    """One `[link NAME]`."""

    name: str
    peer: str
    type: str
    interface: str
    """The local interface; a link of type udp may be bound to none, and has an empty one."""
    mac: bytes
    """The remote address of a link of type ethernet, 6 bytes, or `values.ANY_MAC` where it is to be found; else
    empty."""
    weight: int
    rate: int | None
    """Bits per second that may leave on the link; None for no limit."""
    pacing: str
    """What keeps to the rate: the `sender`, or a queueing discipline of the interface, `tbf`."""
    local: UdpAddress | None = None
    """Type udp: where its datagrams come in; None for any address and port."""
    remote: UdpAddress | None = None
    """Type udp: where they go; None on the side that waits for the peer."""
    backup: bool = False
    """Whether it carries only while the other links of its peer cannot."""
    copy_dscp: bool = True
    """Type udp: whether datagrams are marked like the packets in them."""
    cap: Cap | None = None
    """What it may carry in a time, both ways; None for no limit."""
    when_capped: str = "block"
    """What becomes of it then: `block`, `standby` or `warn`."""

    @property
    def finds(self) -> bool:
        """Whether the peer's MAC address is not given (`mac = auto`)."""
        return self.mac == values.ANY_MAC


@dataclass(frozen=True)
class PeerConfig:
    """One `[peer NAME]` with its links."""

    name: str
    destinations: tuple[Network, ...]
    scheduler: str
    copies: int | None
    """On how many links the redundant scheduler sends a packet; None for all."""
    reorder_timeout: float | None
    """Longest time, in seconds, that a packet waits for an earlier one; None for automatic, 0 for off."""
    links: tuple[LinkConfig, ...] = ()


@dataclass(frozen=True)
class Config:
    """A whole, valid configuration."""

    path: Path
    queue: int
    workers: int
    """Processes that move packets; each has queues and a lane of its own."""
    capture: str
    """What brings packets to the node besides what is routed into its device: `auto`, `nfqueue`, or `device`, that is
    nothing else."""
    when_unreachable: str
    """What becomes of packets for a peer that no link leads to: `pass` hands them to the host's own routes, `drop`
    to nobody."""
    chains: tuple[str, ...]
    ethertype: int
    manage_host: bool
    device: str
    addresses: tuple[Network, ...] | None
    """Addresses for the node's own device; None to take those that the host uses towards the destinations."""
    networks: tuple[Network, ...]
    """Networks behind this node to which peers may send, besides its own addresses."""
    mark: int
    gso: bool
    """Whether TCP is taken in super-packets, from a queue of its own."""
    xdp: str
    """Whether frames may pass the interfaces' queueing disciplines: `auto` (where there is none), `yes` or `no`."""
    busy_poll: float
    """Seconds for which the loop goes on looking for work before it sleeps; 0 to sleep at once."""
    window: int
    probe_interval: float
    control_socket: Path
    control_group: str
    log_level: str
    log_format: str
    peers: tuple[PeerConfig, ...]
    history: HistoryConfig
    alerts: AlertsConfig
    web: WebConfig = field(default_factory=WebConfig)
    """For `alagg web`; the node itself has no use for it."""
    texts: Texts = field(default_factory=dict, compare=False, repr=False)
    """What it was made of; workers have none."""

    @property
    def links(self) -> tuple[LinkConfig, ...]:
        """All links of all peers."""
        return tuple(link for peer in self.peers for link in peer.links)

    @property
    def ethernet_links(self) -> tuple[LinkConfig, ...]:
        """Those of them that are of type ethernet."""
        return tuple(link for link in self.links if link.type == "ethernet")

    def queue_of(self, worker: int) -> int:
        """Give the NFQUEUE that a worker, counted from 0, takes packets from."""
        return (self.queue + worker) % 65536

    def tcp_queue_of(self, worker: int) -> int | None:
        """Give the NFQUEUE that hands a worker TCP in super-packets; None where TCP goes with the rest.

        It is far from `queue`, so that the nodes of one host can be numbered from 1 on.
        """
        return (self.queue_of(worker) + TCP_QUEUE_OFFSET) % 65536 if self.gso else None

    @property
    def rule_chains(self) -> tuple[str, ...]:
        """The chains with rules that hand packets to NFQUEUEs; none with `capture = device`.

        With `auto`, and a device, forwarded packets are left to that: in FORWARD they still have the address of the
        container or the host that they come from, and get this host's behind it, in POSTROUTING (NAT).
        """
        if self.capture == "device":
            return ()
        if self.capture == "auto" and self.manage_host:
            return tuple(chain for chain in self.chains if chain != "FORWARD")
        return self.chains

    @property
    def queues(self) -> tuple[int, ...]:
        """Every NFQUEUE that the node listens to."""
        if self.capture == "device":
            return ()
        numbers = range(self.workers)
        tcp = (self.tcp_queue_of(worker) for worker in numbers)
        return (*map(self.queue_of, numbers), *(queue for queue in tcp if queue is not None))

    @property
    def journal(self) -> Path:
        """Where the node writes down what it changes on the host."""
        return journal_of(self.control_socket)

    @property
    def size(self) -> str:
        """How many peers, links and workers there are, in words."""
        workers = f", {self.workers} workers" if self.workers > 1 else ""
        return f"{counted(len(self.peers), 'peer')} over {counted(len(self.links), 'link')}{workers}"


_COPIES = values.or_auto("all", values.integer(1, 255), "a whole number from 1 to 255")
_REORDER = values.or_auto(
    "auto", values.reorder_timeout, "0 for off, or a time with its unit of at most 10s such as 20ms"
)

NODE: Final = (
    Option("queue", "1", values.integer(0, 65535), "first NFQUEUE number, 0 to 65535"),
    Option("workers", "1", values.integer(1, MAX_WORKERS),
           "processes that share the flows; each takes a queue: queue, queue + 1, ...; 1 to 16"),
    Option("scheduler", "redundant", values.choice(*sorted(SCHEDULERS)),
           f"how packets are laid on links: {' | '.join(sorted(SCHEDULERS))}"),
    Option("copies", "all", _COPIES, "redundant: on how many links each packet goes: all, or a number"),
    Option("capture", "auto", values.choice("auto", "nfqueue", "device"),
           "what catches packets besides the device: nfqueue (rules) | device (nothing) | auto (rules for OUTPUT)"),
    Option("when_unreachable", "pass", values.choice("pass", "drop"),
           "packets for a peer without a working link: pass (by the host's own routes, where there are any) | drop"),
    Option("chains", "OUTPUT", values.choices("OUTPUT", "FORWARD"),
           "where packets are caught: OUTPUT, FORWARD, or both"),
    Option("ethertype", "0x88b5", values.ethertype, "EtherType of the frames, the same on both sides"),
    Option("reorder_timeout", "auto", _REORDER,
           "longest wait for an earlier packet: auto, a time such as 20ms, or 0 = off"),
    Option("manage_host", "yes", values.yes_no, "yes: set up rules, device, routes, and undo them; no: only check"),
    Option("device", "alagg0", values.interface, "name of the device that carries the routes (manage_host = yes)"),
    Option("addresses", "auto", values.or_auto("auto", values.addresses, values.ADDRESSES_ALLOWED),
           "this host's addresses on the device: auto (those it uses towards the peers), or a list"),
    Option("networks", "", values.networks, "networks behind this host that peers may send to (chains = FORWARD)"),
    Option("mark", "0xa1a6", values.integer(1, 0xFFFFFFFF),
           "mark of injected packets, so that no rule catches them again; a number from 1 to 0xffffffff"),
    Option("gso", "yes", values.yes_no,
           "yes: take TCP in super-packets of up to 64 KiB (GSO), faster, from queue + 1024; no: packet by packet"),
    Option("xdp", "auto", values.auto_yes_no,
           "send by AF_XDP, faster, past queues, filters and tcpdump: auto (where there are none) | yes | no"),
    Option("busy_poll", "0", values.busy_poll,
           "look for work this long before sleeping: less latency, more CPU; 0 = off, or a time such as 50us"),
    Option("window", "65536", values.window, "packet numbers that duplicate elimination remembers, a power of two"),
    Option("probe_interval", "100ms", values.time(0.01, 10), "how often each link is probed, 10ms to 10s"),
    Option("control_socket", str(DEFAULT_SOCKET), values.path, "where `alagg status` finds the node"),
    Option("control_group", "", values.name, "group that may use the control socket besides root; empty: nobody"),
    Option("log_level", "info", values.choice("debug", "info", "warning", "error"),
           "what is logged: debug | info | warning | error and above"),
    Option("log_format", "text", values.choice("text", "json"), "the form of the log: text | json, an object a line"),
)
PEER: Final = (
    Option("destinations", None, values.destinations, "its IPv4 and IPv6 addresses and networks, separated by commas",
           "10.99.0.2, fd99::2/128"),
    *(option for option in NODE if option.key in ("scheduler", "copies", "reorder_timeout")),
)
LINK: Final = (
    Option("peer", "", values.name, "the name of the peer it leads to; may be left out when there is one", "office"),
    Option("type", "ethernet", values.choice(*sorted(PORTS)), f"what the link is: {' | '.join(sorted(PORTS))}"),
    Option("interface", "", values.or_nothing(values.interface, ""),
           "the local interface; udp: may be left out, bound to it where given", "eth0"),
    Option("mac", "", values.or_nothing(values.link_mac, b""),
           "ethernet: the peer's MAC address on this link, or auto: it is found", "52:54:00:12:34:56"),
    Option("local", "", values.udp_local,
           "udp: address and port here, such as 0.0.0.0:7311 or [::]:7311; empty: any, where there is a remote"),
    Option("remote", "", values.udp_remote,
           "udp: the peer's address or name, and port; empty: answer to where its frames come from"),
    Option("copy_dscp", "yes", values.yes_no, "udp: mark datagrams like the packets in them (DSCP): yes | no"),
    Option("weight", "1", values.integer(1, 1_000_000),
           "weighted: its share of the bytes, 1 to 1000000"),
    Option("backup", "no", values.yes_no, "yes: carries only while the peer's other links cannot | no"),
    Option("rate", "", values.rate, "send no faster than this, such as 100mbit; empty: no limit"),
    Option("pacing", "sender", values.choice("sender", "tbf"),
           "what keeps to the rate: sender (the node itself) | tbf (the interface's root queueing discipline)"),
    Option("cap", "", cap.parse,
           "what it may carry, both ways: empty for no limit, or such as 5GB/month (kB to TB; /day, /week, /month)"),
    Option("when_capped", "block", values.choice("block", "standby", "warn"),
           "then: block (nothing leaves on it) | standby (carries only while others cannot) | warn"),
)

_SINGLE: Final = ("alagg", *OWN)
"""Sections without a name, each of which may be left out."""
_SECTIONS: Final = f"[alagg], [peer NAME], [link NAME], {', '.join(f'[{name}]' for name in OWN)}"


# --- files ------------------------------------------------------------------------------------------------------


def load(path: Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        ConfigError: the file cannot be read or something in it is wrong; the text is one line for the user.
    """
    return made_of(sections.parse(sections.read(path), path), path)


def made_of(texts: Texts, path: Path) -> Config:
    """Validate the texts of a configuration.

    Args:
        texts: of each section.
        path: where they stand.

    Raises:
        ConfigError: something in them is wrong; the text is one line for the user.
    """
    config = _Reader(path, texts).config()
    if wrong := consistency.contradiction(config):
        raise ConfigError(f"{path}: {wrong}")
    return config


def socket_in(path: Path) -> Path:
    """Give the control socket that a file names, whatever else is wrong in it; the default where it names none.

    Raises:
        ConfigError: the file cannot be read, or names no path there.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    found = re.search(r"^[^\S\n]*control_socket[^\S\n]*=[^\S\n]*(.*?)[^\S\n]*(?:\s[;#].*)?$", text, re.MULTILINE)
    try:
        return values.path(found[1]) if found else DEFAULT_SOCKET
    except values.RefusedError as refused:
        raise ConfigError(f"{path}: [alagg] control_socket = {found and found[1]}: allowed: {refused}") from None


def journal_of(control_socket: Path) -> Path:
    """Give the journal that lies beside a socket: NAME.journal for NAME.sock, else NAME-journal; never shared."""
    if control_socket.suffix == ".sock":
        return control_socket.with_suffix(".journal")
    return control_socket.with_name(f"{control_socket.name}-journal")


class _Reader:
    """Turns a parsed file into a `Config`, section by section."""

    def __init__(self, path: Path, texts: Texts) -> None:
        self.path = path
        self.texts = texts

    def config(self) -> Config:
        names = self._sections()
        node = self._single("alagg", NODE)
        shared = {key: node.pop(key) for key in ("scheduler", "copies", "reorder_timeout")}
        peers = {name: self._values(f"peer {name}", PEER, shared) for name in names["peer"]}
        links = [self._link(name, tuple(peers)) for name in names["link"]]
        self._check_destinations(peers)
        self._check_links(links, node["device"])
        built = tuple(PeerConfig(name=name, links=self._links_of(name, links), **peers[name]) for name in peers)
        own = {name: self._own(name) for name in OWN}
        return Config(path=self.path, peers=built, texts=self.texts, **own, **node)

    def _own(self, name: str) -> Any:
        options, kind, contradiction = OWN[name]
        section = kind(**self._single(name, options))
        if wrong := contradiction(section):
            raise ConfigError(f"{self.path}: [{name}] {wrong}")
        return section

    def _single(self, name: str, options: Sequence[Option]) -> dict[str, Any]:
        """Read a section that may be left out."""
        return self._values(name, options, {}) if name in self.texts else _defaults(options)

    def _sections(self) -> dict[str, list[str]]:
        """Sort the sections by kind and refuse unknown ones."""
        names: dict[str, list[str]] = {"peer": [], "link": []}
        for section in self.texts:
            kind, _, name = section.partition(" ")
            name = name.strip()
            if section in _SINGLE:
                continue
            if kind not in names or not re.fullmatch(r"[\w.-]{1,32}", name):
                hint = similar(kind, (*_SINGLE, *names)) if kind not in names else ""
                raise ConfigError(
                    f"{self.path}: [{section}] is not a section; allowed: {_SECTIONS} "
                    f"(NAME: 1 to 32 letters, digits, '_', '.', '-'){hint}"
                )
            if section != f"{kind} {name}":
                raise ConfigError(f"{self.path}: [{section}]: allowed: one blank, [{kind} {name}]")
            names[kind].append(name)
        if not names["peer"]:
            raise ConfigError(f"{self.path}: there is no peer; allowed: one or more [peer NAME]")
        return names

    def _values(self, section: str, options: Sequence[Option], inherited: Mapping[str, Any]) -> dict[str, Any]:
        given = self.texts[section]
        known = [option.key for option in options]
        for key in given:
            if key not in known:
                entry = f"[{section}] {key} = {one_line(given[key])}"
                raise ConfigError(
                    f"{self.path}: {entry}: unknown key; allowed: {', '.join(known)}{similar(key, known)}"
                )
        return {option.key: self._value(section, option, inherited) for option in options}

    def _value(self, section: str, option: Option, inherited: Mapping[str, Any]) -> Any:
        given = self.texts[section].get(option.key)
        if given is None and option.key in inherited:
            return inherited[option.key]
        text = option.default if given is None else one_line(given)
        if text is None:
            raise ConfigError(f"{self.path}: [{section}] {option.key}: is missing; allowed: {option.comment}")
        try:
            return option.parse(text)
        except values.RefusedError as refused:
            raise ConfigError(f"{self.path}: [{section}] {option.key} = {text}: allowed: {refused}") from None

    def _link(self, name: str, peers: tuple[str, ...]) -> LinkConfig:
        link = self._values(f"link {name}", LINK, {})
        if not link["peer"] and len(peers) == 1:
            link["peer"] = peers[0]
        if link["peer"] not in peers:
            problem = "no such peer" if link["peer"] else "is missing, as there are several peers"
            raise ConfigError(
                f"{self.path}: [link {name}] peer = {link['peer']}: {problem}; allowed: {' | '.join(peers)}"
                f"{similar(link['peer'], peers)}"
            )
        if wrong := linktypes.problem(link, self.texts[f"link {name}"], LINK):
            raise ConfigError(f"{self.path}: [link {name}] {wrong}")
        return LinkConfig(name=name, **link)

    def _links_of(self, peer: str, links: Sequence[LinkConfig]) -> tuple[LinkConfig, ...]:
        mine = tuple(link for link in links if link.peer == peer)
        if not mine:
            raise ConfigError(f"{self.path}: [peer {peer}] has no link; allowed: one or more [link NAME] for it")
        if len(mine) > 255:
            raise ConfigError(f"{self.path}: [peer {peer}] has {len(mine)} links; allowed: at most 255")
        return mine

    def _check_links(self, links: Sequence[LinkConfig], device: str) -> None:
        taken: dict[tuple[str, bytes, str], str] = {}
        for link in links:
            if link.interface and link.interface == device:
                raise ConfigError(
                    f"{self.path}: [link {link.name}] interface = {device}: is the node's own device; "
                    "allowed: another interface, or another device in [alagg]"
                )
            if link.type != "ethernet":
                continue
            other = taken.setdefault((link.interface, link.mac, link.peer if link.finds else ""), link.name)
            if other != link.name:
                raise ConfigError(
                    f"{self.path}: [link {link.name}] mac = {values.mac_text(link.mac)}: is [link {other}]'s on the "
                    "same interface; allowed: each pair of interface and mac once"
                )

    def _check_destinations(self, peers: Mapping[str, dict[str, Any]]) -> None:
        taken: dict[Network, str] = {}
        for name, peer in peers.items():
            for network in peer["destinations"]:
                other = taken.setdefault(network, name)
                if other != name:
                    raise ConfigError(
                        f"{self.path}: [peer {name}] destinations = {network}: is [peer {other}]'s; "
                        "allowed: each network in one peer"
                    )


def _defaults(options: Sequence[Option]) -> dict[str, Any]:
    return {option.key: option.parse(option.default or "") for option in options}

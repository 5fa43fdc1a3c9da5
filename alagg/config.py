"""The configuration file: its options, their defaults, and one clear line for everything that is wrong in it.

The tables `NODE`, `PEER` and `LINK` are the contract: `default_config.cfg` and the documentation follow them.
"""

from __future__ import annotations

import configparser
import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alagg.engine.scheduler import SCHEDULERS
from alagg.ports import PORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

AUTO: Final = None
"""The value of a time or size that the node finds by itself."""


class ConfigError(ValueError):
    """What is wrong in a configuration, in one line: file, section, key, value, and what is allowed."""


class _RefusedError(ValueError):
    """A value that an option does not take; the text says what it takes."""


@dataclass(frozen=True)
class Option:
    """One key of a section."""

    key: str
    default: str | None
    """The text that stands for a missing key; None where the key must be there."""
    parse: Callable[[str], Any]
    comment: str
    """What it does and which values it takes, for `default_config.cfg`."""
    example: str = ""
    """A value to show where there is no default."""


@dataclass(frozen=True)
class LinkConfig:
    """One `[link NAME]`."""

    name: str
    peer: str
    type: str
    interface: str
    mac: bytes
    """The remote address, 6 bytes."""
    weight: int
    rate: int | None
    """Bits per second that the interface is shaped to; None for no limit."""


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
    chains: tuple[str, ...]
    ethertype: int
    manage_host: bool
    device: str
    addresses: tuple[Network, ...] | None
    """Addresses for the node's own device; None to take those that the host uses towards the destinations."""
    networks: tuple[Network, ...]
    """Networks behind this node to which peers may send, besides its own addresses."""
    mark: int
    window: int
    probe_interval: float
    control_socket: Path
    control_group: str
    log_level: str
    log_format: str
    peers: tuple[PeerConfig, ...]

    @property
    def links(self) -> tuple[LinkConfig, ...]:
        """All links of all peers."""
        return tuple(link for peer in self.peers for link in peer.links)

    @property
    def journal(self) -> Path:
        """Where the node writes down what it changes on the host; beside its socket, so two nodes never share it."""
        return self.control_socket.with_suffix(".journal")


# --- values -----------------------------------------------------------------------------------------------------


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text, 0)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise _RefusedError(f"a whole number from {low} to {high}")
        return value

    return parse


def _ethertype(text: str) -> int:
    try:
        value = int(text, 16)
    except ValueError:
        value = 0
    if not 0x0600 <= value <= 0xFFFF or value in (0x0800, 0x0806, 0x8100, 0x86DD, 0x88A8):
        raise _RefusedError("a hexadecimal EtherType from 0x0600 to 0xffff that is not IP, ARP or VLAN, such as 0x88b5")
    return value


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise _RefusedError(" | ".join(allowed))
        return text

    return parse


def _choices(*allowed: str) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        values = tuple(part.strip() for part in text.split(","))
        if not set(values) <= set(allowed) or len(set(values)) != len(values):
            raise _RefusedError(f"one or more, separated by commas, of {', '.join(allowed)}")
        return values

    return parse


def _yes_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise _RefusedError("yes | no")
    return text == "yes"


def _or_auto(word: str, parse: Callable[[str], Any], allowed: str) -> Callable[[str], Any]:
    def parse_or_auto(text: str) -> Any:
        if text == word:
            return AUTO
        try:
            return parse(text)
        except _RefusedError:
            raise _RefusedError(f"{word}, or {allowed}") from None

    return parse_or_auto


_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s)")
_TIME_ALLOWED = "a time with its unit such as 20ms or 1.5s, at most {}"


def _time(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        match = _TIME.fullmatch(text)
        value = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else -1.0
        if not low <= value <= high:
            raise _RefusedError(f"a time with its unit from {low * 1000:g}ms to {high:g}s, such as 20ms or 1.5s")
        return value

    return parse


def _reorder_timeout(text: str) -> float:
    return 0.0 if text == "0" else _time(0, 10)(text)


_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg])bit")


def _rate(text: str) -> int | None:
    if not text:
        return None
    match = _RATE.fullmatch(text)
    value = int(float(match[1]) * {"k": 10**3, "m": 10**6, "g": 10**9}[match[2]]) if match else 0
    if not 8_000 <= value <= 400 * 10**9:
        raise _RefusedError("a rate with its unit from 8kbit to 400gbit, such as 100mbit")
    return value


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise _RefusedError("IPv4 or IPv6 addresses or networks (no host bits), separated by commas, "
                       "such as 10.99.0.2, fd99::2/128") from None


def _destinations(text: str) -> tuple[Network, ...]:
    networks = _networks(text)
    if not networks:
        raise _RefusedError("at least one IPv4 or IPv6 address or network, such as 10.99.0.2, fd99::2/128")
    return networks


_MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}")


def _mac(text: str) -> bytes:
    if not _MAC.fullmatch(text) or int(text[:2], 16) & 1 or not int(text.replace(":", ""), 16):
        raise _RefusedError("the peer's unicast MAC address as six pairs of hexadecimal digits, such as 52:54:00:12:34:56")
    return bytes.fromhex(text.replace(":", ""))


def _interface(text: str) -> str:
    if not re.fullmatch(r"[^\s/:]{1,15}", text) or text in (".", ".."):
        raise _RefusedError("an interface name of 1 to 15 characters without blanks, ':' and '/', such as eth0")
    return text


def _path(text: str) -> Path:
    # Linux' sockaddr_un holds 108 bytes, the terminating zero included (unix(7)).
    if not text.startswith("/") or len(text.encode()) > 107:
        raise _RefusedError("an absolute path of at most 107 bytes")
    return Path(text)


def _window(text: str) -> int:
    value = _integer(256, 1 << 20)(text)
    if value & (value - 1):
        raise _RefusedError("a power of two from 256 to 1048576")
    return value


def _text(text: str) -> str:
    return text


_COPIES = _or_auto("all", _integer(1, 255), "a whole number from 1 to 255")
_REORDER = _or_auto("auto", _reorder_timeout, "0 for off, or a time with its unit of at most 10s such as 20ms")

NODE: Final = (
    Option("queue", "1", _integer(0, 65535), "first NFQUEUE number, 0 to 65535"),
    Option("scheduler", "redundant", _choice(*sorted(SCHEDULERS)),
           f"how packets are laid on links: {' | '.join(sorted(SCHEDULERS))}"),
    Option("copies", "all", _COPIES, "redundant: on how many links each packet goes: all, or a number"),
    Option("chains", "OUTPUT", _choices("OUTPUT", "FORWARD"), "where packets are caught: OUTPUT, FORWARD, or both"),
    Option("ethertype", "0x88b5", _ethertype, "EtherType of the frames, the same on both sides"),
    Option("reorder_timeout", "auto", _REORDER,
           "longest wait for an earlier packet: auto, a time such as 20ms, or 0 = off"),
    Option("manage_host", "yes", _yes_no, "yes: set up rules, device and routes, and undo them; no: only check"),
    Option("device", "alagg0", _interface, "name of the device that carries the routes (manage_host = yes)"),
    Option("addresses", "auto", _or_auto("auto", _networks, "IPv4 or IPv6 addresses separated by commas"),
           "this host's addresses on the device: auto (those it uses towards the peers), or a list"),
    Option("networks", "", _networks, "networks behind this host that peers may send to (chains = FORWARD)"),
    Option("mark", "0xa1a6", _integer(1, 0xFFFFFFFF), "mark of injected packets, so that no rule catches them again"),
    Option("window", "65536", _window, "packet numbers that duplicate elimination remembers, a power of two"),
    Option("probe_interval", "100ms", _time(0.01, 10), "how often each link is probed, 10ms to 10s"),
    Option("control_socket", "/run/alagg/alagg.sock", _path, "where `alagg status` finds the node"),
    Option("control_group", "", _text, "group that may use the control socket besides root; empty: nobody"),
    Option("log_level", "info", _choice("debug", "info", "warning", "error"), "debug | info | warning | error"),
    Option("log_format", "text", _choice("text", "json"), "text | json (one object per line)"),
)
PEER: Final = (
    Option("destinations", None, _destinations, "its addresses and networks, IPv4 and IPv6, separated by commas",
           "10.99.0.2, fd99::2/128"),
    *(option for option in NODE if option.key in ("scheduler", "copies", "reorder_timeout")),
)
LINK: Final = (
    Option("peer", "", _text, "which peer it leads to; may be left out when there is one peer", "office"),
    Option("type", "ethernet", _choice(*sorted(PORTS)), " | ".join(sorted(PORTS))),
    Option("interface", None, _interface, "the local interface", "eth0"),
    Option("mac", None, _mac, "the peer's MAC address on this link", "52:54:00:12:34:56"),
    Option("weight", "1", _integer(1, 1000), "share of the packets for schedulers that weigh, 1 to 1000"),
    Option("rate", "", _rate, "shape the interface to this rate, such as 100mbit; empty: no limit"),
)


# --- files ------------------------------------------------------------------------------------------------------


def load(path: Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        ConfigError: the file cannot be read or something in it is wrong; the text is one line for the user.
    """
    return _Reader(path, _parse(path)).config()


def _parse(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(
        interpolation=None, inline_comment_prefixes=(";", "#"), default_section="\0", delimiters=("=",)
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    except configparser.DuplicateSectionError as error:
        raise ConfigError(f"{path}: line {error.lineno}: [{error.section}] stands twice; allowed: once") from None
    except configparser.DuplicateOptionError as error:
        raise ConfigError(
            f"{path}: line {error.lineno}: [{error.section}] {error.option} stands twice; allowed: once"
        ) from None
    except configparser.MissingSectionHeaderError as error:
        raise ConfigError(
            f"{path}: line {error.lineno}: stands before any section; allowed: [alagg], [peer NAME], [link NAME]"
        ) from None
    except configparser.ParsingError as error:
        line, text = error.errors[0]
        raise ConfigError(f"{path}: line {line}: {text} is not understood; allowed: key = value") from None
    return parser


class _Reader:
    """Turns a parsed file into a `Config`, section by section."""

    def __init__(self, path: Path, parser: configparser.ConfigParser) -> None:
        self.path = path
        self.parser = parser

    def config(self) -> Config:
        names = self._sections()
        node = self._values("alagg", NODE, {}) if self.parser.has_section("alagg") else _defaults(NODE)
        shared = {key: node.pop(key) for key in ("scheduler", "copies", "reorder_timeout")}
        peers = {name: self._values(f"peer {name}", PEER, shared) for name in names["peer"]}
        links = [self._link(name, tuple(peers)) for name in names["link"]]
        self._check_destinations(peers)
        self._check_links(links)
        built = tuple(
            PeerConfig(name=name, links=self._links_of(name, links), **values) for name, values in peers.items()
        )
        return Config(path=self.path, peers=built, **node)

    def _sections(self) -> dict[str, list[str]]:
        """Sort the sections by kind and refuse unknown ones."""
        names: dict[str, list[str]] = {"peer": [], "link": []}
        for section in self.parser.sections():
            kind, _, name = section.partition(" ")
            name = name.strip()
            if section == "alagg":
                continue
            if kind not in names or not re.fullmatch(r"[\w.-]{1,32}", name):
                raise ConfigError(
                    f"{self.path}: [{section}] is not a section; allowed: [alagg], [peer NAME], [link NAME] "
                    "(NAME: 1 to 32 letters, digits, '_', '.', '-')"
                )
            if section != f"{kind} {name}":
                raise ConfigError(f"{self.path}: [{section}]: allowed: one blank, [{kind} {name}]")
            names[kind].append(name)
        if not names["peer"]:
            raise ConfigError(f"{self.path}: there is no peer; allowed: one or more [peer NAME]")
        return names

    def _values(self, section: str, options: Sequence[Option], inherited: Mapping[str, Any]) -> dict[str, Any]:
        given = self.parser[section]
        known = {option.key for option in options}
        for key in given:
            if key not in known:
                raise ConfigError(
                    f"{self.path}: [{section}] {key} = {given[key]}: unknown key; allowed: {', '.join(sorted(known))}"
                )
        return {option.key: self._value(section, option, inherited) for option in options}

    def _value(self, section: str, option: Option, inherited: Mapping[str, Any]) -> Any:
        text = self.parser[section].get(option.key)
        if text is None and option.key in inherited:
            return inherited[option.key]
        if text is None and option.default is None:
            raise ConfigError(f"{self.path}: [{section}] {option.key}: is missing; allowed: {option.comment}")
        try:
            return option.parse(" ".join((option.default if text is None else text or "").split()))
        except _RefusedError as refused:
            raise ConfigError(f"{self.path}: [{section}] {option.key} = {text}: allowed: {refused}") from None

    def _link(self, name: str, peers: tuple[str, ...]) -> LinkConfig:
        values = self._values(f"link {name}", LINK, {})
        if not values["peer"] and len(peers) == 1:
            values["peer"] = peers[0]
        if values["peer"] not in peers:
            raise ConfigError(
                f"{self.path}: [link {name}] peer = {values['peer']}: no such peer; allowed: {' | '.join(peers)}"
            )
        return LinkConfig(name=name, **values)

    def _links_of(self, peer: str, links: Sequence[LinkConfig]) -> tuple[LinkConfig, ...]:
        mine = tuple(link for link in links if link.peer == peer)
        if not mine:
            raise ConfigError(f"{self.path}: [peer {peer}] has no link; allowed: one or more [link NAME] for it")
        if len(mine) > 255:
            raise ConfigError(f"{self.path}: [peer {peer}] has {len(mine)} links; allowed: at most 255")
        return mine

    def _check_links(self, links: Sequence[LinkConfig]) -> None:
        taken: dict[tuple[str, bytes], str] = {}
        for link in links:
            other = taken.setdefault((link.interface, link.mac), link.name)
            if other != link.name:
                raise ConfigError(
                    f"{self.path}: [link {link.name}] mac = {link.mac.hex(':')}: is [link {other}]'s on the same "
                    "interface; allowed: each pair of interface and mac once"
                )

    def _check_destinations(self, peers: Mapping[str, dict[str, Any]]) -> None:
        taken: dict[Network, str] = {}
        for name, values in peers.items():
            for network in values["destinations"]:
                other = taken.setdefault(network, name)
                if other != name:
                    raise ConfigError(
                        f"{self.path}: [peer {name}] destinations = {network}: is [peer {other}]'s; "
                        "allowed: each network in one peer"
                    )


def _defaults(options: Sequence[Option]) -> dict[str, Any]:
    return {option.key: option.parse(option.default or "") for option in options}

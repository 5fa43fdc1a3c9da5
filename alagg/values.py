"""The values that options take: each parser reads a text, or refuses it and says what is allowed."""

from __future__ import annotations

import difflib
import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

AUTO: Final = None
"""The value of a time or size that the node finds by itself."""


class RefusedError(ValueError):
    """A value that an option does not take; the text says what it takes."""


def similar(text: str, known: Iterable[str]) -> str:
    """Give "; did you mean …?" where a known word resembles a wrong one, else nothing."""
    words = {word.lower(): word for word in known}
    found = difflib.get_close_matches(text.lower(), words, 1)
    return f"; did you mean {words[found[0]]}?" if found else ""


def counted(number: int, word: str) -> str:
    """Say how many there are of something: 1 peer, 2 peers."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def integer(low: int, high: int) -> Callable[[str], int]:
    """Make a parser of whole numbers, decimal or 0x…."""

    def parse(text: str) -> int:
        try:
            value = int(text, 0)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise RefusedError(f"a whole number from {low} to {high}")
        return value

    return parse


def ethertype(text: str) -> int:
    """Read an EtherType that no protocol of ours or of the host uses."""
    try:
        value = int(text, 16)
    except ValueError:
        value = 0
    if not 0x0600 <= value <= 0xFFFF or value in (0x0800, 0x0806, 0x8100, 0x86DD, 0x88A8):
        raise RefusedError("a hexadecimal EtherType from 0x0600 to 0xffff, not of IP, ARP or VLAN, such as 0x88b5")
    return value


def choice(*allowed: str) -> Callable[[str], str]:
    """Make a parser of one of several words, in upper or lower case."""

    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise RefusedError(" | ".join(allowed) + similar(text, allowed))
        return text.lower()

    return parse


def choices(*allowed: str) -> Callable[[str], tuple[str, ...]]:
    """Make a parser of a list of words in upper case, each at most once."""

    def parse(text: str) -> tuple[str, ...]:
        chosen = tuple(part.strip().upper() for part in text.split(","))
        if not set(chosen) <= set(allowed) or len(set(chosen)) != len(chosen):
            hint = next((similar(word, allowed) for word in chosen if word not in allowed), "")
            raise RefusedError(f"one or more, each once, separated by commas, of {', '.join(allowed)}{hint}")
        return chosen

    return parse


_YES_NO: Final = {"yes": "yes", "true": "yes", "on": "yes", "no": "no", "false": "no", "off": "no"}


def yes_no(text: str) -> bool:
    """Read yes or no, or what else people write for them."""
    try:
        return _YES_NO[text.lower()] == "yes"
    except KeyError:
        raise RefusedError("yes | no") from None


def auto_yes_no(text: str) -> str:
    """Read auto, yes or no."""
    return choice("auto", "yes", "no")(_YES_NO.get(text.lower(), text))


def or_nothing(parse: Callable[[str], Any], nothing: Any) -> Callable[[str], Any]:
    """Make a parser that also takes an empty text, which gives `nothing`."""
    return lambda text: parse(text) if text else nothing


def or_auto(word: str, parse: Callable[[str], Any], allowed: str) -> Callable[[str], Any]:
    """Make a parser that also takes `word`, which gives `AUTO`."""

    def parse_or_auto(text: str) -> Any:
        if text.lower() == word:
            return AUTO
        try:
            return parse(text)
        except RefusedError:
            raise RefusedError(f"{word}, or {allowed}") from None

    return parse_or_auto


_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s)", re.ASCII)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def time(low: float, high: float) -> Callable[[str], float]:
    """Make a parser of times with their unit; it gives seconds."""

    def parse(text: str) -> float:
        match = _TIME.fullmatch(text)
        value = float(match[1]) * _SECONDS[match[2]] if match else -1.0
        if not low <= value <= high:
            raise RefusedError(f"a time with its unit from {low * 1000:g}ms to {high:g}s, such as 20ms or 1.5s")
        return value

    return parse


def reorder_timeout(text: str) -> float:
    """Read a time in seconds; 0 needs no unit."""
    return 0.0 if text == "0" else time(0, 10)(text)


def busy_poll(text: str) -> float:
    """Read a short time in seconds; 0 needs no unit."""
    try:
        return 0.0 if text == "0" else time(0, 0.01)(text)
    except RefusedError:
        raise RefusedError("0 for off, or a time with its unit of at most 10ms such as 50us") from None


_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg])bit", re.ASCII)


def rate(text: str) -> int | None:
    """Read bits per second; None for no limit."""
    if not text:
        return None
    match = _RATE.fullmatch(text)
    value = float(match[1]) * {"k": 1e3, "m": 1e6, "g": 1e9}[match[2]] if match else 0.0
    if not 8e3 <= value <= 400e9:
        raise RefusedError("empty for no limit, or a rate with its unit from 8kbit to 400gbit, such as 100mbit")
    return round(value)


_EVERYONE: Final = ipaddress.ip_network("255.255.255.255")
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
"""IPv4 addresses as IPv6 sockets see them: no packet bears them (RFC 4291, section 2.5.5.2)."""


def _network(text: str) -> Network:
    network = ipaddress.ip_network(text)
    nowhere = network.num_addresses == 1 and (network.is_unspecified or network == _EVERYONE)
    mapped = network.version == 6 and network.subnet_of(_MAPPED)
    if network.is_multicast or network.is_loopback or network.is_link_local or nowhere or mapped:
        raise ValueError(text)
    return network


def address(text: str) -> Address:
    """Read one IPv4 or IPv6 address.

    Raises:
        ValueError: it is none.
    """
    return ipaddress.ip_address(text)


def networks(text: str) -> tuple[Network, ...]:
    """Read a list of networks, each kept once; it may be empty."""
    try:
        return tuple(dict.fromkeys(_network(part.strip()) for part in text.split(",") if part.strip()))
    except ValueError:
        raise RefusedError(
            "unicast IPv4 or IPv6 addresses or networks (no host bits, not link-local), separated by commas, "
            "such as 10.99.0.2, fd99::/64"
        ) from None


def destinations(text: str) -> tuple[Network, ...]:
    """Read a list of networks that has at least one."""
    if not (found := networks(text)):
        raise RefusedError("at least one IPv4 or IPv6 address or network, such as 10.99.0.2, fd99::2/128")
    if any(network.prefixlen == 0 for network in found):
        raise RefusedError(
            "addresses and networks of the peer, not the default route; what stands for all of it is "
            "0.0.0.0/1, 128.0.0.0/1 or ::/1, 8000::/1"
        )
    return found


ADDRESSES_ALLOWED: Final = "one or more unicast addresses, IPv4 or IPv6, separated by commas, such as 10.99.0.1"


def addresses(text: str) -> tuple[Network, ...]:
    """Read a list of single addresses that has at least one."""
    found = destinations(text)
    if any(network.num_addresses > 1 for network in found):
        raise RefusedError(ADDRESSES_ALLOWED)
    return found


_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}")


def mac(text: str) -> bytes:
    """Read a unicast MAC address, 6 bytes."""
    digits = text.replace(":", "").replace("-", "")
    if not _MAC.fullmatch(text) or int(text[:2], 16) & 1 or not int(digits, 16):
        raise RefusedError("the peer's unicast MAC address, six pairs of hex digits such as 52:54:00:12:34:56")
    return bytes.fromhex(digits)


ANY_MAC: Final = b"\xff" * 6
"""In the place of a peer's MAC address: it is asked for by broadcast."""


def link_mac(text: str) -> bytes:
    """Read a peer's unicast MAC address, or `auto`, which gives `ANY_MAC`."""
    if text == "auto":
        return ANY_MAC
    try:
        return mac(text)
    except RefusedError as error:
        raise RefusedError(f"{error}, or auto") from None


def mac_text(mac: bytes) -> str:
    """Write a link's MAC address as in the configuration."""
    return "auto" if mac == ANY_MAC else mac.hex(":")


class UdpAddress(NamedTuple):
    """An address or a name, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as in the configuration, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def ip(self) -> Address | None:
        """The address; None for a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


_UDP = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([\w.-]+)):(\d{1,5})", re.ASCII)
_HOST = re.compile(r"(?=.{1,253}$)(?:(?!-)[\w-]{1,63}(?<!-)\.)*(?!-)[\w-]{1,63}(?<!-)\.?", re.ASCII)
_LOCAL_ALLOWED: Final = (
    "an address of this host and a port from 1 to 65535, IPv6 in brackets, such as 0.0.0.0:7311 or [::]:7311"
)
_REMOTE_ALLOWED: Final = (
    "the peer's unicast address or name and a port from 1 to 65535, IPv6 in brackets, such as 203.0.113.5:7311, "
    "[2001:db8::5]:7311 or office.example.org:7311"
)


def _udp_address(text: str, allowed: str) -> UdpAddress:
    found = _UDP.fullmatch(text)
    if not found or not 1 <= int(found[3]) <= 65535:
        raise RefusedError(allowed)
    host = found[1] or found[2]
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        if found[1] or not _HOST.fullmatch(host) or re.fullmatch(r"[\d.]+", host):
            raise RefusedError(allowed) from None
        return UdpAddress(host.lower(), int(found[3]))
    if (ip.version == 6) != bool(found[1]) or ip.is_multicast or str(ip) == "255.255.255.255":
        raise RefusedError(allowed)
    return UdpAddress(str(ip), int(found[3]))


def udp_local(text: str) -> UdpAddress | None:
    """Read where datagrams come in; None for any address and port."""
    if not text:
        return None
    found = _udp_address(text, _LOCAL_ALLOWED)
    if found.ip is None:
        raise RefusedError(_LOCAL_ALLOWED)
    return found


def udp_remote(text: str) -> UdpAddress | None:
    """Read where datagrams go; None where the peer comes first."""
    if not text:
        return None
    found = _udp_address(text, _REMOTE_ALLOWED)
    if found.ip is not None and found.ip.is_unspecified:
        raise RefusedError(_REMOTE_ALLOWED)
    return found


def interface(text: str) -> str:
    """Read the name of a network interface."""
    if not re.fullmatch(r"[^\s/:]{1,15}", text) or len(text.encode()) > 15 or text in (".", ".."):
        raise RefusedError("an interface name of 1 to 15 characters without blanks, ':' and '/', such as eth0")
    return text


def path(text: str) -> Path:
    """Read the path of a Unix socket."""
    # Linux' sockaddr_un holds 108 bytes, the terminating zero included (unix(7)).
    if not text.startswith("/") or text.endswith("/") or "\0" in text or len(text.encode()) > 107:
        raise RefusedError("an absolute path of at most 107 bytes")
    return Path(text)


def window(text: str) -> int:
    """Read a power of two."""
    if text not in (sizes := [str(1 << bits) for bits in range(8, 21)]):
        raise RefusedError(f"a power of two from {sizes[0]} to {sizes[-1]}")
    return int(text)


def name(text: str) -> str:
    """Take any one word, or nothing."""
    if " " in text:
        raise RefusedError("one word, or nothing")
    return text

"""Socket addresses: what is packed is read again, by the kernel as by us."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.ports import sockaddr


@given(st.ip_addresses(), st.integers(0, 65_535))
def test_address_of_either_family_comes_back(address: sockaddr.Address, port: int) -> None:
    name = sockaddr.pack(address, port, family=socket.AF_INET6)
    if address.version == 6 and address.ipv4_mapped is None:
        assert not sockaddr.is_ipv4(name)
    if address.version == 4:
        assert sockaddr.unpack(sockaddr.pack(address, port, family=socket.AF_INET)) == (address, port)
        assert sockaddr.is_ipv4(name)
    else:
        assert sockaddr.of_tuple(sockaddr.to_tuple(name)) == name
    assert sockaddr.unpack(name) == (getattr(address, "ipv4_mapped", None) or address, port)


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_kernel_reads_it_the_same_way(host: str, family: socket.AddressFamily) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        port = sock.getsockname()[1]
        name = sockaddr.pack(ipaddress.ip_address(host), port, family=family)
        assert sockaddr.of_tuple(sock.getsockname()) == name
        assert sockaddr.to_tuple(name) == sock.getsockname()


def test_scope_of_a_link_local_address_goes_along() -> None:
    lo = socket.if_nametoindex("lo")
    for text in (f"fe80::1%{lo}", "fe80::1%lo"):
        name = sockaddr.pack(sockaddr.ip(text), 7311, family=socket.AF_INET6)
        assert sockaddr.to_tuple(name) == ("fe80::1", 7311, 0, lo)


def test_ipv4_socket_does_not_reach_ipv6() -> None:
    with pytest.raises(ValueError, match="from a socket of IPv4"):
        sockaddr.pack(sockaddr.ip("::1"), 1, family=socket.AF_INET)


def test_text_is_that_of_a_configuration() -> None:
    for host, family, text in (
        ("192.0.2.1", socket.AF_INET, "192.0.2.1:7"), ("192.0.2.1", socket.AF_INET6, "192.0.2.1:7"),
        ("::1", socket.AF_INET6, "[::1]:7"),
    ):  # fmt: skip
        assert sockaddr.text(sockaddr.pack(sockaddr.ip(host), 7, family=family)) == text
    assert sockaddr.text(b"") == ""

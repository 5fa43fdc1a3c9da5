"""Configurations: the right ones give their values, each wrong one gets one line that says what is allowed."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg import cli, config
from alagg.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[[str], Path]

PEER = "[peer office]\ndestinations = 10.99.0.2, fd99::2/128\n"
LINK = "[link fibre]\ninterface = eth0\nmac = 52:54:00:12:34:56\n"
SECOND_PEER = "[peer home]\ndestinations = 10.98.0.2\n"
SECOND_LINK = "[link copper]\ninterface = eth1\nmac = 52:54:00:12:34:57\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str) -> Path:
        path = tmp_path / "alagg.cfg"
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def node(line: str) -> str:
    return f"[alagg]\n{line}\n{PEER}{LINK}"


def peer(line: str) -> str:
    return f"[peer office]\n{line}\n{LINK}"


def link(line: str) -> str:
    return f"{PEER}[link fibre]\n{line}\n"


INTERFACE = "interface = eth0"
MAC = "mac = 52:54:00:12:34:56"

# What is written, the place that the answer names, and a part of what it says is allowed.
WRONG = [
    # the section [alagg]
    (node("queue = -1"), "[alagg] queue = -1", "0 to 65535"),
    (node("queue = 65536"), "[alagg] queue = 65536", "0 to 65535"),
    (node("queue = first"), "[alagg] queue = first", "a whole number"),
    (node("queue = 1.5"), "[alagg] queue = 1.5", "a whole number"),
    (node("queue ="), "[alagg] queue =", "a whole number"),
    (node("queue = 1; not a comment"), "[alagg] queue = 1; not a comment", "a whole number"),
    (node("queue = 1\n  2"), "[alagg] queue = 1 2", "a whole number"),
    (node("scheduler = fastest"), "[alagg] scheduler = fastest", "redundant"),
    (node("scheduler = redundent"), "[alagg] scheduler = redundent", "did you mean redundant?"),
    (node("copies = 0"), "[alagg] copies = 0", "all, or a whole number from 1 to 255"),
    (node("copies = none"), "[alagg] copies = none", "all, or a whole number from 1 to 255"),
    (node("chains = INPUT"), "[alagg] chains = INPUT", "OUTPUT, FORWARD"),
    (node("chains = OUTPUT, OUTPUT"), "[alagg] chains = OUTPUT, OUTPUT", "each once"),
    (node("chains ="), "[alagg] chains =", "OUTPUT, FORWARD"),
    (node("ethertype = 0x0800"), "[alagg] ethertype = 0x0800", "not of IP"),
    (node("ethertype = 0x12345"), "[alagg] ethertype = 0x12345", "0x0600 to 0xffff"),
    (node("ethertype = 100"), "[alagg] ethertype = 100", "0x0600 to 0xffff"),
    (node("ethertype = ours"), "[alagg] ethertype = ours", "hexadecimal"),
    (node("reorder_timeout = 20"), "[alagg] reorder_timeout = 20", "with its unit"),
    (node("reorder_timeout = 11s"), "[alagg] reorder_timeout = 11s", "at most 10s"),
    (node("reorder_timeout = -1ms"), "[alagg] reorder_timeout = -1ms", "auto, or 0"),
    (node("reorder_timeout = 1min"), "[alagg] reorder_timeout = 1min", "with its unit"),
    (node("manage_host = maybe"), "[alagg] manage_host = maybe", "yes | no"),
    (node("capture = tun"), "[alagg] capture = tun", "auto | nfqueue | device"),
    (node("when_unreachable = wait"), "[alagg] when_unreachable = wait", "pass | drop"),
    (node("capture = device\nmanage_host = no"), "[alagg] capture = device", "auto | nfqueue, or manage_host = yes"),
    (node("device = alagg-for-the-office"), "[alagg] device = alagg-for-the-office", "1 to 15 characters"),
    (node("device = a/b"), "[alagg] device = a/b", "1 to 15 characters"),
    (node("device = eth0"), "[link fibre] interface = eth0", "another interface"),
    (node("addresses = 10.0.0.0/8"), "[alagg] addresses = 10.0.0.0/8", "auto, or one or more"),
    (node("addresses ="), "[alagg] addresses =", "auto, or one or more"),
    (node("networks = 192.168.1.1/24"), "[alagg] networks = 192.168.1.1/24", "no host bits"),
    (node("mark = 0"), "[alagg] mark = 0", "1 to 4294967295"),
    (node("window = 1000"), "[alagg] window = 1000", "a power of two"),
    (node("window = 128"), "[alagg] window = 128", "from 256"),
    (node("probe_interval = 5ms"), "[alagg] probe_interval = 5ms", "10ms"),
    (node("probe_interval = 0"), "[alagg] probe_interval = 0", "with its unit"),
    (node("control_socket = alagg.sock"), "[alagg] control_socket = alagg.sock", "an absolute path"),
    (node("control_socket = /run/alagg/"), "[alagg] control_socket = /run/alagg/", "an absolute path"),
    (node(f"control_socket = /{'a' * 107}"), "[alagg] control_socket = /aaa", "at most 107 bytes"),
    (node("control_group = net admin"), "[alagg] control_group = net admin", "one word"),
    (node("log_level = loud"), "[alagg] log_level = loud", "debug | info | warning | error"),
    (node("log_format = xml"), "[alagg] log_format = xml", "text | json"),
    (node("que = 1"), "[alagg] que = 1", "queue, workers, scheduler"),
    (node("Queue = 1"), "[alagg] Queue = 1", "queue, workers, scheduler"),
    (node("que = 1"), "[alagg] que = 1", "did you mean queue?"),
    (node("que = 1\n  2"), "[alagg] que = 1 2", "queue, workers, scheduler"),
    (node("queue = 1\nqueue = 2"), "[alagg] queue", "once"),
    (node("queue"), "line 2", "key = value"),
    (node("queue: 1"), "line 2", "key = value"),
    (node("garbage"), "line 2: 'garbage' is not understood", "key = value"),
    # the sections [peer NAME]
    (peer("destinations ="), "[peer office] destinations =", "at least one"),
    (peer("scheduler = redundant"), "[peer office] destinations", "IPv4 and IPv6 addresses"),
    (peer("destinations = office.example"), "[peer office] destinations = office.example", "10.99.0.2"),
    (peer("destinations = 10.99.0.300"), "[peer office] destinations = 10.99.0.300", "10.99.0.2"),
    (peer("destinations = 10.99.0.2/24"), "[peer office] destinations = 10.99.0.2/24", "no host bits"),
    (peer("destinations = fd99::2/64"), "[peer office] destinations = fd99::2/64", "no host bits"),
    (peer("destinations = 127.0.0.1"), "[peer office] destinations = 127.0.0.1", "unicast"),
    (peer("destinations = 255.255.255.255"), "[peer office] destinations = 255.255.255.255", "unicast"),
    (peer("destinations = ::ffff:10.99.0.2"), "[peer office] destinations = ::ffff:10.99.0.2", "unicast"),
    (peer("destinations = ff02::1"), "[peer office] destinations = ff02::1", "unicast"),
    (peer("destinations = 0.0.0.0"), "[peer office] destinations = 0.0.0.0", "unicast"),
    (peer("destinations = 169.254.1.1"), "[peer office] destinations = 169.254.1.1", "not link-local"),
    (peer("destinations = fe80::/64"), "[peer office] destinations = fe80::/64", "not link-local"),
    (peer("destinations = 0.0.0.0/0"), "[peer office] destinations = 0.0.0.0/0", "not the default route"),
    (peer("destinations = ::/0"), "[peer office] destinations = ::/0", "not the default route"),
    (peer("destinations = 10.99.0.2\nqueue = 1"), "[peer office] queue = 1", "destinations, scheduler"),
    (peer("destinations = 10.99.0.2\ncopies = 256"), "[peer office] copies = 256", "1 to 255"),
    (PEER + LINK + "peer = office\n" + SECOND_PEER, "[peer home] has no link", "one or more [link NAME]"),
    (
        f"{PEER}{LINK}peer = office\n[peer home]\ndestinations = 10.99.0.2\n{SECOND_LINK}peer = home\n",
        "[peer home] destinations = 10.99.0.2/32",
        "each network in one peer",
    ),
    # the sections [link NAME]
    (link(MAC), "[link fibre] interface", "the local interface"),
    (link(INTERFACE), "[link fibre] mac", "the peer's MAC address"),
    (link(f"{MAC}\ninterface = eth0:1"), "[link fibre] interface = eth0:1", "without blanks"),
    (link(f"{MAC}\ninterface = .."), "[link fibre] interface = ..", "such as eth0"),
    (link(f"{MAC}\ninterface = éééééééé"), "[link fibre] interface = éé", "1 to 15"),
    (link(f"{INTERFACE}\nmac = 52-54:00-12-34-56"), "[link fibre] mac = 52-54:00-12-34-56", "six pairs"),
    (link(f"{INTERFACE}\nmac = 52:54:00:12:34"), "[link fibre] mac = 52:54:00:12:34", "six pairs"),
    (link(f"{INTERFACE}\nmac = ff:ff:ff:ff:ff:ff"), "[link fibre] mac = ff:ff", "unicast"),
    (link(f"{INTERFACE}\nmac = 00:00:00:00:00:00"), "[link fibre] mac = 00:00", "unicast"),
    (link(f"{INTERFACE}\n{MAC}\ntype = tunnel"), "[link fibre] type = tunnel", "ethernet | udp"),
    (link(f"{INTERFACE}\n{MAC}\ntype = udp"), "[link fibre] mac = 52:54:00:12:34:56: a link of type udp", "remote"),
    (link(f"{INTERFACE}\n{MAC}\nlocal = 0.0.0.0:1"), "local = 0.0.0.0:1: a link of type ethernet has none", "mac"),
    (link("type = udp"), "[link fibre] local: is missing", "an address and port to wait at"),
    (link("type = udp\nlocal = 7311"), "local = 7311", "0.0.0.0:7311"),
    (link("type = udp\nlocal = office:7311"), "local = office:7311", "an address of this host"),
    (link("type = udp\nlocal = ::1:7311"), "local = ::1:7311", "IPv6 in brackets"),
    (link("type = udp\nlocal = 0.0.0.0:0"), "local = 0.0.0.0:0", "from 1 to 65535"),
    (link("type = udp\nremote = 203.0.113.5"), "remote = 203.0.113.5", "office.example.org:7311"),
    (link("type = udp\nremote = 203.0.113.256:1"), "remote = 203.0.113.256:1", "203.0.113.5:7311"),
    (link("type = udp\nremote = 0.0.0.0:7311"), "remote = 0.0.0.0:7311", "unicast"),
    (link("type = udp\nremote = 224.0.0.1:7311"), "remote = 224.0.0.1:7311", "unicast"),
    (link("type = udp\nremote = 203.0.113.5:65536"), "remote = 203.0.113.5:65536", "from 1 to 65535"),
    (link("type = udp\nremote = [office]:1"), "remote = [office]:1", "IPv6 in brackets"),
    (link("type = udp\nlocal = 0.0.0.0:1\nremote = [2001:db8::5]:1"), "cannot be reached from local", "both IPv4"),
    (link("backup = perhaps"), "backup = perhaps", "yes | no"),
    (link("type = udp\nremote = 192.0.2.1:1\ncopy_dscp = perhaps"), "copy_dscp = perhaps", "yes | no"),
    (link(f"{INTERFACE}\n{MAC}\nlocal = 10.0.0.1:4000"), "[link fibre] local = 10.0.0.1:4000", "peer, type, in"),
    (link(f"{INTERFACE}\n{MAC}\nweight = 0"), "[link fibre] weight = 0", "1 to 1000000"),
    (link(f"{INTERFACE}\n{MAC}\nrate = 100"), "[link fibre] rate = 100", "with its unit"),
    (link(f"{INTERFACE}\n{MAC}\nrate = 1kbit"), "[link fibre] rate = 1kbit", "from 8kbit"),
    (link(f"{INTERFACE}\n{MAC}\nrate = 100MB"), "[link fibre] rate = 100MB", "such as 100mbit"),
    (link(f"{INTERFACE}\n{MAC}\ncap = 5GB"), "[link fibre] cap = 5GB", "such as 5GB/month"),
    (link(f"{INTERFACE}\n{MAC}\nwhen_capped = stop"), "[link fibre] when_capped = stop", "block | standby | warn"),
    (link(f"{INTERFACE}\n{MAC}\nrate = {'9' * 400}mbit"), "[link fibre] rate = 999", "to 400gbit"),
    (link(f"{INTERFACE}\n{MAC}\npeer = home"), "[link fibre] peer = home: no such peer", "office"),
    (PEER + SECOND_PEER + LINK, "[link fibre] peer = : is missing", "office | home"),
    (PEER + LINK + SECOND_LINK.replace("eth1", "eth0").replace("57", "56"), "[link copper] mac", "each pair"),
    # options that contradict each other: tests/test_consistency.py has the rest
    (peer("destinations = 10.99.0.2\ncopies = 2"), "[peer office] copies = 2: it has 1 link", "at most as many"),
    # the file as a whole
    ("", "there is no peer", "one or more [peer NAME]"),
    ("[alagg]\nqueue = 1\n", "there is no peer", "one or more [peer NAME]"),
    (PEER, "[peer office] has no link", "one or more [link NAME]"),
    ("queue = 1\n", "line 1", "[alagg], [peer NAME], [link NAME]"),
    (f"{PEER}{LINK}[links]\n", "[links] is not a section", "[alagg], [peer NAME], [link NAME]"),
    (f"{PEER}{LINK}[lnk copper]\n", "[lnk copper] is not a section", "did you mean link?"),
    (f"{PEER}{LINK}[link]\n", "[link] is not a section", "[link NAME]"),
    (f"{PEER}{LINK}[DEFAULT]\nqueue = 1\n", "[DEFAULT] is not a section", "[alagg]"),
    (f"{PEER}{LINK}[link my link]\n", "[link my link] is not a section", "1 to 32 letters"),
    (f"{PEER}{LINK}[link  copper]\n", "[link  copper]", "one blank, [link copper]"),
    (PEER + LINK + LINK, "[link fibre] stands twice", "once"),
]


@pytest.mark.parametrize(("text", "place", "allowed"), WRONG, ids=[f"{place}" for _, place, _ in WRONG])
def test_wrong_configuration_is_answered_by_one_line(
    write: Write, capsys: pytest.CaptureFixture[str], text: str, place: str, allowed: str
) -> None:
    path = write(text)
    assert cli.main(["check", "--config", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"alagg: {path}: ")
    assert captured.err.endswith("\n")
    assert len(captured.err.splitlines()) == 1
    assert place in captured.err
    assert allowed in captured.err.partition("allowed: ")[2]


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.cfg: cannot be read: No such file or directory"):
        config.load(tmp_path / "nowhere.cfg")


def test_directory_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        config.load(tmp_path)


def test_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "alagg.cfg"
    path.write_bytes(b"[alagg]\nqueue = \xff\n")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        config.load(path)


def test_too_many_links(write: Write) -> None:
    links = "".join(
        f"[link number{number}]\ninterface = eth{number}\nmac = 52:54:00:12:34:56\n" for number in range(256)
    )
    with pytest.raises(ConfigError, match="has 256 links; allowed: at most 255"):
        config.load(write(PEER + links))


@given(text=st.text(alphabet=st.sampled_from("[]=;# \t\n0aé\0%:") | st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.cfg"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        config.load(path)
    assert "\n" not in str(refused.value)


@given(value=st.text(max_size=30))
@pytest.mark.parametrize("option", [*config.NODE, *config.PEER, *config.LINK], ids=lambda option: option.key)
def test_any_value_is_read_or_refused(option: config.Option, value: str) -> None:
    try:
        option.parse(" ".join(value.split()))
    except ValueError as refused:
        assert type(refused).__name__ == "RefusedError"  # noqa: PT017 - an accepted value is as good


def test_the_contract_s_example(write: Write) -> None:
    path = write("""\
[alagg]
queue = 1                    ; first NFQUEUE number
scheduler = redundant        ; redundant | round-robin | weighted | latency | adaptive
chains = OUTPUT              ; OUTPUT, FORWARD: where packets are caught
ethertype = 0x88b5
reorder_timeout = auto       ; auto, or a time such as 20ms; 0 = off
manage_host = yes            ; set up and undo rules, rp_filter and so on; no = only check
control_socket = /run/alagg/alagg.sock

[peer office]                ; one or more
destinations = 10.99.0.2, fd99::2/128
scheduler = redundant        ; overrides [alagg]

[link fibre]                 ; one or more per peer
peer = office                ; may be left out when there is one peer
type = ethernet              ; ethernet | udp | …
interface = eth0
mac = 52:54:00:12:34:56
weight = 3
rate = 100mbit               ; optional: shape to this rate
; type = udp has: interface (optional), local = addr:port, remote = addr:port
""")
    settings = config.load(path)
    assert settings.path == path
    assert (settings.queue, settings.chains, settings.ethertype) == (1, ("OUTPUT",), 0x88B5)
    assert settings.manage_host
    assert str(settings.control_socket) == "/run/alagg/alagg.sock"
    assert str(settings.journal) == "/run/alagg/alagg.journal"
    (office,) = settings.peers
    assert office.destinations == (ip_network("10.99.0.2"), ip_network("fd99::2"))
    assert (office.name, office.scheduler) == ("office", "redundant")
    assert (office.copies, office.reorder_timeout) == (None, None)
    (fibre,) = settings.links
    assert (fibre.name, fibre.peer, fibre.type, fibre.interface) == ("fibre", "office", "ethernet", "eth0")
    assert (fibre.mac, fibre.weight, fibre.rate) == (bytes.fromhex("525400123456"), 3, 100_000_000)


@pytest.mark.parametrize(("options", "chains", "queues"), [
    ("", ("OUTPUT",), (1, 1025)),
    ("manage_host = no", ("OUTPUT", "FORWARD"), (1, 1025)),
    ("capture = nfqueue", ("OUTPUT", "FORWARD"), (1, 1025)),
    ("capture = nfqueue\nmanage_host = no", ("OUTPUT", "FORWARD"), (1, 1025)),
    ("capture = device", (), ()),
])  # fmt: skip
def test_what_rules_catch_beside_the_device(
    write: Write, options: str, chains: tuple[str, ...], queues: tuple[int, ...]
) -> None:
    settings = config.load(write(node(f"chains = OUTPUT, FORWARD\n{options}")))
    assert (settings.rule_chains, settings.queues) == (chains, queues)


def test_everything_else_has_its_default(write: Write) -> None:
    settings = config.load(write(PEER + LINK))
    assert settings.queue == 1
    assert settings.mark == 0xA1A6
    assert settings.window == 65536
    assert settings.probe_interval == pytest.approx(0.1)
    assert settings.addresses is None
    assert settings.networks == ()
    assert (settings.log_level, settings.log_format) == ("info", "text")


def test_peers_inherit_and_override(write: Write) -> None:
    settings = config.load(write(
        f"[alagg]\ncopies = 1\nreorder_timeout = 1.5s\n{PEER}{LINK}peer = office\n"
        f"{SECOND_PEER}copies = all\nreorder_timeout = 0\n{SECOND_LINK}peer = home\n"
    ))
    office, home = settings.peers
    assert (office.copies, office.reorder_timeout) == (1, 1.5)
    assert (home.copies, home.reorder_timeout) == (None, 0.0)
    assert [link.name for link in office.links] == ["fibre"]
    assert [link.name for link in home.links] == ["copper"]
    assert [link.name for link in settings.links] == ["fibre", "copper"]


def test_one_interface_leads_to_two_peers(write: Write) -> None:
    settings = config.load(write(
        f"{PEER}{LINK}peer = office\n{SECOND_PEER}{SECOND_LINK.replace('eth1', 'eth0')}peer = home\n"
    ))
    assert {link.interface for link in settings.links} == {"eth0"}


@pytest.mark.parametrize("text", ["yes", "true", "on", "True", "YES"])
def test_words_that_people_write_for_yes_and_no(write: Write, text: str) -> None:
    no = {"yes": "no", "true": "false", "on": "off"}[text.lower()]
    settings = config.load(write(node(f"gso = {text}\nmanage_host = {no}\nxdp = {text}\nchains = output")))
    assert (settings.gso, settings.manage_host, settings.xdp, settings.chains) == (True, False, "yes", ("OUTPUT",))


def test_mac_address_as_other_systems_write_it(write: Write) -> None:
    settings = config.load(write(link(f"{INTERFACE}\nmac = 52-54-00-AB-cd-ef")))
    assert settings.links[0].mac == bytes.fromhex("525400abcdef")


def test_mac_address_that_is_to_be_found(write: Write) -> None:
    settings = config.load(write(link(f"{INTERFACE}\nmac = auto")))
    assert settings.links[0].finds
    assert not config.load(write(link(f"{INTERFACE}\nmac = 52:54:00:12:34:56"))).links[0].finds


def test_one_link_of_a_peer_over_an_interface_finds_it(write: Write) -> None:
    one = f"{INTERFACE}\nmac = auto"
    other = f"[peer other]\ndestinations = 10.7.0.1\n[link far]\npeer = other\n{one}"
    assert all(found.finds for found in config.load(write(link(f"{one}\npeer = office\n{other}"))).links)
    with pytest.raises(config.ConfigError, match=r"\[link again\] mac = auto: is \[link .*\]'s on the same inter"):
        config.load(write(link(f"{one}\n[link again]\n{one}")))


def test_sockets_that_differ_have_journals_that_differ() -> None:
    names = ("a.sock", "a", "a.control", "a.sock.sock", "a-journal.sock", "a.journal", "b.sock")
    journals = [str(config.journal_of(Path("/run", name))) for name in names]
    assert journals[0] == "/run/a.journal"
    assert len(set(journals)) == len(names)
    assert not {f"/run/{name}" for name in names} & {*journals[1:]}


@pytest.mark.parametrize(
    ("text", "socket"),
    [
        ("[alagg]\ncontrol_socket = /run/two.sock\n[peer", "/run/two.sock"),
        ("[alagg\n  control_socket=/run/two.sock  ; of the second node\nqueue = x\n", "/run/two.sock"),
        ("\xff\n; control_socket = /run/other.sock\n", str(config.DEFAULT_SOCKET)),
    ],
)
def test_socket_is_found_in_a_file_that_is_wrong_elsewhere(tmp_path: Path, text: str, socket: str) -> None:
    path = tmp_path / "alagg.cfg"
    path.write_bytes(text.encode("latin-1"))
    assert str(config.socket_in(path)) == socket


def test_socket_that_is_wrong_itself(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"\[alagg\] control_socket = here: allowed: an absolute path"):
        config.socket_in(write("control_socket = here\n"))


@pytest.mark.parametrize(
    ("text", "bits"),
    [("8kbit", 8_000), ("1.5mbit", 1_500_000), ("10 gbit", 10_000_000_000), ("", None)],
)
def test_rates(write: Write, text: str, bits: int | None) -> None:
    assert config.load(write(f"{PEER}{LINK}rate = {text}\n")).links[0].rate == bits


@pytest.mark.parametrize(
    ("text", "seconds"), [("auto", None), ("0", 0.0), ("20ms", 0.02), ("2 s", 2.0), ("0.5ms", 5e-4)]
)
def test_times(write: Write, text: str, seconds: float | None) -> None:
    timeout = config.load(write(node(f"reorder_timeout = {text}"))).peers[0].reorder_timeout
    assert timeout == pytest.approx(seconds)


def test_lists_go_on_over_lines_and_keep_each_network_once(write: Write) -> None:
    settings = config.load(write(peer("destinations = 10.1.0.0/16,\n  fd99::/64, 10.1.0.0/16")))
    assert settings.peers[0].destinations == (ip_network("10.1.0.0/16"), ip_network("fd99::/64"))


def test_inline_comments_of_both_kinds(write: Write) -> None:
    settings = config.load(write(node("queue = 7 # the seventh\nmark = 0x10 ; sixteen")))
    assert (settings.queue, settings.mark) == (7, 16)


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "alagg.cfg"
    path.write_bytes(b"\xef\xbb\xbf" + (PEER + LINK).replace("\n", "\r\n").encode())
    assert config.load(path).peers[0].name == "office"


def test_own_addresses_and_networks(write: Write) -> None:
    settings = config.load(write(node("addresses = 10.99.0.1, fd99::1\nnetworks = 192.168.0.0/16")))
    assert settings.addresses == (ip_network("10.99.0.1"), ip_network("fd99::1"))
    assert settings.networks == (ip_network("192.168.0.0/16"),)

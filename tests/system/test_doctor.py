from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from alagg.lab.namespace import environment
from alagg.ports.nfqueue import NfqueueCapture
from alagg.system import HostError, doctor, others, prober, rules
from alagg.system.doctor import Finding, examine

from .conftest import Hosts, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alagg.config import Config

    MakeConfig = Callable[..., Config]

pytestmark = pytest.mark.netns

HOLD = """
import sys, time
from pathlib import Path
from alagg.system.journal import Journal
Journal(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(60)
"""

EXAMINE = """
import sys
from pathlib import Path
from alagg.config import load
from alagg.system.doctor import examine
for one in examine(load(Path(sys.argv[1]))):
    print(one.level, one.what)
"""


@pytest.fixture(autouse=True)
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all peers answer; the probing itself is tested in test_prober."""
    monkeypatch.setattr(prober, "probe", lambda config: [prober.Answer(rtt=0.0005) for _ in config.links])


def troubles(config: Config) -> list[Finding]:
    return [finding for finding in examine(config) if finding.level != "ok"]


def only(config: Config) -> Finding:
    [finding] = troubles(config)
    assert finding.mend
    return finding


def test_finds_nothing_wrong_on_a_good_host_and_changes_nothing(hosts: Hosts, make_config: MakeConfig) -> None:
    before = snapshot(hosts.a)
    found = [finding.what for finding in examine(make_config())]
    assert troubles(make_config()) == []
    assert "link zero: eth0 is up, MTU 1500, MAC 02:00:00:00:0a:00" in found
    assert "link one: peer b answers after 0.50 ms" in found
    assert "peer b: fd99::2/128 from fd99::1" in found
    assert snapshot(hosts.a) == before


@pytest.mark.parametrize(
    ("command", "level", "what"),
    [
        ("link set eth0 down", "fail", "link zero: eth0 is switched off"),
        ("link del eth0", "fail", "link zero: eth0 does not exist"),
        ("link set eth0 mtu 1400", "warn", "MTU: the links differ (1400 to 1500); packets are made to fit"),
        ("link set eth0 address 02:00:00:00:0b:00", "fail", "link zero: mac = 02:00:00:00:0b:00 is eth0's own"),
    ],
)
def test_examines_links(hosts: Hosts, make_config: MakeConfig, command: str, level: str, what: str) -> None:
    config = make_config(peer="destinations = 10.98.0.2, fd98::2")
    hosts.a.ip(command)
    found = only(config)
    assert found.level == level
    assert found.what.startswith(what)


def test_notices_a_pulled_cable(hosts: Hosts, make_config: MakeConfig) -> None:
    hosts.b.ip("link set eth1 down")
    assert only(make_config()).what == "link one: eth1 has no carrier"


def test_notices_an_interface_without_ethernet(hosts: Hosts, make_config: MakeConfig) -> None:
    hosts.a.ip("link del eth1", "tuntap add eth1 mode tun", "link set eth1 up")
    assert troubles(make_config())[0].what == "link one: eth1 carries no Ethernet frames"


def test_notices_links_too_narrow_for_ipv6(hosts: Hosts, make_config: MakeConfig) -> None:
    hosts.a.ip("link set eth0 mtu 1290", "link set eth1 mtu 1290")
    assert only(make_config()).what.startswith("MTU: a link takes packets of 1266 bytes")


def test_examines_destinations(hosts: Hosts, make_config: MakeConfig) -> None:
    found = only(make_config(peer="destinations = 10.98.0.1"))
    assert (found.level, found.what) == ("fail", "peer b: 10.98.0.1 is this host's own address")
    found = only(make_config(peer="destinations = 192.0.2.1"))
    assert (found.level, found.mend) == ("warn", "set addresses = …")
    assert troubles(make_config(peer="destinations = 192.0.2.1", addresses="10.98.0.1")) == []
    found = troubles(make_config(peer="destinations = 192.0.2.1", manage_host="no"))[0]
    assert (found.level, found.what) == ("fail", "peer b: there is no route to 192.0.2.1/32")


def test_examines_configured_addresses(hosts: Hosts, make_config: MakeConfig) -> None:
    assert troubles(make_config(addresses="10.50.0.1, fd50::1")) == []
    found = troubles(make_config(addresses="10.50.0.1", manage_host="no"))[0]
    assert (found.level, found.what) == ("fail", "addresses: no interface has 10.50.0.1")


def test_looks_for_the_rules_that_others_must_set_up(hosts: Hosts, make_config: MakeConfig) -> None:
    config = make_config(manage_host="no")
    lacking = troubles(config)
    assert [finding.what for finding in lacking] == [f"rules: lacking: {rule}" for rule in rules.wanted_rules(config)]
    assert {finding.mend.partition(" --config")[0] for finding in lacking} == {"alagg rules install"}
    assert "alagg-iptables" in lacking[0].mend
    rules.install(config, None)
    assert troubles(config) == []
    rules.remove(config)
    hosts.a.run(["iptables-nft", "-A", "OUTPUT", "-j", "NFQUEUE"])
    assert [finding.level for finding in troubles(config)] == ["warn"]


def test_rule_for_tcp_is_no_condition(hosts: Hosts, make_config: MakeConfig) -> None:
    plain, config = make_config(manage_host="no", gso="no"), make_config(manage_host="no")
    rules.install(plain, None)
    assert troubles(plain) == []
    found = troubles(config)
    assert [finding.level for finding in found] == ["warn", "warn"]
    start = "rules: TCP flows, but slower, without: iptables-legacy -I OUTPUT -d 10.99.0.2/32 "
    assert found[0].what.startswith(start)
    assert found[0].mend.startswith("alagg rules install")
    assert found[0].mend.endswith(", or set gso = no")


def test_workers_need_a_row_of_queues_and_a_rule_each(hosts: Hosts, make_config: MakeConfig) -> None:
    """The queues of another node are the accident that is easily made."""
    one, config = make_config(manage_host="no"), make_config(manage_host="no", workers=2)
    rules.install(config, None)
    assert troubles(config) == []
    queue = NfqueueCapture(1026)
    try:
        found = only(config)
        assert found.what == "queue 1026 is in use by another program"
        assert found.mend.endswith("(2 workers take as many in a row, nodes must not overlap)")
    finally:
        queue.close()
    rules.remove(config)
    rules.install(one, None)
    assert {finding.level for finding in troubles(config)} == {"fail"}, "the last worker's rule is not there"


def test_knows_the_running_node_from_a_stranger(hosts: Hosts, make_config: MakeConfig) -> None:
    config = make_config()
    queue = NfqueueCapture(1)
    try:
        assert only(config).what == "queue 1 is in use by another program"
        node = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(config.journal)], stdout=subprocess.PIPE, env=environment()
        )
        assert node.stdout
        node.stdout.readline()
        found = examine(config)
        node.kill()
        node.communicate()
        assert f"queue 1 belongs to the running node, pid {node.pid}" in [finding.what for finding in found]
        assert {finding.mend for finding in found if finding.level == "fail"} == {"restart the node"}
    finally:
        queue.close()


def test_a_gateway_forwards(hosts: Hosts, make_config: MakeConfig) -> None:
    found = troubles(make_config(chains="OUTPUT, FORWARD", networks="192.168.7.0/24"))
    assert {finding.mend for finding in found} == {
        "sysctl -w net.ipv4.ip_forward=1", "sysctl -w net.ipv6.conf.all.forwarding=1"
    }


def test_options_that_may_not_fit_are_named(hosts: Hosts, make_config: MakeConfig) -> None:
    found = troubles(make_config(networks="192.168.7.0/24"))
    assert [finding.what for finding in found] == [
        "[alagg] networks is set, but chains lacks FORWARD: what hosts behind this one send is not caught"
    ]


def test_examines_the_control_socket_and_its_group(hosts: Hosts, make_config: MakeConfig) -> None:
    assert troubles(make_config(control_group="root")) == []
    found = only(make_config(control_group="nosuchgroup"))
    assert (found.level, found.mend) == ("fail", "groupadd --system nosuchgroup")


def test_a_silent_peer_comes_with_what_to_look_at(
    hosts: Hosts, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [prober.Answer(), prober.Answer(error="Network is down")]
    monkeypatch.setattr(prober, "probe", lambda config: answers)
    silent, unsent = troubles(make_config())
    assert (silent.level, silent.what) == ("wait", "link zero: peer b at 02:00:00:00:0b:00: no answer")
    assert "mac = 02:00:00:00:0a:00 and ethertype = 0x88b5" in silent.mend
    assert unsent.what == "link one: peer b: no probe could be sent: Network is down"


def test_without_rights_it_says_so(hosts: Hosts, make_config: MakeConfig) -> None:
    config = make_config()
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", EXAMINE, str(config.path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment()).stdout
    assert "fail this process lacks CAP_NET_ADMIN and CAP_NET_RAW" in output.splitlines()


def test_one_part_that_fails_stops_no_other(
    hosts: Hosts, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(config: Config) -> list[rules.Rule]:
        raise HostError("the tables are stuck")

    monkeypatch.setattr(rules, "missing", broken)
    found = examine(make_config(capture="nfqueue"))
    assert [finding.what for finding in found if finding.level == "fail"] == ["the tables are stuck"]
    assert found[-1].what.startswith("link one: peer b answers")


def test_rules_that_cannot_be_had_are_a_warning_where_the_device_captures_too(
    hosts: Hosts, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(config: Config) -> list[rules.Rule]:
        raise HostError("this kernel has no such table")

    monkeypatch.setattr(rules, "missing", broken)
    (warning,) = [finding for finding in examine(make_config()) if "no such table" in finding.what]
    assert (warning.level, warning.mend) == ("warn", "set capture = device")


@pytest.mark.parametrize(
    "answers",
    [
        [prober.Answer(), prober.Answer(rtt=0.001)],
        [prober.Answer(heard=("0x88b5 comes here from 02:00:00:00:0c:00",)), prober.Answer(rtt=0.001)],
        [prober.Answer(heard=("0x88b5 comes here from 02:00:00:00:0c:00",)), prober.Answer(error="Network is down")],
    ],
)
def test_a_peer_that_is_there_is_not_waited_for(
    hosts: Hosts, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, answers: list[prober.Answer]
) -> None:
    monkeypatch.setattr(prober, "probe", lambda config: answers)
    assert troubles(make_config())[0].level == "fail"


def test_a_running_node_says_what_it_sees_and_no_probe_of_ours_disturbs_it(
    hosts: Hosts, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = [
        {"name": "zero", "interface": "eth0", "mac": "02:00:00:00:0b:00", "state": "up", "rtt_ms": 0.25},
        {"name": "one", "interface": "eth1", "mac": "02:00:00:00:0b:01", "state": "silent", "rtt_ms": 0.25},
    ]
    monkeypatch.setattr(doctor, "_running", lambda config: 4711)
    monkeypatch.setattr(doctor, "request", lambda *_: {"links": links})
    left: list[list[str]] = []

    def probe(config: Config, leave: dict[str, float]) -> list[prober.Answer]:
        left.append(list(leave))
        return [prober.Answer(), prober.Answer()]

    monkeypatch.setattr(prober, "probe", probe)
    found = [finding.what for finding in examine(make_config(manage_host="no"))]
    assert left == [["zero"]]
    assert "link zero: peer b answers after 0.25 ms" in found
    assert "link one: peer b at 02:00:00:00:0b:01: no answer" in found


def test_names_an_interface_that_has_the_devices_name(hosts: Hosts, make_config: MakeConfig) -> None:
    hosts.a.ip("link add alagg0 type veth peer name unused0")
    assert only(make_config()).what == "device alagg0: another program has an interface of this name"
    assert troubles(make_config(device="alagg1")) == []


@pytest.mark.parametrize(
    ("destinations", "what"),
    [
        ("10.96.0.0/13", "10.96.0.0/13 contains this host's own network 10.98.0.0/24: what goes there does not go"),
        ("fd98::/64", "fd98::/64 is a network of this host, too, and stays that: no route leads to the peer"),
    ],
)
def test_own_networks_within_a_destination_are_named(
    hosts: Hosts, make_config: MakeConfig, destinations: str, what: str
) -> None:
    found = troubles(make_config(peer=f"destinations = {destinations}"))
    assert {finding.level for finding in found} == {"warn"}
    assert any(one.what.startswith(f"peer b: {what}") for one in found)


def test_a_firewall_that_does_not_know_the_device_is_named(hosts: Hosts, make_config: MakeConfig) -> None:
    hosts.a.run(["iptables-nft", "-P", "INPUT", "DROP"])
    assert only(make_config()).what.startswith("firewall: nftables (iptables-nft, ufw, firewalld), table filter")
    hosts.a.run(["iptables-nft", "-A", "INPUT", "-i", "alagg0", "-j", "ACCEPT"])
    assert troubles(make_config()) == []
    assert [one.what.startswith("firewall: ") for one in troubles(make_config(device="other0"))] == [True]


def test_another_node_with_the_same_link_is_named(
    hosts: Hosts, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    claim = others.Claim("zero", "eth0", 4711, tmp_path / "b.cfg")
    monkeypatch.setattr(others, "claims", lambda config: [claim, claim._replace(file=None)])
    fail, warn = troubles(make_config())
    assert (fail.level, warn.level) == ("fail", "warn")
    assert fail.what == f"link zero: eth0: the node with {tmp_path}/b.cfg, pid 4711, has the same link"

"""A peer: its links come and go, its numbers stay, and what happens is told once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alagg.engine.control import Hello
from alagg.engine.events import LinkStateChanged, NumberingReset
from alagg.engine.header import COOKIE_SIZE, DATA, PROBE, decode
from alagg.engine.latent import PERIOD
from alagg.engine.monitor import BEATS
from alagg.engine.peer import LinkSettings, NodeSettings, Peer, PeerSettings
from alagg.engine.recovery import SILENCE
from alagg.engine.state import BLOCKED, DOWN, NEW, UP
from tests.engine.helpers import ONE, TWO, batch, data_frames, networks, numbered, settings, take_frames

INTERVAL = 0.125


class Script:
    """A peer whose other side answers probes at once on the links named in `answering`."""

    def __init__(self, *links: str, copies: int | None = None) -> None:
        self.peer = Peer(
            settings(*links, destinations=[ONE], copies=copies),
            NodeSettings(7, probe_interval=INTERVAL),
            networks(TWO),
            0.0,
        )
        self.answering = set(links)
        self.now = 0.0

    def run(self, seconds: float) -> list[str]:
        """Let time pass from deadline to deadline; give the events, links' as "name state"."""
        end = self.now + seconds
        while self.peer.due <= end:
            self.now = max(self.now, self.peer.due)
            self.peer.handle_timer(self.now)
            for link in self.peer.links.values():
                frames = [decode(data) for data in take_frames(link)]
                cookies = [frame[8][:COOKIE_SIZE] for frame in frames if frame[0] == PROBE]
                if link.name in self.answering:
                    for cookie in cookies:
                        self.peer.monitors[link].answered(cookie, self.now)
        self.now = end
        return self.events()

    def events(self) -> list[str]:
        return [
            f"{event.link} {event.state}" if isinstance(event, LinkStateChanged) else type(event).__name__
            for event in self.peer.take_events()
        ]

    def change(self, name: str, *, is_open: bool, mtu: int = 1500, reason: str = "") -> None:
        self.peer.link_changed(self.peer.links[name], is_open=is_open, mtu=mtu, reason=reason, now=self.now)

    def sent_on(self, *sizes: int) -> dict[str, list[int]]:
        """Send packets; give the sizes of the payloads on each link."""
        self.peer.sender.send([bytes(size) for size in sizes], self.now)
        frames = {link.name: [decode(data) for data in take_frames(link)] for link in self.peer.links.values()}
        self.peer.sender.settle()
        return {name: [len(frame[8]) for frame in some if frame[0] == DATA] for name, some in frames.items()}


def test_links_come_up_and_say_so_once() -> None:
    script = Script("fibre", "radio")
    assert script.run(2.0) == ["fibre up", "radio up"]
    assert script.run(5.0) == []


def test_link_that_never_answers_is_silent() -> None:
    script = Script("fibre", "radio")
    script.answering.remove("radio")
    assert script.run(2.0) == ["fibre up", "radio silent"]
    assert script.peer.links["radio"].reason == "the peer does not answer"
    script.answering.add("radio")
    assert script.run(2.0) == ["radio up"]
    assert script.peer.links["radio"].reason == ""


def test_silent_failure_is_noticed_within_a_few_probes() -> None:
    script = Script("fibre", "radio")
    script.run(2.0)
    script.answering.remove("radio")
    events = []
    for _ in range(5):
        script.sent_on(10)
        script.peer.wake(script.now)
        events += script.run(INTERVAL)
    assert events == ["radio silent"]


@pytest.mark.parametrize("answering", [("fibre", "radio"), ("fibre",), ()])
def test_idle_peer_wakes_once_a_second_for_all_its_links(answering: tuple[str, ...]) -> None:
    script = Script("fibre", "radio")
    script.answering = set(answering)
    script.run(10.0)
    wakes = []
    while script.now < 30.0:
        wakes.append(script.peer.due)
        script.run(script.peer.due - script.now)
    assert 20 <= len(wakes) <= 24, "probes come up to an eighth early, and the looks of each second with them"
    assert {time * BEATS % 1 for time in wakes} == {0.0}, "at moments that it shares with other peers"


def test_port_that_closes_is_noticed_at_once_with_its_reason() -> None:
    script = Script("fibre", "radio")
    script.run(2.0)
    script.change("radio", is_open=False, reason="no carrier")
    script.peer.handle_timer(script.now)
    assert script.events() == ["radio down"]
    assert script.peer.links["radio"].reason == "no carrier"
    assert script.sent_on(10) == {"fibre": [10], "radio": []}
    assert script.run(5.0) == []
    script.change("radio", is_open=True)
    assert script.run(1.0) == ["radio up"]
    assert script.sent_on(10) == {"fibre": [10], "radio": [10]}


def test_closed_link_is_neither_probed_nor_counted_against() -> None:
    script = Script("fibre")
    script.change("fibre", is_open=False, reason="no carrier")
    script.run(5.0)
    link = script.peer.links["fibre"]
    assert (link.tx_frames, link.tx_dropped_down, script.peer.monitors[link].state) == (0, 0, DOWN)


def test_mtu_of_a_link_is_followed() -> None:
    script = Script("fibre", "radio")
    assert script.sent_on(1400)["fibre"] == [1400]
    script.change("radio", is_open=True, mtu=1280)
    assert script.sent_on(1400)["fibre"] == [700, 700]
    script.change("radio", is_open=False)
    assert script.sent_on(1400)["fibre"] == [1400]


def peer_settings(*links: str, copies: int | None = None, timeout: float | None = None) -> PeerSettings:
    return settings(*links, destinations=[ONE], copies=copies, reorder_timeout=timeout)


def test_update_keeps_numbers_and_what_was_learnt() -> None:
    script = Script("fibre", "radio")
    script.run(2.0)
    script.sent_on(10, 10, 10)
    fibre = script.peer.links["fibre"]
    before = fibre.link_sequence
    script.peer.update(peer_settings("fibre", "cable"), script.now)
    assert script.peer.links["fibre"] is fibre
    assert list(script.peer.links) == ["fibre", "cable"]
    assert len({link.id for link in script.peer.links.values()}) == 2
    script.answering.add("cable")
    assert script.run(1.0) == ["cable up"]
    assert script.sent_on(10) == {"fibre": [10], "cable": [10]}
    assert script.peer.sender.sequence == 4
    assert fibre.link_sequence > before
    assert script.peer.monitors[fibre].state == UP


def test_update_changes_copies_weight_sources_and_timeout() -> None:
    script = Script("fibre", "radio")
    new = PeerSettings(
        "peer", networks("10.7.0.0/16"), (LinkSettings("fibre", 1500, weight=9), LinkSettings("radio", 1500)),
        copies=1, reorder_timeout=0.0,
    )  # fmt: skip
    script.peer.update(new, 0.0)
    assert script.sent_on(1) == {"fibre": [1], "radio": []}
    assert script.sent_on(2) == {"fibre": [], "radio": [2]}
    assert script.peer.links["fibre"].weight == 9
    script.peer.receiver.receive(script.peer.links["fibre"], *batch(data_frames([0, 5])), 0.0)
    assert script.peer.receiver.refused["foreign_source"] == 2
    assert script.peer.receiver.lanes[0].reorder.fixed == 0.0


def test_update_delivers_what_was_held_when_reordering_is_switched_off() -> None:
    script = Script("fibre", "radio")
    receiver = script.peer.receiver
    receiver.receive(script.peer.links["radio"], *batch(data_frames([0])), 0.0)
    receiver.receive(script.peer.links["fibre"], *batch(data_frames([0, 2])), 0.0)
    assert len(receiver.packets) == 1
    script.peer.update(peer_settings("fibre", "radio", timeout=0.0), 0.0)
    assert receiver.packets == numbered([0, 2])


def test_removed_link_holds_nothing_up() -> None:
    script = Script("fibre", "radio")
    receiver, links = script.peer.receiver, script.peer.links
    receiver.receive(links["radio"], *batch(data_frames([0])), 0.0)
    script.peer.update(peer_settings("fibre"), 0.0)
    receiver.receive(links["fibre"], *batch(data_frames([0, 2])), 0.0)
    assert receiver.packets == numbered([0, 2])


def test_link_that_was_just_added_is_waited_for() -> None:
    script = Script("fibre", "radio")
    receiver, links = script.peer.receiver, script.peer.links
    receiver.receive(links["fibre"], *batch(data_frames([0, 2])), 0.01)
    assert receiver.packets == numbered([0])
    script.answering.remove("radio")
    script.run(5 * INTERVAL)
    receiver.receive(links["fibre"], *batch(data_frames([3])), script.now)
    assert receiver.packets == numbered([0, 2, 3])


def test_restart_of_the_other_side_is_told_but_not_its_first_start() -> None:
    script = Script("fibre")
    receive = script.peer.receiver.receive
    receive(script.peer.links["fibre"], *batch(data_frames(range(5))), 0.0)
    assert script.events() == []
    receive(script.peer.links["fibre"], *batch(data_frames(range(20), epoch=2)), SILENCE)
    assert script.peer.take_events() == [NumberingReset("peer", 0, 2)]
    assert script.events() == []


@pytest.mark.parametrize(("copies", "told"), [(None, True), (2, True), (1, False)])
def test_redundancy_that_is_gone_in_silence_is_told(copies: int | None, *, told: bool) -> None:
    script = Script("fibre", "radio")
    script.run(2.0)
    script.peer.dialogue.far.hello = Hello(links=2, scheduler=0, copies=copies or 0)
    script.peer.receiver.receive(script.peer.links["fibre"], *batch(data_frames(range(100))), script.now)
    assert script.run(PERIOD) == (["LatentError"] if told else [])
    assert script.peer.latent_errors == told


def test_redundancy_that_is_there_is_not_worth_an_event() -> None:
    script = Script("fibre", "radio")
    script.run(2.0)
    for link in script.peer.links.values():
        script.peer.receiver.receive(link, *batch(data_frames(range(100))), script.now)
    assert script.run(PERIOD) == []


def test_event_of_missing_copies_says_how_many() -> None:
    script = Script("fibre", "radio", "cable")
    script.run(2.0)
    script.peer.dialogue.far.hello = Hello(links=3, scheduler=0)
    for name, count in (("fibre", 100), ("radio", 30)):
        script.peer.receiver.receive(script.peer.links[name], *batch(data_frames(range(count))), script.now)
    assert script.run(PERIOD) == ["LatentError"]
    assert (script.peer._latent.expected, script.peer._latent.came) == (200, 30)


def test_loss_of_a_link() -> None:
    script = Script("fibre", "radio")
    fibre, radio = script.peer.links.values()
    script.peer.receiver.receive(fibre, *batch(data_frames(range(0, 99, 2))), 0.0)
    assert script.peer.loss(fibre) == pytest.approx(49 / 99)
    assert script.peer.loss(radio) is None


def test_loss_of_long_ago_is_forgotten() -> None:
    script = Script("fibre")
    fibre = script.peer.links["fibre"]
    script.peer.receiver.receive(fibre, *batch(data_frames(range(1, 100, 2))), 0.0)
    script.run(12.0)
    assert script.peer.loss(fibre) == 0
    script.peer.receiver.receive(fibre, *batch(data_frames(range(100, 200))), script.now)
    assert script.peer.loss(fibre) == 0


def test_state_and_reason_of_a_link_agree() -> None:
    script = Script("fibre")
    monitor = script.peer.monitors[script.peer.links["fibre"]]
    assert (monitor.state, script.peer.links["fibre"].reason) == (NEW, "")
    script.run(1.0)
    assert (monitor.state, script.peer.links["fibre"].reason) == (UP, "")


def test_who_sees_a_links_cookies_cannot_answer_for_another_one_or_another_peer() -> None:
    secret = bytes(range(16))
    cookies = []
    for name in ("one", "other"):
        peer = Peer(settings("red", "blue", name=name), NodeSettings(7, secret=secret), networks(TWO), 0.0)
        peer.handle_timer(0.0)
        for link in peer.links.values():
            frames = [decode(data) for data in take_frames(link)]
            cookies.append({frame[8][:COOKIE_SIZE] for frame in frames if frame[0] == PROBE})
    assert all(cookies)
    assert len(set.union(*cookies)) == sum(map(len, cookies))


def test_links_are_blocked_by_name_and_freed_when_they_are_named_no_more() -> None:
    script = Script("red", "blue")
    script.run(1.0)
    script.peer.set_held({"red": {BLOCKED: "enough"}, "green": {BLOCKED: "there is none"}}, script.now)
    red, blue = script.peer.links.values()
    assert (red.state, red.reason, blue.state) == (BLOCKED, "enough", UP)
    assert script.sent_on(100) == {"red": [], "blue": [100]}
    assert script.run(5.0) == ["red blocked"]
    script.peer.set_held({}, script.now)
    assert script.run(1.0) == ["red up"]


def test_links_that_come_or_lead_elsewhere_have_to_be_answered_on_first() -> None:
    script = Script("red", "blue")
    script.run(1.0)
    red, blue = script.peer.links.values()
    first, second = script.peer.settings.links
    changed = (replace(first, way=("eth9",)), replace(second, weight=7), replace(second, name="green"))
    script.peer.update(replace(script.peer.settings, links=changed), script.now)
    green = script.peer.links["green"]
    assert list(script.peer.links.values()) == [red, blue, green]
    assert [(link.state, link.answering) for link in (red, blue, green)] == [(NEW, False), (UP, True), (NEW, False)]
    assert blue.weight == 7
    script.run(1.0)
    assert (red.state, red.answering) == (UP, True)


def test_a_link_that_is_blocked_and_leads_elsewhere_stays_blocked() -> None:
    script = Script("red", "blue")
    script.run(1.0)
    script.peer.set_held({"red": {BLOCKED: "enough"}}, script.now)
    first, second = script.peer.settings.links
    links = (replace(first, way=("eth9",)), second)
    script.peer.update(replace(script.peer.settings, links=links), script.now)
    red = script.peer.links["red"]
    assert (red.state, red.reason) == (BLOCKED, "enough")
    script.peer.set_held({}, script.now)
    script.run(1.0)
    assert red.state == UP

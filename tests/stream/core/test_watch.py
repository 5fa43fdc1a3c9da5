"""Watch: what time does to a link."""

from __future__ import annotations

from alagg.stream.core.link import SILENT, SUSPECT, UP, WARY
from tests.stream.network import MEGA, Net


def test_an_idle_link_is_asked_and_answers() -> None:
    net = Net(end_after=False)
    cable = net.cable()
    net.run(30.0)
    assert [link.state for link in cable.links] == [UP, UP]
    assert all(30.0 - link.heard_at < 6.0 for link in cable.links)


def test_a_link_from_which_nothing_comes_is_given_up() -> None:
    net = Net(end_after=False)
    net.cable()
    net.run(1.0)
    net.cables[0].pause()
    net.run(20.0)
    assert not net.sides[0].connection.links
    assert net.sides[0].connection.events[-1].text == "nothing came for 15 seconds"


def held_up(pause: float) -> Net:
    net = Net()
    cables = [net.cable(5 * MEGA, 0.02) for _ in range(2)]
    net.clock.at(1.0, cables[0].pause)
    net.clock.at(1.0 + pause, cables[0].resume)
    return net


def test_a_late_link_is_suspected_then_silent_then_up_again() -> None:
    net = held_up(3.0)
    link = net.cables[0].links[0]
    seen = []
    for time in (1.5, 3.0, 5.0):
        net.clock.at(time, lambda: seen.append(link.state))
    net.transfer(50 * MEGA)
    net.check()
    assert seen == [SUSPECT, SILENT, UP]


def test_the_program_hardly_notices_a_link_that_is_a_black_hole() -> None:
    net = held_up(1000.0)
    net.transfer(15 * MEGA)
    net.check()
    assert net.sides[1].longest_gap <= 0.2


def test_a_link_that_fails_again_and_again_is_tested_before_it_carries() -> None:
    net = Net()
    good, bad = net.cable(MEGA, 0.01), net.cable(MEGA, 0.01)
    for number in range(8):
        net.clock.at(1.0 + number, bad.pause)
        net.clock.at(1.6 + number, bad.resume)
    net.transfer(15 * MEGA)
    net.check()
    kinds = [event.kind for event in net.sides[0].connection.events if event.link == bad.name]
    assert f"link-{WARY}" in kinds
    assert good.links[0].failures == 0

"""What the links together must deliver, in virtual time: the rates are those of wires, not of the machine."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.stream.network import MEGA, Net

if TYPE_CHECKING:
    from tests.stream.network import Cable


def rate(net: Net, size: int) -> float:
    """Give the bytes per second at which one direction was read whole."""
    net.transfer(size)
    net.check()
    return size / net.sides[1].last_read_at


def test_ten_slow_links_add_up() -> None:
    net = Net()
    for _ in range(10):
        net.cable(100e3, 0.01)
    assert rate(net, 10 * MEGA) >= 0.95 * MEGA


def test_links_that_pause_in_turn_cost_little_more_than_themselves() -> None:
    net = Net()
    cables = [net.cable(MEGA, 0.01) for _ in range(10)]

    def turn(number: int) -> None:
        def over() -> None:
            cables[number].resume()
            turn((number + 1) % 10)

        cables[number].pause()
        net.clock.at(net.clock.now + 3.0, over)

    net.clock.at(1.0, lambda: turn(0))
    assert rate(net, 30 * MEGA) >= 7 * MEGA


def test_two_links_of_different_latency_add_up() -> None:
    net = Net()
    net.cable(6.25e6, 0.005)
    net.cable(6.25e6, 0.03)
    assert rate(net, 50 * MEGA) >= 0.95 * 12.5e6


def test_a_slow_late_link_takes_nothing_from_a_fast_one() -> None:
    net = Net()
    net.cable(12.5e6, 0.005)
    net.cable(125e3, 0.15)
    assert rate(net, 100 * MEGA) >= 0.99 * 12.5e6


def read_between(net: Net, start: float, end: float) -> float:
    """Give the bytes per second that one direction delivers from one time to another."""
    marks: list[int] = []
    for time in (start, end):
        net.clock.at(time, lambda: marks.append(net.sides[1].read))
    net.transfer(10_000 * MEGA, until=end + 0.1)
    return (marks[1] - marks[0]) / (end - start)


@pytest.mark.parametrize(("links", "one"), [(5, 10e6), (2, 100e3)])
def test_links_of_a_long_round_trip_are_filled(links: int, one: float) -> None:
    net = Net()
    for _ in range(links):
        net.cable(one, 1.0)
    assert read_between(net, 8.0, 11.0) >= 0.9 * links * one


@pytest.mark.parametrize("survivors", [1, 5])
def test_what_lives_carries_on(survivors: int) -> None:
    net = Net()
    cables = [net.cable(MEGA, 0.01) for _ in range(10)]

    def fail(some: list[Cable]) -> None:
        for cable in some:
            cable.fail()

    net.clock.at(0.2, lambda: fail(cables[survivors:]))
    assert rate(net, 10 * MEGA) >= 0.9 * survivors * MEGA


@pytest.mark.parametrize("seed", range(3))
def test_links_that_fail_at_random_leave_the_others_alone(seed: int) -> None:
    random, net = Random(seed), Net()
    cables = [net.cable(MEGA, 0.01) for _ in range(10)]
    for cable in random.sample(cables, 5):
        net.clock.at(random.random(), cable.fail)
    assert rate(net, 10 * MEGA) >= 0.9 * 5 * MEGA


def test_five_links_without_a_limit_never_wait() -> None:
    """Blocked in turn, both ways at once: all arrives within the few round trips that the windows need."""
    net = Net()
    cables = [net.cable(None, 0.001) for _ in range(5)]

    def turn(number: int) -> None:
        for side in (0, 1):
            connection, links = net.sides[side].connection, [cable.links[side] for cable in cables]
            connection.unblock(links[number - 1], net.clock.now)
            connection.block(links[number], net.clock.now)
        net.clock.at(net.clock.now + 0.01, lambda: turn((number + 1) % 5))

    net.clock.at(0.005, lambda: turn(0))
    time = net.transfer(40 * MEGA, 40 * MEGA)
    net.check()
    assert 80 * MEGA / time >= 200e6


def test_both_directions_at_once() -> None:
    net = Net()
    for _ in range(3):
        net.cable(MEGA, 0.02)
    time = net.transfer(15 * MEGA, 15 * MEGA)
    net.check()
    assert 15 * MEGA / time >= 0.8 * 3 * MEGA

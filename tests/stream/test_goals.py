"""What the links together must deliver, in virtual time: the rates are those of wires, not of the machine."""

from __future__ import annotations

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


def test_links_of_a_long_round_trip_are_filled() -> None:
    net, marks = Net(), []
    for _ in range(2):
        net.cable(100e3, 1.0)
    for time in (20.0, 30.0):
        net.clock.at(time, lambda: marks.append(net.sides[1].read))
    net.transfer(100 * MEGA, until=31.0)
    assert marks[1] - marks[0] >= 0.9 * 10.0 * 200e3


@pytest.mark.parametrize("survivors", [1, 5])
def test_what_lives_carries_on(survivors: int) -> None:
    net = Net()
    cables = [net.cable(MEGA, 0.01) for _ in range(10)]

    def fail(some: list[Cable]) -> None:
        for cable in some:
            cable.fail()

    net.clock.at(0.2, lambda: fail(cables[survivors:]))
    assert rate(net, 10 * MEGA) >= 0.9 * survivors * MEGA


def test_both_directions_at_once() -> None:
    net = Net()
    for _ in range(3):
        net.cable(MEGA, 0.02)
    time = net.transfer(15 * MEGA, 15 * MEGA)
    net.check()
    assert 15 * MEGA / time >= 0.8 * 3 * MEGA

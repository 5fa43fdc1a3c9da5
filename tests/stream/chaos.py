"""Runs in which links die, pause, return, are blocked and removed at random, all decided by a seed."""

from __future__ import annotations

from random import Random

from tests.stream.network import MEGA, Net

CALM = 12.0
"""Seconds after which nothing more goes wrong."""


def mischief(net: Net, random: Random) -> None:
    """Do something to some link, and plan the next."""
    if net.clock.now > CALM:
        for cable in net.cables:
            cable.resume()
            for side in (0, 1):
                net.sides[side].connection.unblock(cable.links[side], net.clock.now)
        new_cable(net, random)
        return
    cable = random.choice(net.cables)
    side = random.choice((0, 1))
    connection, link = net.sides[side].connection, cable.links[side]
    choice = random.random()
    if choice < 0.3:
        cable.fail()
    elif choice < 0.5:
        cable.pause()
        net.clock.at(net.clock.now + random.expovariate(1.0), cable.resume)
    elif choice < 0.6:
        connection.block(link, net.clock.now)
        net.clock.at(net.clock.now + random.random(), lambda: connection.unblock(link, net.clock.now))
    elif choice < 0.65:
        connection.remove(link, net.clock.now)
    else:
        new_cable(net, random)
    net.clock.at(net.clock.now + random.expovariate(5.0), lambda: mischief(net, random))


def new_cable(net: Net, random: Random) -> None:
    if not any(side.connection.over for side in net.sides):
        net.cable(10 ** random.uniform(4.5, 7), 10 ** random.uniform(-3.5, -0.7))


def run(seed: int) -> Net:
    """Give a net after a transfer both ways with mischief."""
    random = Random(seed)
    net = Net()
    for _ in range(random.randint(1, 6)):
        new_cable(net, random)
    net.clock.at(random.random(), lambda: mischief(net, random))
    net.transfer(random.randrange(3 * MEGA), random.randrange(MEGA), until=900.0)
    return net

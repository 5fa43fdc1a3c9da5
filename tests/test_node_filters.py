"""The supervisor's looks at filters: the workers hear of what comes, and of nothing else."""

from __future__ import annotations

import dataclasses
import os
import signal
import time

from alagg.messages import HostFacts
from alagg.node import run
from tests.engine.helpers import networks
from tests.fake_host import LOCAL
from tests.test_node import Stage, facts_of, stage  # noqa: F401 - a fixture


def test_workers_hear_of_a_filter_that_comes(stage: Stage) -> None:  # noqa: F811
    stage.interfaces = [dataclasses.replace(one, qdisc="noqueue") for one in stage.interfaces]

    def change() -> None:
        stage.filters.comes("")
        stage.filters.comes("a filter")
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    stage.steps = [change]
    assert run(stage.config) == 0
    before, after = (
        HostFacts({"eth0": facts_of(2, "", ""), "eth1": facts_of(3, "", queues)}, networks(LOCAL))
        for queues in ("", "a filter")
    )
    assert stage.told() == [str(before), str(after), "Stop()"]

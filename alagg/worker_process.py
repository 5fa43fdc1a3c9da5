"""The process of a worker: opens the edges, and works until the supervisor says stop, or is gone."""

from __future__ import annotations

import gc
import os
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from alagg.control import logs
from alagg.messages import Failed, Ready
from alagg.opening import captures_of, pcap_of, port_opener, why
from alagg.ports.rawip import RawInjector
from alagg.supervised import Supervised
from alagg.worker import Worker

YOUNG_ONLY: Final = (700, 10, 1_000_000_000)
"""The collector's thresholds: the third generation of a node with many peers would take some 40 ms."""

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from alagg.config import Config
    from alagg.crew import Crew


def worker_process(
    config: Config, connection: Connection, pcap: Path | None, number: int = 0, crew: Crew | None = None
) -> None:
    """Be the worker process of a number: open the edges, then work until the supervisor says stop, or is gone."""
    logs.start()
    # The supervisor ends us over the connection: a Ctrl-C in the terminal reaches all processes at once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    epoch = int.from_bytes(os.urandom(4), "big")
    with ExitStack() as stack:
        try:
            captures = captures_of(config, number)
            open_port = port_opener(pcap_of(pcap, config, number), number, stack)
            worker = Worker(config, epoch, captures, RawInjector(config.mark), open_port, lane=number)
        except OSError as error:
            connection.send(Failed(why(error, config, number)))
            return
        if crew is not None:
            crew.join(worker, number)
        connection.send(Ready())
        Supervised(worker, connection)
        # What is there now stays to the end: the garbage collector shall not stop the packets to look through it, nor
        # through what lives for long; what is made later and is in a circle is found while it is young.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*YOUNG_ONLY)
        worker.run()

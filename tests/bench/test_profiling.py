"""The profile: samples as perf prints them, and the stages that they belong to."""

from __future__ import annotations

import pytest
from rich.console import Console

from bench import profiling
from bench.profiling import OTHER, STAGES, Sample, parse, stage_of

TEXT = (
    "   4711 \n"
    "\tffffffff81234567 _copy_to_iter ([kernel.kallsyms])\n"
    "\tffffffff81234568 packet_recvmsg ([kernel.kallsyms])\n"
    "\t    7f0000001234 recvmmsg (/usr/lib/x86_64-linux-gnu/libc.so.6)\n"
    "\n"
    "   4712 \n"
    "\t    7f0000005678 __pyx_f_5alagg_6engine_7segment__segments (/home/me/alagg/engine/segment.cpython-311.so)\n"
    "\n"
)


def test_samples_are_read_with_their_chains() -> None:
    first, second = parse(TEXT)
    assert first == Sample(4711, ("_copy_to_iter ([kernel.kallsyms])", "packet_recvmsg ([kernel.kallsyms])",
                                  "recvmmsg (libc.so.6)"))
    assert second.frames == ("__pyx_f_5alagg_6engine_7segment__segments (alagg/engine/segment.cpython-311.so)",)


@pytest.mark.parametrize(("frames", "stage"), [
    (("_copy_to_iter ([kernel.kallsyms])", "packet_recvmsg ([kernel.kallsyms])"), "receive"),
    (("veth_xmit ([kernel.kallsyms])", "packet_snd ([kernel.kallsyms])"), "send"),
    (("packet_rcv ([kernel.kallsyms])", "net_rx_action ([k])", "packet_sendmsg ([k])"), "soft interrupts"),
    (("_raw_spin_unlock_irqrestore ([k])", "sock_def_readable ([k])", "packet_rcv ([k])"), "wake-ups"),
    (("netlink_recvmsg ([k])",), "capture"),
    (("tcp_v4_rcv ([k])", "tun_get_user ([k])"), "inject"),
    (("crc32c::ExtendSse42 (_crc32c.so)", "__pyx_f_5alagg_6engine_6header_decode (x.so)"), "engine in"),
    (("crc32c::ExtendSse42 (_crc32c.so)",), "checksums"),
    (("__pyx_f_5alagg_6engine_6sender_6Sender__seal (x.so)",), "engine out"),
    (("__pyx_f_5alagg_6engine_5merge__intact (x.so)",), "merge"),
    (("_PyEval_EvalFrameDefault (python3.11)",), "loop, interpreter"),
    (("memcpy (libc.so.6)",), OTHER),
])
def test_stages(frames: tuple[str, ...], stage: str) -> None:
    assert stage_of(Sample(1, frames)) == stage


def test_shares_are_of_one_processor() -> None:
    samples = [Sample(1, ("netlink_recvmsg ([k])",))] * profiling.FREQUENCY + [Sample(2, ("memcpy (libc.so.6)",))]
    table = profiling.stage_table(samples, {"a": 1, "b": 2}, 2.0)
    assert table.row_count == len(STAGES) + 1
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    (line,) = [line for line in capture.get().splitlines() if line.startswith("│ capture")]
    assert [cell.strip() for cell in line.strip("│").split("│")][1:3] == ["50.0%", "0.0%"]

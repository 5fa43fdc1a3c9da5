"""Profile: where both nodes' time goes during a TCP transfer, stage by stage. Run it as `make profile`.

perf samples both workers with their call chains (cpu-clock: virtual machines have no other counter). A sample
belongs to the first stage in `STAGES` whose pattern matches a frame of its chain (checksums only where the chain
does not lead back to the engine); what is left of each chain belongs to the loop and the interpreter. py-spy then
says which lines of Python that share is spent on.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from alagg.lab.namespace import LabError
from bench import end_to_end
from bench.contestants import CONTESTANTS, Alagg
from bench.pairs import start

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FREQUENCY: Final = 1999
"""Samples a second, besides the timer's own rhythm."""
GRACE: Final = 60.0
LINES: Final = 12
"""Lines of Python that are shown."""

STAGES: Final = {
    "wake-ups": r"sock_def_readable|__wake_up|try_to_wake_up|ep_poll_callback|epoll_wait|do_epoll|ep_poll\b|"
                r"schedule\b",
    "soft interrupts": r"__napi_poll|process_backlog|net_rx_action|do_softirq|handle_softirqs|__local_bh_enable_ip",
    "capture": r"nfqnl|nfnetlink|netlink_(recv|send)msg|netlink_rcv|alagg/native/nfqueue|7nfqueue_",
    "receive": r"packet_recvmsg|alagg/native/packet.*(eceive|recv)|6packet_.*(eceive|recv)",
    "send": r"packet_sendmsg|packet_snd|alagg/native/packet|6packet_",
    "inject": r"tun_(chr|get)|tun_sendmsg|raw_sendmsg|rawv6_sendmsg|alagg/native/tun|3tun_",
    "cut": r"6engine_7segment|alagg/engine/segment",
    "merge": r"6engine_5merge|alagg/engine/merge",
    "engine in": r"6engine_(8receiver|8recovery|7reorder|6header_decode|9addresses_9Admission)|"
                 r"alagg/engine/(receiver|recovery|reorder)",
    "engine out": r"6engine_(6sender|4link|6header|8sequence|9addresses)|alagg/engine/(sender|link|header|addresses)",
    "other system calls": r"entry_SYSCALL|do_syscall_64|syscall_",
    "checksums": r"crc32c",
    "loop, interpreter": r"\(python3|\(libpython|_Py|Py[A-Z]",
}
"""Each stage's pattern, for `symbol (file)`; the first stage whose pattern matches a frame takes the sample."""
OTHER: Final = "other"


@dataclass(frozen=True)
class Sample:
    """One look at a worker."""

    pid: int
    frames: tuple[str, ...]
    """`symbol (file)`, the innermost first."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Profile what the command line asks for; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.profiling", description="Where both nodes' time goes.")
    parser.add_argument("contestant", nargs="?", default="alagg-redundant",
                        choices=[name for name in CONTESTANTS if name.startswith("alagg")])
    parser.add_argument("--seconds", type=float, default=5.0, help="how long is looked")
    parser.add_argument("--flows", type=int, default=1, help="TCP connections at once")
    parser.add_argument("--output", type=Path, metavar="FILE", help="keep perf's samples, as text, there")
    given = parser.parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    try:
        profile(given, console)
    except LabError as error:
        console.print(f"profile: {error}", style="red", markup=False)
        return 1
    return 0


def profile(given: argparse.Namespace, console: Console) -> None:
    """Transfer, sample meanwhile, and show the shares.

    Raises:
        LabError: perf is missing or fails, or the lab does.
    """
    for program, package in (("perf", "linux-perf"), ("py-spy", "")):
        if not _program(program):
            how = f"apt-get install {package}" if package else "pip install py-spy"
            raise LabError(f"{program} is not installed; {how}")
    with ExitStack() as stack:
        contestant = stack.enter_context(CONTESTANTS[given.contestant]())
        assert isinstance(contestant, Alagg)
        stack.enter_context(contestant.turn())
        workers = {host.letter: host.node.processes()[-1] for host in contestant.lab.hosts}
        end_to_end.transfer(contestant, 0.5, given.flows)
        pair = start(
            stack, contestant, "bulk-server", "bulk", protocol="tcp", seconds=given.seconds * 3 + 1, flows=given.flows
        )
        samples = list(parse(record(workers.values(), given.seconds, given.output)))
        spied = {letter: spy(pid, given.seconds) for letter, pid in workers.items()}
        result = pair.finish()
    rate = result["bytes"] * 8 / result["seconds"] / 1e6
    console.print(f"{contestant.title}: {rate:,.0f} Mbit/s meanwhile; a is the sending host, b the receiving one")
    console.print(stage_table(samples, workers, given.seconds))
    for letter, lines in spied.items():
        console.print(line_table(letter, lines))


def record(pids: Iterable[int], seconds: float, output: Path | None) -> str:
    """Sample processes for so many seconds; give perf's text."""
    with tempfile.TemporaryDirectory(prefix="alagg-profile-") as directory:
        data = str(Path(directory) / "perf.data")
        wanted = ",".join(map(str, pids))
        _run(["perf", "record", "--quiet", "-e", "cpu-clock", "-F", str(FREQUENCY), "-g", "-p", wanted, "-o", data,
              "--", "sleep", str(seconds)])
        text = _run(["perf", "script", "-i", data, "-F", "pid,ip,sym,dso"])
    if output:
        output.write_text(text, encoding="utf-8")
    return text


def spy(pid: int, seconds: float) -> Counter[str]:
    """Sample a process' Python lines for so many seconds."""
    program = _program("py-spy")
    assert program
    text = _run([program, "record", "--nonblocking", "-d", str(max(1, round(seconds))), "-r", "200", "-f", "raw",
                 "-o", "/dev/stdout", "-p", str(pid)])
    lines: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        if ";" in stack and count.isdigit():
            lines[stack.rpartition(";")[2]] += int(count)
    return lines


def parse(text: str) -> Iterator[Sample]:
    """Read what `perf script` prints: a line with the process, then its frames, then an empty line."""
    for block in text.split("\n\n"):
        head, *rest = block.strip("\n").splitlines() or [""]
        if head.strip().isdigit():
            yield Sample(int(head), tuple(_frame(line) for line in rest))


def _frame(line: str) -> str:
    """Give a frame without its address and without the place where this project or another library lies."""
    return re.sub(r"\((?:.*/(?=alagg/)|.*/)", "(", line.strip().partition(" ")[2])


def stage_of(sample: Sample) -> str:
    """Give the stage that a sample belongs to."""
    for name, pattern in _PATTERNS.items():
        if any(pattern.search(frame) for frame in sample.frames):
            return name
    return OTHER


_PATTERNS: Final = {name: re.compile(pattern) for name, pattern in STAGES.items()}


def stage_table(samples: Sequence[Sample], workers: dict[str, int], seconds: float) -> Table:
    """Show each stage's share of a processor, by host, with the symbols that cost most in it."""
    table = Table(title="Share of one processor, by stage", title_justify="left")
    for title in ("stage", *workers, "innermost symbols (share of both workers' samples)"):
        table.add_column(title, justify="right" if title in workers else "left")
    of = [(stage_of(sample), sample) for sample in samples]
    for stage in (*STAGES, OTHER):
        cells = [f"{sum(one == stage and sample.pid == pid for one, sample in of) / seconds / FREQUENCY:.1%}"
                 for pid in workers.values()]
        symbols = Counter(_symbol(sample) for one, sample in of if one == stage)
        shown = ", ".join(f"{name} {count / len(of):.1%}" for name, count in symbols.most_common(4))
        table.add_row(stage, *cells, shown)
    return table


def line_table(letter: str, lines: Counter[str]) -> Table:
    """Show the lines of Python in which a worker spends its time (system calls and compiled code included)."""
    table = Table(title=f"Lines of Python, host {letter}", title_justify="left")
    table.add_column("share", justify="right")
    table.add_column("function (file:line)")
    for name, count in lines.most_common(LINES):
        table.add_row(f"{count / lines.total():.1%}", name)
    return table


def _symbol(sample: Sample) -> str:
    name = sample.frames[0].partition(" (")[0] if sample.frames else "?"
    return re.sub(r"^__pyx_\w*?_5alagg_\d*", "", name)[:40]


def _program(name: str) -> str | None:
    """Find a program in the path or beside this Python."""
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GRACE, check=False, errors="replace")
    except subprocess.TimeoutExpired:
        raise LabError(f"{command[0]} did not end within {GRACE:g} s") from None
    if done.returncode:
        raise LabError(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())

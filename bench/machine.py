"""Facts about the machine: what it is, what its processors have spent, and how much of that was spent by others."""

from __future__ import annotations

import os
import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

BUSY: Final = 0.1
"""Share of the processors used by others from which on results deserve a warning."""
_WORK: Final = (0, 1, 2, 5, 6)
"""Fields of /proc/stat that mean work: user, nice, system, irq, softirq (idle, iowait and steal do not)."""
_KERNEL_THREAD: Final = 0x0020_0000
"""PF_KTHREAD (linux/sched.h)."""


@dataclass(frozen=True)
class Spent:
    """Seconds that all processors together have worked since boot."""

    total: float
    others: float
    """Of these, what processes that are not ours account for; the kernel's own threads count as ours."""

    def __sub__(self, earlier: Spent) -> Spent:
        return Spent(self.total - earlier.total, self.others - earlier.others)

    @property
    def ours(self) -> float:
        """What is left for us: our processes, and the kernel's work, which nobody can tell apart."""
        return self.total - self.others


@dataclass(frozen=True)
class Process:
    """A line of /proc/PID/stat (proc_pid_stat(5))."""

    parent: int
    kernel: bool
    ticks: int
    """Its time and that of its children that have ended: so nothing gets lost between two looks."""


def spent(owner: int) -> Spent:
    """Give what was spent so far; the process `owner` and its descendants are ours."""
    ticks = os.sysconf("SC_CLK_TCK")
    others = others_of(processes(), owner)
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    return Spent(sum(int(fields[index]) for index in _WORK) / ticks, others / ticks)


def processes() -> dict[int, Process]:
    """Give all processes by their ids."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            line = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has just ended
        # The command's name stands in parentheses and may hold anything.
        fields = line.rpartition(")")[2].split()
        times = sum(map(int, fields[11:15]))
        found[int(path.parent.name)] = Process(int(fields[1]), bool(int(fields[6]) & _KERNEL_THREAD), times)
    return found


def others_of(every: dict[int, Process], owner: int) -> int:
    """Give the ticks of the processes that neither descend from `owner` nor belong to the kernel."""
    return sum(one.ticks for pid, one in every.items() if not one.kernel and not _descends(every, pid, owner))


def _descends(every: dict[int, Process], pid: int, owner: int) -> bool:
    while pid in every:
        if pid == owner:
            return True
        pid = every[pid].parent
    return False


def others_load(seconds: float = 1.0) -> float:
    """Give the share of all processors that others use now, 0 to 1: it disturbs what is measured."""
    before, start = spent(os.getpid()), time.monotonic()
    time.sleep(seconds)
    return (spent(os.getpid()) - before).others / (time.monotonic() - start) / (os.cpu_count() or 1)


def peak_memory(pid: int) -> int:
    """Give the bytes of physical memory that a process held at most, pages that it shares included."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(match[1]) * 1024 if match else 0


def facts() -> dict[str, Any]:
    """Describe the machine, for results that are read elsewhere and later."""
    return {
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "load_average": os.getloadavg(),
        "others_load": round(others_load(), 3),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor()

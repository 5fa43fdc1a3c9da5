"""Facts about the machine: what it is, how busy it is, and what all its processors have spent."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any, Final

_FIELDS: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_BUSY: Final = ("user", "nice", "system", "irq", "softirq")


def processor_seconds(text: str | None = None) -> dict[str, float]:
    """Give the seconds that all processors together spent in each state since boot (proc_stat(5))."""
    line = (Path("/proc/stat").read_text(encoding="ascii") if text is None else text).splitlines()[0]
    ticks = os.sysconf("SC_CLK_TCK")
    return {name: int(value) / ticks for name, value in zip(_FIELDS, line.split()[1:], strict=False)}


def busy_seconds() -> float:
    """Give the seconds that all processors together worked since boot, the kernel's own work included."""
    spent = processor_seconds()
    return sum(spent[name] for name in _BUSY)


def background_load(seconds: float = 1.0) -> float:
    """Give the share of all processors that others use now, 0 to 1: it disturbs what is measured."""
    before, start = busy_seconds(), time.monotonic()
    time.sleep(seconds)
    return (busy_seconds() - before) / (time.monotonic() - start) / (os.cpu_count() or 1)


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
        "background_load": round(background_load(), 3),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor()

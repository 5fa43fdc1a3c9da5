"""`alagg check`: validates the configuration and examines the host."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from alagg import config
from alagg.cli.parser import add_config, needed_config
from alagg.system import doctor
from alagg.values import counted

if TYPE_CHECKING:
    import argparse

    from alagg.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """Print each finding, and how to mend it; 1 if any of them stops the node; an absent peer does not."""
    return report(config.load(needed_config(args)))


def report(settings: Config) -> int:
    """Do it for a configuration."""
    print(f"ok    {settings.path}: {counted(len(settings.peers), 'peer')}, {counted(len(settings.links), 'link')}")
    findings = doctor.examine(settings)
    for finding in findings:
        print(f"{finding.level:5} {finding.what}")
        if finding.mend:
            print(f"      -> {finding.mend}")
    levels = Counter(finding.level for finding in findings)
    print(_verdict(levels["fail"], levels["warn"], levels["wait"]))
    return 1 if levels["fail"] else 0


def _verdict(failed: int, warned: int, waiting: int) -> str:
    if failed:
        return f"not ready: {failed} to mend, {warned} to look at"
    parts = ["ready", *([f"{warned} to look at"] if warned else [])]
    return ", ".join([*parts, *(["waiting for the peer: start it there, too, and check again"] if waiting else [])])

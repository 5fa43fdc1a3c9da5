"""`alagg files`: says where the files are that come with the program, in a clone and in an installation alike."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

FILES: Final = {
    "config": ("default_config.cfg", "every option with its default"),
    "unit": ("contrib/alagg@.service", "the systemd unit"),
    "web-unit": ("contrib/alagg-web@.service", "the systemd unit of the dashboard"),
    "tunnel-unit": ("contrib/alagg-tunnel@.service", "the systemd unit of a tunnel"),
    "rules": ("contrib/alagg-iptables", "the rules without Python, for manage_host = no"),
    "wireshark": ("tools/alagg.lua", "the dissector for Wireshark and tshark"),
    "grafana": ("contrib/grafana.json", "a dashboard for Grafana"),
    "alerts": ("contrib/alerts.yml", "alert rules for Prometheus"),
    "scapy": ("tools/scapy_layer.py", "the layer for scapy: from alagg.tools.scapy_layer import Alagg"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("name", nargs="?", choices=FILES, help="print only this one's path")


def run(args: argparse.Namespace) -> int:
    """Print one path, or all of them with what they are."""
    root = files("alagg")
    if args.name:
        print(root.joinpath(FILES[args.name][0]))
    else:
        for name, (path, purpose) in FILES.items():
            print(f"{name:11} {root.joinpath(path)}  ({purpose})")
    return 0

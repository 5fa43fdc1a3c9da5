"""What comes for Prometheus and Grafana: it is understood, names exist, each alert fires just when it should."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

import pytest

from alagg.metrics import exposition
from alagg.metrics.names import STATE, UP, metrics
from tests.metrics.status import link, status

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES: Final = Path(str(files("alagg") / "contrib" / "alerts.yml"))
DASHBOARD: Final = json.loads((files("alagg") / "contrib" / "grafana.json").read_text(encoding="utf-8"))
def of_link(name: str, link: str = "fibre", **labels: str) -> str:
    """Give the name of a series, as promtool writes it."""
    shown = {"instance": "a", "peer": "office", "link": link, **labels}
    return name + "{" + ", ".join(f'{key}="{value}"' for key, value in shown.items()) + "}"


def of_peer(name: str) -> str:
    return f'{name}{{instance="a", peer="office"}}'


class Case(NamedTuple):
    """When an alert fires, and when it does not: series, as promtool writes them, a value for each interval."""

    alert: str
    firing: dict[str, str]
    silent: dict[str, str]
    interval: str = "10s"
    after: str = "5m"


LOSS, RTT = "alagg_link_loss_ratio", "alagg_link_rtt_seconds"
LATENT, RESETS = "alagg_peer_rx_latent_errors_total", "alagg_peer_rx_resets_total"
QUEUE_FULL = 'alagg_node_capture_dropped_queue_full_packets_total{instance="a"}'
CASES: Final = (
    Case("AlaggPeerGone", {of_link(UP): "0x60"}, {of_link(UP): "0x60", of_link(UP, "copper"): "1x60"}),
    Case("AlaggNoRedundancy", {of_link(UP): "0x60", of_link(UP, "copper"): "1x60"}, {of_link(UP): "1x60"}),
    Case("AlaggLinkDown", {of_link(STATE, state="silent"): "1x60"}, {of_link(STATE, state="blocked"): "1x60"}),
    Case("AlaggLinkCapped", {of_link(STATE, state="capped"): "1x60"}, {of_link(STATE, state="up"): "1x60"}),
    Case("AlaggLinkLossy", {of_link("alagg_link_tx_loss_ratio"): "0.05x60"}, {of_link(LOSS): "0.005x60"}),
    Case("AlaggLinkSlow", {of_link(RTT): "0.01x40 0.1x20"}, {of_link(RTT): "0.08x40 0.1x20"}, "1m", "55m"),
    Case("AlaggRedundancyLost", {of_peer(LATENT): "0x20 1x40"}, {of_peer(LATENT): "7x60"}),
    Case("AlaggPeerRestarted", {of_peer(RESETS): "0x20 1x40"}, {of_peer(RESETS): "1x60"}),
    Case("AlaggOverload", {of_link("alagg_link_rx_dropped_frames_total"): "0+10x60"}, {QUEUE_FULL: "9x60"}),
)


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed")
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def case_file(case: Case, series: dict[str, str], *, fires: bool) -> dict[str, Any]:
    """Give a test in promtool's form; how often an alert fires is all that is asked, so its labels do not matter."""
    count = f'count(ALERTS{{alertname="{case.alert}", alertstate="firing"}}) or vector(0)'
    expected = [{"labels": "{}", "value": 1 if fires else 0}]
    return {
        "interval": case.interval,
        "input_series": [{"series": name, "values": text} for name, text in series.items()],
        "promql_expr_test": [{"expr": count, "eval_time": case.after, "exp_samples": expected}],
    }


def test_rules_fire_and_are_silent_when_they_should(promtool: str, tmp_path: Path) -> None:
    assert [case.alert for case in CASES] == re.findall(r"alert: (\w+)", RULES.read_text(encoding="utf-8"))
    tests = [
        case_file(case, series, fires=fires)
        for case in CASES for series, fires in ((case.firing, True), (case.silent, False))
    ]
    file = tmp_path / "cases.yml"  # JSON is YAML
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "20s", "tests": tests}))
    run(promtool, "check", "rules", str(RULES))
    run(promtool, "test", "rules", str(file))


def expressions() -> list[str]:
    """Give all that the dashboard asks, its variables filled in."""
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    found += [one["expr"] for one in DASHBOARD["annotations"]["list"]]
    return [re.sub(r"\$(instance|peer)", ".*", text.replace("$__rate_interval", "1m")) for text in found]


def test_the_dashboard_asks_what_prometheus_understands(promtool: str, tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    run(promtool, "check", "rules", str(file))


def test_dashboard_and_rules_ask_for_what_is_told() -> None:
    told = {one.shown for one in metrics()} | {UP, STATE}
    asked = set(re.findall(r"alagg_[a-z_]+", " ".join(expressions())))
    asked |= set(re.findall(r"alagg_[a-z_]+", RULES.read_text(encoding="utf-8")))
    assert asked
    assert asked <= told


def test_panels_have_words_and_places() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


class _Target(http.server.BaseHTTPRequestHandler):
    """Serves a status as the web process does."""

    def do_GET(self) -> None:
        body, content_type = exposition(status(link("office", "fibre", tx_frames=7)), self.headers["Accept"])
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def target() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Target) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def prometheus(directory: Path, port: int) -> Iterator[str]:
    """Run Prometheus, which scrapes a port of this host five times a second; give its own address."""
    job = {"job_name": "alagg", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    config = directory / "prometheus.yml"
    often = {"scrape_interval": "200ms", "scrape_timeout": "200ms"}
    config.write_text(json.dumps({"global": often, "scrape_configs": [job]}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    places = [f"--config.file={config}", f"--storage.tsdb.path={directory}", f"--web.listen-address={address}"]
    with subprocess.Popen(["prometheus", *places], stderr=subprocess.DEVNULL) as process:
        yield f"http://{address}"
        process.kill()


def asked(server: str, expression: str) -> list[str]:
    with urllib.request.urlopen(f"{server}/api/v1/query?{urlencode({'query': expression})}", timeout=5) as answer:
        return [one["value"][1] for one in json.load(answer)["data"]["result"]]


def test_prometheus_scrapes_it(promtool: str, tmp_path: Path) -> None:
    with target() as port, prometheus(tmp_path, port) as server:
        for _ in range(300):
            with contextlib.suppress(OSError):
                if found := asked(server, 'alagg_link_tx_frames_total{peer="office", link="fibre"}'):
                    assert found == ["7"]
                    assert asked(server, "up") == ["1"]
                    return
            time.sleep(0.05)
    pytest.fail("nothing was scraped")

"""The dashboard in Debian's Chromium: no violation of accessibility, no error, nothing asked twice; and screenshots.

`make test-browser` runs it and leaves the screenshots in build/browser.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from tests.browser import story
from tests.web.clients import TOKEN
from tests.web.fake_node import link, status
from tests.web.test_server import Web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

PICTURES: Final = Path("build/browser")
DESKTOP: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
FED: Final = """
window.EventSource = class extends EventTarget {
  constructor() {
    super();
    this.readyState = 1;
    window.fed = this;
    setTimeout(() => this.dispatchEvent(new Event("open")));
  }
  close() {}
};
"""
"""Stands in for the stream, so that a minute need not last one."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    running = Web(tmp_path_factory.mktemp("web"))
    yield running
    assert running.close()[0] == 0


class Visit:
    """A page that is open, and what went wrong in it."""

    def __init__(self, browser: Browser, web: Web, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": DESKTOP, **options})
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._told)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.url = f"http://127.0.0.1:{web.port}/"

    def _told(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(message.text)

    def sign_in(self) -> Page:
        self.page.goto(self.url)
        self.page.get_by_label("Token").fill(TOKEN)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Links").wait_for()
        self.wrong = [text for text in self.wrong if "401" not in text]  # the page that asks for the token
        return self.page

    def feed(self, told: Callable[[int], story.Status], seconds: int = 60) -> None:
        """Show a minute at once."""
        self.page.evaluate(
            """([statuses]) => {
              const start = Date.now() - 1000 * statuses.length, RealDate = Date;
              statuses.forEach((status, index) => {
                const now = start + 1000 * (index + 1);
                window.Date = class extends RealDate {
                  constructor(...given) { given.length ? super(...given) : super(now); }
                  static now() { return now; }
                };
                window.fed.dispatchEvent(new MessageEvent("status", { data: JSON.stringify(status) }));
              });
              window.Date = RealDate;
            }""",
            [[told(second) for second in range(seconds)]],
        )

    def happen(self, *texts: tuple[str, bool]) -> None:
        push = "([event]) => window.fed.dispatchEvent(new MessageEvent('event', { data: event }))"
        for number, (text, bad) in enumerate(texts):
            event = {"kind": "link", "time": f"2026-11-27T09:4{number}:17Z", "text": text, "bad": bad}
            self.page.evaluate(push, [json.dumps(event | ({} if bad else {"state": "up"}))])

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(300)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def close(self) -> None:
        self.context.close()
        assert self.wrong == []


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {node['html']}" for one in found for node in one["nodes"]]


def test_live(browser: Browser, web: Web) -> None:
    visit = Visit(browser, web)
    page = visit.sign_in()
    page.get_by_role("heading", name="no link is bad (of 2)").wait_for()
    before = len(visit.asked)
    web.node.says = status(link("fibre", state="down", reason="no carrier"), link("copper"), uptime_s=3601.0)
    event = {"kind": "link_state_changed", "time": "2026-11-27T09:40:00Z", "state": "down"}
    web.node.happen(**event, text="link fibre is down: no carrier")
    page.get_by_role("heading", name="1 of 2 links is bad").wait_for(timeout=1500)
    page.locator("#events li[data-level=bad]", has_text="link fibre is down: no carrier").wait_for()
    page.wait_for_timeout(2500)
    later = [url for url in visit.asked[before:] if "/page/icon" not in url]
    assert later == []  # what is new was pushed
    assert all(url.startswith(visit.url) for url in visit.asked)
    page.get_by_role("button", name="Block copper to office").click()
    page.wait_for_timeout(300)
    visit.close()


def test_blocking_from_the_page(browser: Browser, web: Web) -> None:
    web.node.says = status(link("fibre"), link("copper"), uptime_s=3700.0)
    web.node.changes.clear()
    visit = Visit(browser, web)
    page = visit.sign_in()
    with page.expect_response("**/api/v1/links/office/fibre") as answer:
        page.get_by_role("button", name="Block fibre to office").click()
    assert answer.value.status == 204
    assert web.node.changes == [{"do": "block", "link": "fibre", "peer": "office"}]
    web.node.refuses = "not now"
    page.get_by_role("button", name="Block copper to office").click()
    page.get_by_text("not now").wait_for()
    web.node.refuses = ""
    visit.wrong = [text for text in visit.wrong if "409" not in text]
    visit.close()


def test_signing_out(browser: Browser, web: Web) -> None:
    visit = Visit(browser, web)
    page = visit.sign_in()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Token").wait_for()
    page.reload()
    page.get_by_label("Token").wait_for()
    visit.wrong = [text for text in visit.wrong if "401" not in text]
    visit.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_entrance(browser: Browser, web: Web, scheme: str) -> None:
    visit = Visit(browser, web, color_scheme=scheme)
    visit.page.goto(visit.url)
    assert violations(visit.page) == []
    visit.picture(f"sign-in-{scheme}")
    visit.wrong.clear()
    visit.close()


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("desktop", {}, story.well),
        ("dark", {"color_scheme": "dark"}, story.well),
        ("phone", {"viewport": PHONE, "device_scale_factor": 2}, story.well),
        ("fault", {}, story.bad),
        ("fault-dark", {"color_scheme": "dark"}, story.bad),
        ("fault-phone", {"viewport": PHONE, "device_scale_factor": 2, "color_scheme": "dark"}, story.bad),
    ],
)
def test_pictures(
    browser: Browser, web: Web, name: str, options: dict[str, Any], told: Callable[[int], story.Status]
) -> None:
    visit = Visit(browser, web, **options)
    visit.context.add_init_script(FED)
    page = visit.sign_in()
    visit.feed(told)
    visit.happen(
        ("link lte to office is up", False),
        ("link radio to office: 3.4 % of what it sent was lost in the last 10 s", True),
        ("link lte to office is silent: the peer has not answered for 0.3 s", True),
    ) if told is story.bad else visit.happen(("link lte to office is up", False))
    visit.picture(name)
    if name == "fault":
        page.screenshot(path=PICTURES / "readme.png", clip={"x": 0, "y": 0, "width": 1280, "height": 880})
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    visit.close()

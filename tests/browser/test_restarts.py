"""Who may see and do what in the browser, and a page that outlives its bot and its console."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.bot_process import BotProcess, wait_until
from tests.browser.open_page import OpenPage
from tests.browser.running import bot_with_page, free_port, url_of

CONTROL, VIEW = "a password to control with", "a password to look with"
_WORD = "state => document.getElementById('word').dataset.state === state"


class Running:
    """A bot that can be ended and begun again at the same address."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._port = free_port()
        self.bot = self.begin()
        self.url = url_of(self.bot)

    def begin(self) -> BotProcess:
        self.bot = bot_with_page(
            self._state_dir, port=self._port, NIJA_CONSOLE_PASSWORD=CONTROL, NIJA_CONSOLE_VIEW_PASSWORD=VIEW
        )
        return self.bot

    def console_pid(self) -> int:
        """The process that serves the page: a child of the bot, by the kernel's list."""
        children = Path(f"/proc/{self.bot.process.pid}/task").glob("*/children")
        pids = [int(pid) for each in children for pid in each.read_text(encoding="ascii").split()]
        return next(pid for pid in pids if b"bot.console" in Path(f"/proc/{pid}/cmdline").read_bytes())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("restarts"))
    yield made
    made.bot.stop()


def _signed_in(browser: Browser, running: Running, password: str) -> OpenPage:
    opened = OpenPage(browser, running.url)
    page = opened.go()
    page.fill("input[type=password]", password)
    page.keyboard.press("Enter")
    opened.until("() => /Accounts/.test(document.querySelector('main').innerText)")
    return opened


def test_without_a_password_nothing_is_shown_and_a_wrong_one_is_said_so(running: Running, browser: Browser) -> None:
    with OpenPage(browser, running.url) as opened:
        page = opened.go()
        assert "Sign in" in opened.text()
        assert page.locator("#stop").is_hidden()
        page.fill("input[type=password]", "not it")
        page.keyboard.press("Enter")
        opened.until("() => document.querySelector('main [role=alert]').textContent !== ''")
        assert "Accounts" not in opened.text("body")
        opened.was_quiet()


def test_who_may_look_sees_no_button_that_does_something(running: Running, browser: Browser) -> None:
    with _signed_in(browser, running, VIEW) as opened:
        for path in ("", "account/kraken", "users", "alerts"):
            page = opened.go(path)
            assert page.locator("#stop").is_hidden()
            names = page.eval_on_selector_all("main button", "all => all.map(one => one.textContent)")
            assert not [name for name in names if name.endswith("…")], f"on {path or 'the first screen'}: {names}"
        page.keyboard.press("s")
        assert page.locator("dialog").count() == 0
        opened.was_quiet()


def test_the_page_says_that_its_console_is_gone_and_comes_back_by_itself(running: Running, browser: Browser) -> None:
    with _signed_in(browser, running, CONTROL) as opened:
        opened.until(_WORD, "trading")
        os.kill(running.console_pid(), signal.SIGKILL)
        opened.until(_WORD, "lost")
        assert "cannot be heard" in opened.text("#banner")
        opened.until(_WORD, "trading")
        opened.until("() => document.getElementById('banner').hidden")
        opened.page.click("main button:has-text('Pause entries…')")
        opened.page.click("dialog button:has-text('Go on…')")
        opened.until("() => /No entry leaves/.test(document.querySelector('dialog').innerText)")
        opened.was_quiet()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_page_says_that_its_bot_is_gone_and_comes_back_by_itself(
    running: Running, browser: Browser, how: signal.Signals
) -> None:
    with _signed_in(browser, running, VIEW) as opened:
        opened.go("copies")
        running.bot.process.send_signal(how)
        running.bot.process.wait(30)
        running.bot.kill()
        opened.until("() => document.getElementById('word').dataset.state !== 'trading'")
        assert opened.text("#banner")
        running.begin()
        wait_until(lambda: running.console_pid() if _has_child(running) else None, seconds=60, what="a new console")
        opened.until(_WORD, "trading")
        opened.until("() => document.getElementById('banner').hidden")
        opened.go()
        assert opened.page.inner_text("main h1") == "Trading"
        opened.was_quiet()


def _has_child(running: Running) -> bool:
    try:
        return running.console_pid() > 0
    except (StopIteration, OSError):
        return False

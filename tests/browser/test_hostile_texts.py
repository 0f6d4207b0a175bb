"""Whatever a brokerage, a file or a person writes is shown as it is, and is never part of the page."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.bot_process import ROOT, environment, wait_until
from tests.browser.hostile_store import CORPUS, ORDER, SIGNAL, fill_store
from tests.browser.open_page import OpenPage
from tests.stored_bot import CONFIGURATION, StoredBot, write_configuration

_PAGES = {
    "": 6,
    "positions": 1,
    "account/daivon_frazier_kraken": 6,
    "copies": 0,
    f"copies/{SIGNAL}": 2,
    "orders": 2,
    f"orders/{ORDER}": 4,
    "alerts": 6,
    "users": 2,
    "log": 1,
    "log?contains=%3Cimg": 1,
    "markets": 1,
    "controls": 3,
    "why/kraken": 2,
    "settings": 0,
    "pnl": 0,
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page over the books of a bot that is not running: `python -m bot.console --db …`."""
    directory = tmp_path_factory.mktemp("hostile")
    users = [
        {"user_id": "daivon_frazier", "name": CORPUS[0], "account_type": "retail", "broker_type": "kraken"}
        | {"enabled": True, "description": CORPUS[1]}
    ]
    config = write_configuration(directory, masters=CONFIGURATION, users=json.dumps(users))
    state = directory / "state"
    state.mkdir()
    with StoredBot(state) as stored:
        fill_store(stored)
    lines = [f"2026-01-01 00:00:00,000 WARNING [{CORPUS[2]}] {text}\n{text}\n" for text in CORPUS]
    (state / "nija.log").write_text("".join(lines), encoding="utf-8")
    environ = environment(state, NIJA_CONFIG_DIR=str(config))
    words = [sys.executable, "-m", "bot.console", "--db", str(state / "nija.db"), "--port", "0"]
    with (directory / "console.out").open("wb") as output:
        process = subprocess.Popen(words, cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _address(directory / "console.out")
        finally:
            process.terminate()
            process.wait(20)


def _address(output: Path) -> str:
    """What it says on the terminal, once it listens."""

    def found() -> str:
        said = re.search(r"Console at (http://\S+)", output.read_text(encoding="utf-8"))
        return said.group(1) if said else ""

    return str(wait_until(found, seconds=60, what="the console says where it listens"))


@pytest.fixture(scope="module")
def opened(url: str, browser: Browser) -> Iterator[OpenPage]:
    with OpenPage(browser, url) as page:
        yield page


@pytest.mark.parametrize(("path", "at_least"), _PAGES.items())
def test_markup_in_a_text_is_a_text(opened: OpenPage, path: str, at_least: int) -> None:
    page = opened.go(path)
    opened.until("() => document.getElementById('word').textContent !== 'Connecting…'")
    said = page.evaluate("document.body.innerText")
    assert "could not be shown" not in said and "Not now" not in said
    shown = [text for text in CORPUS if text[:20].casefold() in said.casefold()]
    assert len(shown) >= min(1, at_least), f"nothing of the corpus is on this page, so that it proves nothing: {said}"
    assert sum(said.casefold().count(text[:20].casefold()) for text in CORPUS) >= at_least
    assert page.evaluate("window.hurt") is None
    made = page.evaluate(
        """() => document.querySelectorAll('img, iframe, base, object, embed, main script, main style, main meta,'
             + '[onerror], [onload], [onfocus], [onbegin], [style*=import]').length"""
    )
    assert made == 0
    addresses = page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
    assert [each for each in addresses if not each.startswith(("#", "/api/v1/"))] == []
    opened.was_quiet()
    assert opened.dialogs == []


def test_a_symbol_that_is_markup_has_a_link_that_leads_nowhere_else(opened: OpenPage) -> None:
    page = opened.go("markets")
    page.click(".virtual a")
    opened.until("() => document.querySelector('main h1')")
    assert page.evaluate("location.pathname") == "/"
    assert page.evaluate("window.hurt") is None
    assert opened.hosts <= {"127.0.0.1"}


def test_opened_books_say_that_nobody_trades_and_offer_no_button(opened: OpenPage) -> None:
    page = opened.go()
    opened.until("() => document.getElementById('word').dataset.state === 'stopped'")
    assert page.locator("#stop").is_hidden()
    assert page.inner_text("main h1") == "Stopped"

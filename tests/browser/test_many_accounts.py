"""The stop button with two hundred accounts: `NIJA_LARGE=1 pytest tests/browser/test_many_accounts.py`."""

import json
import os
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.open_page import OpenPage
from tests.browser.running import bot_with_page, url_of

USERS = 200
MOST_SECONDS = 1.0

pytestmark = pytest.mark.skipif(not os.environ.get("NIJA_LARGE"), reason="two hundred accounts: set NIJA_LARGE=1")


def _configuration(directory: Path) -> Path:
    users = [
        {"user_id": f"u{number}", "name": f"U{number}", "account_type": "retail", "broker_type": "kraken"}
        | {"enabled": True}
        for number in range(USERS)
    ]
    (directory / "config" / "users").mkdir(parents=True)
    (directory / "config" / "nija.yaml").write_text("masters:\n  - {broker: kraken}\n", encoding="utf-8")
    (directory / "config" / "users" / "retail_kraken.json").write_text(json.dumps(users), encoding="utf-8")
    return directory / "config"


def test_two_hundred_accounts_are_stopped_within_a_second_of_the_click(tmp_path: Path, browser: Browser) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    with (
        bot_with_page(tmp_path / "state", NIJA_CONFIG_DIR=str(_configuration(tmp_path))) as bot,
        OpenPage(browser, url_of(bot)) as opened,
    ):
        page = opened.go()
        page.set_default_timeout(900_000)  # they connect one after the other
        opened.until(
            "most => document.querySelectorAll('#accounts tbody tr .pill[data-level=good]').length > most", USERS
        )
        page.click("#stop")
        page.click("dialog button:has-text('Stop all entries')")
        page.click("dialog button:has-text('Go on…')")
        opened.until("() => document.activeElement.textContent === 'Stop all of it'")
        begun = time.monotonic()
        page.keyboard.press("Enter")
        opened.until("() => document.getElementById('word').dataset.state === 'stopped'")
        seen = time.monotonic() - begun
        opened.until("() => /Done\\./.test(document.querySelector('dialog').innerText)")
        answered = time.monotonic() - begun
        print(f"seen after {seen:.2f} s, the bot's word after {answered:.2f} s")
        assert seen <= MOST_SECONDS
        opened.was_quiet()
        bot.stop()

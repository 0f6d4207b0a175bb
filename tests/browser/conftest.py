"""One browser for all tests of a worker; without Debian's Chromium they are skipped, and say so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from tests.browser.open_page import CHROMIUM, FLAGS  # noqa: E402


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()

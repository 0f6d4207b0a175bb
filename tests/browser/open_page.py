"""A page in a real browser, with everything it asked for and every error it met written down."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

CHROMIUM = "/usr/bin/chromium"
# Nothing of the browser itself may look for another host.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
PHONE, TABLET, DESKTOP = (360, 780), (768, 1024), (1280, 900)
# Machines that build are slow; what is too slow for a person is said where it matters.
PATIENCE_MS = 30_000
# A console that is down cannot be reached, and a refused sign-in is an answer: the browser writes both down itself.
_NETWORK = "Failed to load resource"


class OpenPage:
    """One browser context with one page at `base`. Use it as a context manager."""

    def __init__(
        self, browser: Browser, base: str, *, size: tuple[int, int] = DESKTOP, scheme: str = "light", **more: Any
    ) -> None:
        self.base = base.rstrip("/")
        self._context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,  # type: ignore[arg-type]
            **more,
        )
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.dialogs: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self._heard(said.type, said.text))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or request.url[:60]))
        self.page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(_NETWORK):
            self.errors.append(text)

    def go(self, path: str = "") -> Page:
        """Open a page of the console and wait until it is there."""
        if not self.page.url.startswith(self.base):
            self.page.goto(f"{self.base}/#/{path}")
        else:
            self.page.evaluate("path => { location.hash = '#/away'; location.hash = '#/' + path; }", path)
        self.page.wait_for_function(
            "() => document.querySelector('main h1') && !document.querySelector('main > .empty')"
        )
        return self.page

    def until(self, script: str, argument: Any = None) -> None:
        """Wait until the script says something true in the page."""
        self.page.wait_for_function(script, arg=argument)

    def text(self, selector: str = "main") -> str:
        return self.page.inner_text(selector)

    def was_quiet(self) -> None:
        """Nothing went wrong in the page, and it asked nobody but its own host."""
        assert self.errors == [], self.errors
        assert self.hosts <= {"127.0.0.1"}, self.hosts

    def __enter__(self) -> "OpenPage":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()


Opener = Callable[..., OpenPage]

"""A hosting platform asks the port that it gives us (PORT) whether we live: from the first moment, and in any state.

The console answers there while it runs. Before it and without it we do: a process that waits for its turn must be seen
to live, or the platform never ends the process that has it.
"""

import logging
from collections.abc import Mapping

from bot.console.hosts import is_loopback
from bot.observability.health_pages import health_routes
from bot.observability.pages import Pages
from bot.observability.readiness import Readiness
from bot.seams.clock import Clock
from bot.settings import Settings

log = logging.getLogger(__name__)

PORT = "PORT"


class PlatformPort:
    """`open` and `close` by one thread at a time, as often as wanted. Without PORT nothing is opened."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], readiness: Readiness, clock: Clock) -> None:
        self._settings = settings
        self._port = environ.get(PORT, "").strip()
        self._readiness = readiness
        self._clock = clock
        self._pages: Pages | None = None

    def open(self) -> None:
        """Answer health checks; the platform must not end a bot that trades because of a page."""
        if self._pages is not None or not (self._port.isascii() and self._port.isdigit() and len(self._port) <= 5):
            return
        try:
            self._pages = Pages(self._host(), int(self._port), health_routes(self._readiness), self._clock)
        except (OSError, OverflowError) as error:
            log.warning("health checks on port %s cannot be answered: %s", self._port, error)

    def close(self) -> None:
        """Leave the port to whoever takes it now."""
        pages, self._pages = self._pages, None
        if pages is not None:
            pages.close()

    def _host(self) -> str:
        """As the console itself has it: a platform's port is for everybody."""
        host = self._settings.console.host
        return "0.0.0.0" if is_loopback(host) else host

"""A small HTTP server for pages that are only read: metrics and health. Nothing that happens here reaches trading."""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bot.seams.clock import Clock

log = logging.getLogger(__name__)

# Whoever talks slower, or all at once, is hung up on: a thread each is what it would cost.
LONGEST_REQUEST_SECONDS = 15.0
MAX_CONNECTIONS = 50
POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Page:
    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"

    @classmethod
    def text(cls, status: int, text: str) -> "Page":
        return cls(status, f"{text}\n".encode())


Routes = Mapping[str, Callable[[str], Page]]


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    timeout = LONGEST_REQUEST_SECONDS
    server_version = "nija"
    sys_version = ""

    def do_GET(self) -> None:
        page = self._page()
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    do_HEAD = do_GET

    def _page(self) -> Page:
        route = self.server.routes.get(self.path.partition("?")[0])
        if route is None:
            return Page.text(404, "there is no such page")
        try:
            return route(self.headers.get("Accept", ""))
        except Exception:
            log.exception("the page %s could not be made", self.path.partition("?")[0])
            return Page.text(500, "this page could not be made; the log says why")

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], routes: Routes, clock: Clock) -> None:
        self.routes = routes
        self._clock = clock
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            full = len(self._open) >= MAX_CONNECTIONS
            if not full:
                self._open[request] = self._clock.monotonic()
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called between requests: ends those that take too long, however steadily they drip."""
        limit = self._clock.monotonic() - LONGEST_REQUEST_SECONDS
        with self._lock:
            slow = [request for request, since in self._open.items() if since < limit]
        for request in slow:
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a request was not answered", exc_info=True)


class Pages:
    """The server and its thread. `port` 0 takes any free one. Raises `OSError` when the address cannot be had."""

    def __init__(self, host: str, port: int, routes: Routes, clock: Clock) -> None:
        self._server = _Server((host, port), routes, clock)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="Pages", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)

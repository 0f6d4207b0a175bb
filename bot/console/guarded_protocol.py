"""uvicorn's HTTP/1.1 for a page that strangers can reach: a bound to connections, and an end to slow ones.

Whatever a slow client costs is a connection: those that bring no whole request in time, and those that do not read
their answer, are hung up on. Health checks are answered when there are too many of all others.
"""

import asyncio

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.console.answers import json_answer

LONGEST_REQUEST_SECONDS = 10.0
LONGEST_UNREAD_SECONDS = 10.0
LOOK_SECONDS = 1.0
# With more than so many open, only health is answered.
MOST_CONNECTIONS = 50
# Those after so many are closed unheard: file descriptors end, too.
MOST_SOCKETS = 200
HEALTH = frozenset({"/live", "/ready", "/trading"})


class GuardedProtocol(H11Protocol):
    """Hangs up on who has not sent a whole request in time, however steadily the bytes come, or does not read."""

    _begun_at: float | None = None
    _unread_since: float | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_SOCKETS:
            transport.abort()
            return
        self._begun_at = self.loop.time()
        self._timer = self.loop.call_later(LOOK_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        many = len(self.connections) > MOST_CONNECTIONS or len(self.tasks) > MOST_CONNECTIONS
        self.app = _health_alone(self._all) if many else self._all
        super().handle_events()

    @property
    def _all(self) -> ASGIApp:
        app: ASGIApp = self.config.loaded_app
        return app

    def _look(self) -> None:
        now = self.loop.time()
        self._begun_at = None if not self._unfinished() else now if self._begun_at is None else self._begun_at
        self._unread_since = (
            None if not self.flow.write_paused else now if self._unread_since is None else self._unread_since
        )
        slow = self._begun_at is not None and now - self._begun_at > LONGEST_REQUEST_SECONDS
        if slow or (self._unread_since is not None and now - self._unread_since > LONGEST_UNREAD_SECONDS):
            self.transport.abort()
            return
        self._timer = self.loop.call_later(LOOK_SECONDS, self._look)

    def _unfinished(self) -> bool:
        """Whether some of a request is here and not all of it; nothing at all on a new connection counts as well."""
        if self.conn.their_state is h11.SEND_BODY:
            return True
        waiting = self.conn.their_state is h11.IDLE
        return waiting and (self.cycle is None or bool(self.conn.trailing_data[0]))


def _health_alone(app: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in HEALTH:
            await app(scope, receive, send)
        else:
            busy = json_answer({"error": "too many look at this console now"}, status=503)
            busy.headers["Connection"] = "close"
            await busy(scope, receive, send)

    return answer

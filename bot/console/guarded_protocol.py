"""uvicorn's HTTP/1.1, with an end to requests that drip in: a connection each is what slow clients would cost."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

LONGEST_REQUEST_SECONDS = 10.0
LOOK_SECONDS = 1.0


class GuardedProtocol(H11Protocol):
    """Hangs up on who has not sent a whole request in time, however steadily the bytes come."""

    _begun_at: float | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begun_at = self.loop.time()
        self._timer = self.loop.call_later(LOOK_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        if not self._unfinished():
            self._begun_at = None
        elif self._begun_at is None:
            self._begun_at = self.loop.time()
        elif self.loop.time() - self._begun_at > LONGEST_REQUEST_SECONDS:
            self.transport.abort()
            return
        self._timer = self.loop.call_later(LOOK_SECONDS, self._look)

    def _unfinished(self) -> bool:
        """Whether some of a request is here and not all of it; nothing at all on a new connection counts as well."""
        if self.conn.their_state is h11.SEND_BODY:
            return True
        waiting = self.conn.their_state is h11.IDLE
        return waiting and (self.cycle is None or bool(self.conn.trailing_data[0]))

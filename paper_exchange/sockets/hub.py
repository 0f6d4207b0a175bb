"""All connections of one brokerage: the way of a request from its text to its answers, with faults and journal.

A subclass says what requests are called, what is answered, and what is pushed; everything about connections is here.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from paper_exchange.exchange import Exchange
from paper_exchange.faults import SOCKET_CONNECTS, SOCKET_REQUESTS, FaultAction, FaultKind
from paper_exchange.http import Call, write_line
from paper_exchange.sockets.connecting import open_as_told
from paper_exchange.sockets.connection import ABNORMAL, Connection
from paper_exchange.sockets.pushes import Pushes
from paper_exchange.sockets.session import SocketSession

Payloads = Sequence[bytes]


class SocketHub(ABC):
    """Told of connections by their ports; used from one thread only."""

    brokerage: ClassVar[str]
    paths: ClassVar[frozenset[str]]
    """Of the handshake; any other is answered with 404."""
    idle_seconds: ClassVar[float]
    """How long a connection may say nothing, and be told nothing, before it is closed with ``idle_code``."""
    idle_code: ClassVar[int] = 1000

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._sessions: dict[Connection, SocketSession] = {}
        self._connections = 0
        self.pushes = Pushes(exchange, self.brokerage, self.farewell)

    # What a subclass says.

    @abstractmethod
    def identify(self, session: SocketSession, call: Call) -> None:
        """Fill ``call.endpoint`` (``ws/<method>``), whose call it is and what the journal should know of an order."""

    @abstractmethod
    def carry_out(self, session: SocketSession, call: Call, now_ns: int) -> Payloads:
        """Do what is asked for and give the answers; a refusal puts the journal's text into ``call.data["error"]``."""

    @abstractmethod
    def refusal(self, session: SocketSession, call: Call, text: str) -> Payloads:
        """The brokerage's own error message around ``text``."""

    def opened(self, session: SocketSession) -> Payloads:
        """What a new connection is told at once."""
        return ()

    def farewell(self, session: SocketSession, code: int) -> Payloads:
        """What is said before a connection is closed with ``code``."""
        return ()

    def ended(self, session: SocketSession) -> None:
        """The connection has gone."""
        return

    def arrived(self, session: SocketSession, call: Call) -> None:
        """A call that will be carried out later: judge what must be judged on arrival."""
        return

    def is_journaled(self, call: Call) -> bool:
        return call.endpoint != "ws/ping"

    # Connections.

    @property
    def sessions(self) -> list[SocketSession]:
        return list(self._sessions.values())

    def on_request(self, connection: Connection, path: str) -> None:
        call = Call(self.brokerage, "WS", path, b"", {}, b"", self._exchange.clock.now_ns(), endpoint="ws/connect")
        write_line(self._exchange, call, "request", error=None)
        fault = self._exchange.faults.take(self.brokerage, None, call.endpoint, SOCKET_CONNECTS)
        open_as_told(fault, connection, path, self._open)

    def on_gone(self, connection: Connection) -> None:
        session = self._sessions.pop(connection, None)
        if session is not None:
            self.ended(session)

    def _open(self, connection: Connection, path: str) -> None:
        if path not in self.paths:
            connection.reject(404, "")
            return
        connection.accept()
        if not connection.is_open:
            return
        self._connections += 1
        session = SocketSession(connection, connection_id=self._connections)
        self._sessions[connection] = session
        greeting = self.opened(session)
        if greeting:
            session.send(greeting)

    def close_all(self) -> None:
        """The exchange goes down: a close frame for everybody."""
        for session in self.sessions:
            self.pushes.close(session, 1001)

    # Time.

    async def tick(self) -> None:
        """Nothing of the market is shown here."""
        return

    def beat(self, now: float) -> None:
        """Once a second: the end for those who do nothing."""
        for session in self.sessions:
            session.speak_again(now)
            if now - max(session.last_in, session.last_out) >= self.idle_seconds:
                session.connection.close(self.idle_code)

    # Requests.

    def on_text(self, connection: Connection, text: bytes) -> None:
        session = self._sessions.get(connection)
        if session is None:
            return
        session.note_arrival()
        call = Call(self.brokerage, "WS", "", b"", {}, text, self._exchange.advance(), account=session.account)
        self.identify(session, call)
        if self._exchange.faults:
            call.fault = self._exchange.faults.take(self.brokerage, call.account_name, call.endpoint, SOCKET_REQUESTS)
        if self.is_journaled(call):
            write_line(self._exchange, call, "request", error=None)
        if call.fault is not None:
            self._misbehave(session, call, call.fault)
        else:
            self._answer(session, call)

    def _answer(self, session: SocketSession, call: Call) -> None:
        self._send(session, self._done(session, call))

    def _done(self, session: SocketSession, call: Call) -> Payloads:
        now_ns = self._exchange.advance() if call.fault is not None else call.received_ns
        sent = self.carry_out(session, call, now_ns)
        self._exchange.publish_events(endpoint=call.endpoint, nonce=call.nonce)
        if "error" in call.data:
            write_line(self._exchange, call, "refuse", error=call.data["error"])
        return sent

    def _send(self, session: SocketSession, payloads: Payloads) -> None:
        self._exchange.keep()
        if payloads:
            session.send(payloads)

    def _misbehave(self, session: SocketSession, call: Call, fault: FaultAction) -> None:
        """What a fault makes of a request; one that is dropped or hangs is not even looked at."""
        later = asyncio.get_running_loop().call_later
        match fault.kind:
            case FaultKind.API_ERROR | FaultKind.STALE_TOKEN:
                write_line(self._exchange, call, "refuse", error=fault.text)
                self._send(session, self.refusal(session, call, fault.text or ""))
            case FaultKind.DELAY if fault.part == "answer":
                later(fault.seconds or 0.0, self._send, session, self._done(session, call))
            case FaultKind.DELAY:
                self.arrived(session, call)
                later(fault.seconds or 0.0, self._answer, session, call)
            case FaultKind.DROP_RESPONSE:
                self._done(session, call)
            case FaultKind.BODY:
                self._done(session, call)
                self._send(session, [(fault.text or "").encode()])
            case FaultKind.CLOSE:
                self._done(session, call)
                self.pushes.close(session, fault.code or ABNORMAL)
            case FaultKind.RESET:
                session.connection.abort()

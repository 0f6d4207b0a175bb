"""All connections to the stream: who they belong to, what they are told, and what faults do to them."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Mapping

from websockets.frames import Opcode

from paper_exchange.alpaca.context import Venue
from paper_exchange.alpaca.keys import Credentials
from paper_exchange.alpaca.routes import Scope, json_object
from paper_exchange.alpaca.stream.session import TRADE_UPDATES, StreamSession
from paper_exchange.alpaca.stream.updates import encode, update_of
from paper_exchange.api_keys import Account
from paper_exchange.exchange import Exchange
from paper_exchange.faults import SOCKET_CONNECTS, SOCKET_REQUESTS, FaultAction, FaultKind
from paper_exchange.http import Call, write_line
from paper_exchange.orders import Event
from paper_exchange.sockets.connecting import open_as_told
from paper_exchange.sockets.connection import ABNORMAL, Connection
from paper_exchange.sockets.pushes import Pushes

BROKERAGE = "alpaca"
PORT = "alpaca_ws"
PATH = "/stream"
AUTHENTICATE, LISTEN = "authenticate", "listen"


class StreamHub:
    """Told of connections by their port; used from one thread only."""

    def __init__(self, exchange: Exchange, venue: Venue) -> None:
        self._exchange = exchange
        self._venue = venue
        self._pushes = Pushes(exchange, BROKERAGE)
        self._sessions: dict[Connection, StreamSession] = {}
        self._connections = 0
        self._waiting: deque[tuple[str, bytes]] = deque()
        exchange.listeners.append(self._happened)

    # Connections.

    def on_request(self, connection: Connection, path: str) -> None:
        call = self._call("connect", b"", None)
        write_line(self._exchange, call, "request", error=None)
        fault = self._exchange.faults.take(BROKERAGE, None, call.endpoint, SOCKET_CONNECTS)
        open_as_told(fault, connection, path, self._open)

    def on_gone(self, connection: Connection) -> None:
        self._sessions.pop(connection, None)

    def close_all(self) -> None:
        for session in list(self._sessions.values()):
            session.connection.close(1001)

    def _open(self, connection: Connection, path: str) -> None:
        if path != PATH:
            connection.reject(404, "")
            return
        # As Alpaca's host for paper accounts does; the one for live accounts sends the same as text.
        connection.opcode = Opcode.BINARY
        connection.accept()
        if connection.is_open:
            self._connections += 1
            self._sessions[connection] = StreamSession(connection, connection_id=self._connections)

    # Time.

    async def tick(self) -> None:
        """The market is not streamed here."""

    def beat(self, now: float) -> None:
        """The end for connections whose key was replaced."""
        for session in list(self._sessions.values()):
            session.speak_again(now)
            account = session.account
            if account is not None and self._exchange.account_by_key(BROKERAGE, account.api_key) is None:
                session.connection.close(1008)

    # Requests.

    def on_text(self, connection: Connection, text: bytes) -> None:
        session = self._sessions.get(connection)
        if session is None:
            return
        session.note_arrival()
        message = json_object(text) or {}
        action = str(message.get("action") or "")
        data = message.get("data")
        fields: Mapping[str, object] = data if isinstance(data, dict) else message
        self._exchange.advance()
        call = self._call(action, text, self._claimed(session, action, fields))
        write_line(self._exchange, call, "request", error=None)
        fault = self._exchange.faults.take(BROKERAGE, call.account_name, call.endpoint, SOCKET_REQUESTS)
        if fault is None:
            session.send([self._answer(session, call, action, fields)])
        else:
            self._misbehave(session, call, action, fields, fault)

    def _misbehave(
        self, session: StreamSession, call: Call, action: str, fields: Mapping[str, object], fault: FaultAction
    ) -> None:
        def late() -> None:
            session.send([self._answer(session, call, action, fields)])

        match fault.kind:
            case FaultKind.DELAY:
                asyncio.get_running_loop().call_later(fault.seconds or 0.0, late)
            case FaultKind.DROP_RESPONSE:
                self._answer(session, call, action, fields)
            case FaultKind.API_ERROR:
                session.send([_error(action, fault.text or "internal server error")])
            case FaultKind.BODY:
                session.send([(fault.text or "").encode()])
            case FaultKind.CLOSE:
                session.connection.close(fault.code or ABNORMAL)
            case FaultKind.RESET:
                session.connection.abort()

    def _answer(self, session: StreamSession, call: Call, action: str, fields: Mapping[str, object]) -> bytes:
        if action in (AUTHENTICATE, "auth"):
            return self._authenticated(session, call, fields)
        if action != LISTEN:
            return _error(action, "action is not supported")
        if session.account is None:
            write_line(self._exchange, call, "refuse", error="unauthorized")
            return encode({"stream": "authorization", "data": {"status": "unauthorized", "action": LISTEN}})
        streams = fields.get("streams")
        session.listens = isinstance(streams, list) and TRADE_UPDATES in streams
        return encode({"stream": "listening", "data": {"streams": [TRADE_UPDATES] if session.listens else []}})

    def _authenticated(self, session: StreamSession, call: Call, fields: Mapping[str, object]) -> bytes:
        given, account = _credentials(fields), call.account
        right = account is not None and secrets.compare_digest(given.secret.encode(), account.api_secret.encode())
        if account is None or not right or Scope.VIEW not in account.permissions:
            write_line(self._exchange, call, "refuse", error="unauthorized")
            status = "unauthorized"
        else:
            session.account, status = account, "authorized"
        return encode({"stream": "authorization", "data": {"status": status, "action": AUTHENTICATE}})

    def _claimed(self, session: StreamSession, action: str, fields: Mapping[str, object]) -> Account | None:
        """Whose the request is, as far as it says."""
        if action == LISTEN:
            return session.account
        return self._exchange.account_by_key(BROKERAGE, _credentials(fields).key_id)

    def _call(self, action: str, text: bytes, account: Account | None) -> Call:
        """The request as faults and journal know it; keys have no place in the journal."""
        now_ns = self._exchange.clock.now_ns()
        return Call(BROKERAGE, "WS", PATH, b"", {}, text, now_ns, endpoint=f"ws/{action}", account=account)

    # Updates.

    def _happened(self, event: Event) -> None:
        account_id = event.order.account_id
        if not any(session.listens and _is_of(session, account_id) for session in self._sessions.values()):
            return
        update = update_of(self._venue, event)
        if update is None:
            return
        if not self._waiting:
            # A moment later, so that the answer to the request that caused it does not wait.
            asyncio.get_running_loop().call_soon(self._send_waiting)
        self._waiting.append((account_id, update))

    def _send_waiting(self) -> None:
        self._exchange.keep()
        waiting, self._waiting = list(self._waiting), deque()
        for session in list(self._sessions.values()):
            updates = [(session, update) for account_id, update in waiting if _is_of(session, account_id)]
            if session.listens and updates:
                self._pushes.send(session, updates)


def _is_of(session: StreamSession, account_id: str) -> bool:
    return session.account is not None and session.account.account_id == account_id


def _credentials(fields: Mapping[str, object]) -> Credentials:
    """As ``key_id`` and ``secret_key``, or in the shorter form as ``key`` and ``secret``."""
    key_id, secret = (fields.get(long) or fields.get(short) for long, short in _CREDENTIAL_NAMES)
    return Credentials(str(key_id or ""), str(secret or ""))


_CREDENTIAL_NAMES = (("key_id", "key"), ("secret_key", "secret"))


def _error(action: str, text: str) -> bytes:
    return encode({"stream": "error", "data": {"action": action, "error": text}})

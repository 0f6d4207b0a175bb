"""All connections of the WebSocket API: the way of a request from its text to its answer, with faults and journal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

from paper_exchange.binance.amounts import milliseconds
from paper_exchange.binance.errors import (
    ALREADY_SUBSCRIBED,
    REJECTED_KEY,
    TOO_MANY_REQUESTS,
    UNKNOWN,
    BinanceError,
    not_valid,
    status_of,
)
from paper_exchange.binance.front import NAME, BinanceFront
from paper_exchange.binance.limits import RATE_LIMITS
from paper_exchange.binance.parameters import SIGNED_NAMES
from paper_exchange.binance.routes import Right
from paper_exchange.binance.signature import check_signed, check_times
from paper_exchange.binance.ws.requests import SocketRequest, read_request
from paper_exchange.binance.ws.session import Session
from paper_exchange.binance.ws.user_data import UserData
from paper_exchange.exchange import Exchange
from paper_exchange.faults import SOCKET_CONNECTS, SOCKET_REQUESTS, FaultAction, FaultKind
from paper_exchange.http import Call, Front, write_line
from paper_exchange.sockets.connection import ABNORMAL, Connection
from paper_exchange.sockets.pushes import Pushes
from paper_exchange.sockets.service import SocketPorts

PORT = "binance_ws"
PATH = "/ws-api/v3"
LASTS_NS = 24 * 3600 * 1_000_000_000
"""A connection is closed after a day."""
WEIGHT = 2
SUBSCRIBE = "userDataStream.subscribe.signature"
UNSUBSCRIBE = "userDataStream.unsubscribe"
Result = Mapping[str, object] | list[dict[str, object]]


class BinanceHub:
    """Told of connections by their port; used from one thread only."""

    def __init__(self, exchange: Exchange, front: BinanceFront) -> None:
        self._exchange = exchange
        self._front = front
        self._sessions: dict[Connection, Session] = {}
        self._connections = 0
        self._user_data = UserData(front.shared, Pushes(exchange, NAME))
        self._methods: dict[str, Callable[[Session, SocketRequest, Call], Result]] = {
            "ping": lambda _session, _request, _call: {},
            "time": lambda _session, _request, call: {"serverTime": milliseconds(call.received_ns)},
            SUBSCRIBE: self._subscribe,
            UNSUBSCRIBE: self._unsubscribe,
            "session.subscriptions": self._subscriptions,
        }

    # Connections.

    def on_request(self, connection: Connection, path: str) -> None:
        call = Call(NAME, "WS", path, b"", {}, b"", self._exchange.clock.now_ns(), endpoint="ws/connect")
        write_line(self._exchange, call, "request", error=None)
        fault = self._exchange.faults.take(NAME, None, call.endpoint, SOCKET_CONNECTS)
        if fault is None:
            self._open(connection, path)
        elif fault.kind is FaultKind.DELAY:
            asyncio.get_running_loop().call_later(fault.seconds or 0.0, self._open, connection, path)
        elif fault.kind is FaultKind.STATUS_5XX:
            connection.reject(fault.status or 503, "")
        elif fault.kind is not FaultKind.HANG:
            connection.abort()

    def on_gone(self, connection: Connection) -> None:
        session = self._sessions.pop(connection, None)
        if session is not None:
            for subscription in session.subscriptions.values():
                self._user_data.remove(subscription)
            session.subscriptions.clear()

    def _open(self, connection: Connection, path: str) -> None:
        if path != PATH:
            connection.reject(404, "")
            return
        connection.accept()
        if connection.is_open:
            self._connections += 1
            now_ns = self._exchange.clock.now_ns()
            self._sessions[connection] = Session(connection, connection_id=self._connections, began_ns=now_ns)

    def close_all(self) -> None:
        for session in list(self._sessions.values()):
            session.connection.close(1001)

    # Time.

    async def tick(self) -> None:
        """Nothing of the market is told here."""

    def beat(self, now: float) -> None:
        """Once a second: the end of connections that have lasted a day."""
        for session in list(self._sessions.values()):
            session.speak_again(now)
            if self._exchange.clock.now_ns() - session.began_ns >= LASTS_NS:
                session.connection.close(1001)

    # Requests.

    def on_text(self, connection: Connection, text: bytes) -> None:
        session = self._sessions.get(connection)
        if session is None:
            return
        session.note_arrival()
        now_ns = self._exchange.advance()
        try:
            request = read_request(text)
        except BinanceError as problem:
            self._send(session, _failure(None, problem))
            return
        call = Call(NAME, "WS", PATH, b"", {}, text, now_ns, endpoint=f"ws/{request.method}")
        call.account = self._exchange.account_by_key(NAME, request.api_key)
        fault = self._exchange.faults.take(NAME, call.account_name, call.endpoint, SOCKET_REQUESTS)
        write_line(self._exchange, call, "request", error=None)
        if fault is None:
            self._send(session, self._carry_out(session, request, call))
        else:
            self._misbehave(session, request, call, fault)

    def _misbehave(self, session: Session, request: SocketRequest, call: Call, fault: FaultAction) -> None:
        match fault.kind:
            case FaultKind.API_ERROR:
                self._send(session, self._refused(request, call, self._front.problem(fault.text or "")))
            case FaultKind.STALE_TOKEN:
                self._send(session, self._refused(request, call, BinanceError(REJECTED_KEY)))
            case FaultKind.DELAY:
                loop = asyncio.get_running_loop()
                loop.call_later(fault.seconds or 0.0, self._late, session, request, call)
            case FaultKind.DROP_RESPONSE:
                self._carry_out(session, request, call)
            case FaultKind.BODY:
                self._carry_out(session, request, call)
                session.send([(fault.text or "").encode()])
            case FaultKind.CLOSE:
                self._carry_out(session, request, call)
                session.connection.close(fault.code or ABNORMAL)
            case FaultKind.RESET:
                session.connection.abort()

    def _late(self, session: Session, request: SocketRequest, call: Call) -> None:
        if session.connection in self._sessions:
            self._send(session, self._carry_out(session, request, call))

    def _carry_out(self, session: Session, request: SocketRequest, call: Call) -> dict[str, object]:
        try:
            result = self._execute(session, request, call)
        except BinanceError as problem:
            return self._refused(request, call, problem)
        return {"id": request.request_id, "status": 200, "result": result, "rateLimits": self._used()}

    def _execute(self, session: Session, request: SocketRequest, call: Call) -> Result:
        method = self._methods.get(request.method)
        if method is None:
            raise BinanceError(UNKNOWN, f"Method {request.method!r} is not one of this exchange's WebSocket API.")
        strict = call.account is not None and call.account.strict
        over = self._front.shared.limits.charge(WEIGHT, call.received_ns, strict=strict)
        if over is not None:
            raise BinanceError(TOO_MANY_REQUESTS, over.message)
        return method(session, request, call)

    def _subscribe(self, session: Session, request: SocketRequest, call: Call) -> Result:
        parameters = request.parameters
        account = check_signed(parameters, request.api_key, call.account)
        parameters.check(SIGNED_NAMES | {"apiKey"})
        check_times(parameters, call.received_ns)
        if Right.READ not in account.permissions:
            raise BinanceError(REJECTED_KEY)
        if any(each.account.account_id == account.account_id for each in session.subscriptions.values()):
            raise BinanceError(ALREADY_SUBSCRIBED)
        session.account = account
        subscription = session.subscribe(account)
        self._user_data.add(subscription)
        return {"subscriptionId": subscription.number}

    def _unsubscribe(self, session: Session, request: SocketRequest, _call: Call) -> Result:
        """One stream of the connection, or without a number all of them."""
        number = request.parameters.whole("subscriptionId")
        if number is not None and number not in session.subscriptions:
            raise not_valid("subscriptionId")
        for each in list(session.subscriptions) if number is None else [number]:
            self._user_data.end(session.subscriptions[each])
        return {}

    def _subscriptions(self, session: Session, _request: SocketRequest, _call: Call) -> Result:
        return [{"subscriptionId": number} for number in session.subscriptions]

    def _refused(self, request: SocketRequest, call: Call, problem: BinanceError) -> dict[str, object]:
        write_line(self._exchange, call, "refuse", error=str(problem))
        return {**_failure(request.request_id, problem), "rateLimits": self._used()}

    def _used(self) -> list[dict[str, object]]:
        return [{**RATE_LIMITS[0], "count": self._front.shared.limits.used_weight}]

    def _send(self, session: Session, answer: Mapping[str, object]) -> None:
        self._exchange.keep()
        session.send([json.dumps(answer, separators=(",", ":")).encode()])


def _failure(request_id: object, problem: BinanceError) -> dict[str, object]:
    return {"id": request_id, "status": status_of(problem), "error": problem.body}


def _hub(exchange: Exchange, front: Front, _connects_per_10_minutes: int | None) -> BinanceHub:
    assert isinstance(front, BinanceFront)
    return BinanceHub(exchange, front)


BINANCE_SOCKETS = SocketPorts(brokerage=NAME, ports={PORT: "ws_auth"}, hub=_hub)

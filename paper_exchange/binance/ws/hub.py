"""Connections to the WebSocket API: what requests there are and how they are answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import ClassVar

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
from paper_exchange.binance.ws.session import Streams, Subscription
from paper_exchange.binance.ws.user_data import UserData
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Front
from paper_exchange.sockets.hub import Payloads, SocketHub
from paper_exchange.sockets.service import SocketPorts
from paper_exchange.sockets.session import SocketSession

PORT = "binance_ws"
LASTS_NS = 24 * 3600 * 1_000_000_000
"""A connection is closed after a day."""
WEIGHT = 2
Result = Mapping[str, object] | list[dict[str, object]]
Method = Callable[["BinanceHub", Streams, SocketRequest, Call], Result]


class BinanceHub(SocketHub):
    brokerage: ClassVar[str] = NAME
    paths: ClassVar[frozenset[str]] = frozenset({"/ws-api/v3"})
    idle_seconds: ClassVar[float] = 86_400.0
    """An account may have nothing to tell for as long as a connection lasts."""

    def __init__(self, exchange: Exchange, front: BinanceFront) -> None:
        super().__init__(exchange)
        self._front = front
        self._streams: dict[SocketSession, Streams] = {}
        self._user_data = UserData(front.shared, self.pushes, on_end=self._dropped)

    # What the connections are told.

    def opened(self, session: SocketSession) -> Payloads:
        self._streams[session] = Streams(session, began_ns=self._exchange.clock.now_ns())
        return ()

    def ended(self, session: SocketSession) -> None:
        for subscription in self._streams.pop(session).open.values():
            self._user_data.remove(subscription)

    def beat(self, now: float) -> None:
        super().beat(now)
        now_ns = self._exchange.clock.now_ns()
        for session, streams in list(self._streams.items()):
            if now_ns - streams.began_ns >= LASTS_NS:
                session.connection.close(1001)

    def identify(self, session: SocketSession, call: Call) -> None:
        try:
            request = read_request(call.body)
        except BinanceError as problem:
            request, call.data["unreadable"] = SocketRequest(None, "", {}), problem
        call.data["request"] = request
        call.endpoint = f"ws/{request.method}"
        call.account = self._exchange.account_by_key(NAME, request.api_key) or session.account

    def carry_out(self, session: SocketSession, call: Call, now_ns: int) -> Payloads:
        request: SocketRequest = call.data["request"]
        try:
            result = self._execute(session, request, call)
        except BinanceError as problem:
            return self._refused(call, problem)
        return [_encoded({"id": request.request_id, "status": 200, "result": result, "rateLimits": self._used()})]

    def refusal(self, session: SocketSession, call: Call, text: str) -> Payloads:
        return self._refused(call, self._front.problem(text or str(REJECTED_KEY)))

    # Requests.

    def _execute(self, session: SocketSession, request: SocketRequest, call: Call) -> Result:
        if "unreadable" in call.data:
            raise call.data["unreadable"]
        method = METHODS.get(request.method)
        if method is None:
            raise BinanceError(UNKNOWN, f"Method {request.method!r} is not one of this exchange's WebSocket API.")
        strict = call.account is not None and call.account.strict
        over = self._front.shared.limits.charge(WEIGHT, call.received_ns, strict=strict)
        if over is not None:
            raise BinanceError(TOO_MANY_REQUESTS, over.message)
        streams = self._streams.get(session)
        return {} if streams is None else method(self, streams, request, call)

    def subscribe(self, streams: Streams, request: SocketRequest, call: Call) -> Result:
        """A key's own account; one connection may carry many."""
        parameters = request.parameters
        claimed = self._exchange.account_by_key(NAME, request.api_key)
        account = check_signed(parameters, request.api_key, claimed)
        parameters.check(SIGNED_NAMES | {"apiKey"})
        check_times(parameters, call.received_ns)
        if Right.READ not in account.permissions:
            raise BinanceError(REJECTED_KEY)
        if streams.has(account):
            raise BinanceError(ALREADY_SUBSCRIBED)
        subscription = streams.begin(account)
        subscription.session.account = account
        self._user_data.add(subscription)
        return {"subscriptionId": subscription.number}

    def unsubscribe(self, streams: Streams, request: SocketRequest, _call: Call) -> Result:
        """One stream of the connection, or without a number all of them."""
        number = request.parameters.whole("subscriptionId")
        if number is not None and number not in streams.open:
            raise not_valid("subscriptionId")
        for subscription in list(streams.open.values()) if number is None else [streams.open[number]]:
            self._user_data.end(subscription)
        return {}

    def _dropped(self, subscription: Subscription) -> None:
        streams = self._streams.get(subscription.session)
        if streams is not None:
            streams.drop(subscription)

    def _refused(self, call: Call, problem: BinanceError) -> Payloads:
        call.data["error"] = str(problem)
        request: SocketRequest = call.data["request"]
        answer = {"id": request.request_id, "status": status_of(problem), "error": problem.body}
        return [_encoded({**answer, "rateLimits": self._used()})]

    def _used(self) -> list[dict[str, object]]:
        return [{**RATE_LIMITS[0], "count": self._front.shared.limits.used_weight}]


METHODS: Mapping[str, Method] = {
    "ping": lambda _hub, _streams, _request, _call: {},
    "time": lambda _hub, _streams, _request, call: {"serverTime": milliseconds(call.received_ns)},
    "userDataStream.subscribe.signature": BinanceHub.subscribe,
    "userDataStream.unsubscribe": BinanceHub.unsubscribe,
    "session.subscriptions": lambda _hub, streams, _request, _call: [
        {"subscriptionId": number} for number in streams.open
    ],
}


def _encoded(answer: Mapping[str, object]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()


def _hub(exchange: Exchange, front: Front, _connects_per_10_minutes: int | None) -> BinanceHub:
    assert isinstance(front, BinanceFront)
    return BinanceHub(exchange, front)


BINANCE_SOCKETS = SocketPorts(brokerage=NAME, ports={PORT: "ws_auth"}, hub=_hub)

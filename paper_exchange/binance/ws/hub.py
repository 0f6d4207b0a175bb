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
from paper_exchange.binance.front import NAME, BinanceFront, check_request
from paper_exchange.binance.limits import RATE_LIMITS
from paper_exchange.binance.parameters import SIGNED_NAMES
from paper_exchange.binance.routes import API_PREFIX, Right
from paper_exchange.binance.signature import check_signed, check_times
from paper_exchange.binance.ws.requests import SocketRequest, read_request
from paper_exchange.binance.ws.session import Streams, Subscription
from paper_exchange.binance.ws.user_data import UserData
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Front, check_write_ahead
from paper_exchange.sockets.hub import Payloads, SocketHub
from paper_exchange.sockets.service import SocketPorts
from paper_exchange.sockets.session import SocketSession

PORT = "binance_ws"
LASTS_NS = 24 * 3600 * 1_000_000_000
"""A connection is closed after a day."""
WEIGHT = 2
KEY_NAME = frozenset({"apiKey"})
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
        call.data["request"], call.data["parameters"] = request, request.parameters
        call.endpoint = f"ws/{request.method}"
        claimed = self._exchange.account_by_key(NAME, request.api_key)
        call.account = claimed if request.api_key else session.account
        if request.method in REST_METHODS:
            method, path = REST_METHODS[request.method]
            call.data["endpoint"] = endpoint = self._front.endpoint(method, f"{API_PREFIX}{path}")
            self._front.note_order(call, endpoint, request.parameters)

    def arrived(self, session: SocketSession, call: Call) -> None:
        """Judge now whether an order was written down; whether it may be placed is seen when its time comes."""
        if "endpoint" in call.data and call.account is not None:
            call.data["judged"] = True
            check_write_ahead(self._exchange, call, lambda: self._front.placements(call))

    def carry_out(self, session: SocketSession, call: Call, now_ns: int) -> Payloads:
        request: SocketRequest = call.data["request"]
        try:
            if "endpoint" in call.data:
                return self._rest(session, call, now_ns)
            result = self._execute(session, request, call)
        except BinanceError as problem:
            return self._refused(call, problem)
        return [_encoded({"id": request.request_id, "status": 200, "result": result, "rateLimits": self._used()})]

    def refusal(self, session: SocketSession, call: Call, text: str) -> Payloads:
        return self._refused(call, self._front.problem(text or str(REJECTED_KEY)))

    # Requests.

    def _rest(self, session: SocketSession, call: Call, now_ns: int) -> Payloads:
        """A request of REST; it is refused and answered as there."""
        request, endpoint = call.data["request"], call.data["endpoint"]
        self._charge(call, endpoint.weight_of(request.parameters))
        check_request(call, endpoint, request.api_key, also=KEY_NAME)
        if endpoint.right is not None and "judged" not in call.data:
            self.arrived(session, call)
        reply = self._front.execute(call, now_ns)
        answer: dict[str, object] = {"id": request.request_id, "status": reply.status}
        if reply.error is not None:
            call.data["error"] = reply.error
        answer["result" if reply.status == 200 else "error"] = json.loads(reply.body)
        return [_encoded({**answer, "rateLimits": self._used()})]

    def _charge(self, call: Call, weight: int) -> None:
        strict = call.account is not None and call.account.strict
        over = self._front.shared.limits.charge(weight, call.received_ns, strict=strict)
        if over is not None:
            raise BinanceError(TOO_MANY_REQUESTS, over.message)

    def _execute(self, session: SocketSession, request: SocketRequest, call: Call) -> Result:
        if "unreadable" in call.data:
            raise call.data["unreadable"]
        method = METHODS.get(request.method)
        if method is None:
            raise BinanceError(UNKNOWN, f"Method {request.method!r} is not one of this exchange's WebSocket API.")
        self._charge(call, WEIGHT)
        streams = self._streams.get(session)
        return {} if streams is None else method(self, streams, request, call)

    def subscribe(self, streams: Streams, request: SocketRequest, call: Call) -> Result:
        """A key's own account; one connection may carry many."""
        parameters = request.parameters
        account = check_signed(parameters, request.api_key, call.account)
        parameters.check(SIGNED_NAMES | KEY_NAME)
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


REST_METHODS: Mapping[str, tuple[str, str]] = {
    "order.place": ("POST", "order"),
    "order.test": ("POST", "order/test"),
    "order.status": ("GET", "order"),
    "order.cancel": ("DELETE", "order"),
    "order.cancelReplace": ("POST", "order/cancelReplace"),
    "openOrders.status": ("GET", "openOrders"),
    "openOrders.cancelAll": ("DELETE", "openOrders"),
    "allOrders": ("GET", "allOrders"),
    "myTrades": ("GET", "myTrades"),
    "account.status": ("GET", "account"),
    "account.commission": ("GET", "account/commission"),
    "account.rateLimits.orders": ("GET", "rateLimit/order"),
    "exchangeInfo": ("GET", "exchangeInfo"),
    "depth": ("GET", "depth"),
    "trades.recent": ("GET", "trades"),
    "trades.aggregate": ("GET", "aggTrades"),
    "klines": ("GET", "klines"),
    "avgPrice": ("GET", "avgPrice"),
    "ticker.24hr": ("GET", "ticker/24hr"),
    "ticker.price": ("GET", "ticker/price"),
    "ticker.book": ("GET", "ticker/bookTicker"),
}
"""Requests that are those of REST under another name, with the key among their parameters."""
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

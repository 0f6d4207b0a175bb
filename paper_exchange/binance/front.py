"""The Binance front: who calls, whether they may, what it weighs, and how errors look."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from paper_exchange.binance import movements
from paper_exchange.binance import placements as placing
from paper_exchange.binance.client_orders import ClientOrders
from paper_exchange.binance.day_tickers import DayTickers
from paper_exchange.binance.endpoints import ENTRY, LOOKUPS, all_endpoints
from paper_exchange.binance.errors import (
    REJECTED_KEY,
    TOO_MANY_REQUESTS,
    UNKNOWN,
    BinanceError,
    error_reply,
    json_reply,
)
from paper_exchange.binance.limits import Limits, OverLimit
from paper_exchange.binance.parameters import Parameters
from paper_exchange.binance.routes import API_PREFIX, WALLET_PREFIX, Endpoint, Request, Right, RouteTable, Shared
from paper_exchange.binance.signature import check_signed, check_times, new_key_pair
from paper_exchange.binance.symbols import Symbols
from paper_exchange.brokerage import Brokerage
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Front, Reply
from paper_exchange.write_ahead import Placement

NAME = "binance"
KEY_HEADER = "x-mbx-apikey"
OVER_LIMIT = {"429": "Too much request weight used.", "418": "Way too much request weight used; IP banned."}
"""Statuses that a fault may ask for, with what is said then."""


class BinanceFront(Front):
    """``/api/v3`` and ``/sapi/v1``; failures have HTTP status 400 and above and ``{"code", "msg"}``."""

    brokerage: ClassVar[str] = NAME
    lookup_endpoints: ClassVar[frozenset[str]] = LOOKUPS

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._shared = Shared(
            exchange=exchange,
            symbols=Symbols(exchange.catalogue.for_brokerage(NAME)),
            limits=Limits(),
            client_orders=ClientOrders(exchange.engine),
            day_tickers=DayTickers(exchange.market),
        )
        self._routes = RouteTable(all_endpoints())

    @property
    def shared(self) -> Shared:
        """For what comes another way than as a REST request."""
        return self._shared

    def endpoint(self, method: str, path: str) -> Endpoint:
        """One that there is."""
        found = self._routes.find(method, path)
        assert found is not None, f"{method} {path} is no endpoint"
        return found

    def identify(self, call: Call) -> None:
        endpoint = self._routes.find(call.method, call.path)
        call.data["endpoint"] = endpoint
        bare = call.path.removeprefix(API_PREFIX).removeprefix(WALLET_PREFIX).lstrip("/")
        call.endpoint = endpoint.name if endpoint is not None else bare
        parameters = Parameters(call.query, call.body)
        call.data["parameters"] = parameters
        call.account = self._exchange.account_by_key(NAME, call.headers.get(KEY_HEADER, ""))
        if endpoint is not None and endpoint.right is not None:
            self.note_order(call, endpoint, parameters)

    def admit(self, call: Call) -> Reply | None:
        endpoint: Endpoint | None = call.data["endpoint"]
        if endpoint is None:
            problem = BinanceError(-5000, f"Path {call.path}, Method {call.method} is invalid")
            return replace(error_reply(problem), status=404)
        try:
            over = self._charge(call, endpoint)
            if over is not None:
                return self._with_usage(call, _over_limit(over))
            check_request(call, endpoint, call.headers.get(KEY_HEADER, ""))
        except BinanceError as problem:
            return self._with_usage(call, error_reply(problem))
        return None

    def execute(self, call: Call, now_ns: int) -> Reply:
        endpoint: Endpoint = call.data["endpoint"]
        try:
            # Time may have passed since the request came in, and an order must not reach the engine late.
            if endpoint.to_engine:
                check_times(call.data["parameters"], now_ns)
            reply = endpoint.handler(self._request(call, now_ns))
        except BinanceError as problem:
            reply = error_reply(problem)
        return self._with_usage(call, reply)

    def placements(self, call: Call) -> list[Placement]:
        return placing.placements(self._request(call, call.received_ns))

    def error_reply(self, text: str) -> Reply:
        """``-1007``, which has its usual message, or ``-1007: another message``; also ``429`` and ``418``, the statuses
        of the limits, with the seconds to stay away: ``418: 120``."""
        status, _, seconds = (part.strip() for part in text.partition(":"))
        if status in OVER_LIMIT and (not seconds or seconds.isdecimal()):
            return _over_limit(OverLimit(int(status), int(seconds or 60), OVER_LIMIT[status]))
        reply = error_reply(self.problem(text))
        return replace(reply, headers=(("retry-after", "1"),)) if reply.status == 429 else reply

    def problem(self, text: str) -> BinanceError:
        """The error that a text stands for, as in `error_reply`."""
        code, _, message = (part.strip() for part in text.partition(":"))
        try:
            return BinanceError(int(code), message or None)
        except ValueError:
            return BinanceError(UNKNOWN, text)

    def _request(self, call: Call, now_ns: int) -> Request:
        return Request(self._shared, call, call.data["parameters"], now_ns)

    def _charge(self, call: Call, endpoint: Endpoint) -> OverLimit | None:
        weight = endpoint.weight_of(call.data["parameters"])
        strict = call.account is not None and call.account.strict
        return self._shared.limits.charge(weight, call.received_ns, strict=strict)

    def _with_usage(self, call: Call, reply: Reply) -> Reply:
        """Every reply says what has been used, those to orders also how many orders."""
        used = str(self._shared.limits.used_weight)
        headers = [("x-mbx-used-weight", used), ("x-mbx-used-weight-1m", used)]
        if call.endpoint in ENTRY and call.account is not None:
            ten_seconds, day = self._shared.limits.orders_used(call.account.account_id, call.received_ns)
            headers += [("x-mbx-order-count-10s", str(ten_seconds)), ("x-mbx-order-count-1d", str(day))]
        return replace(reply, headers=(*reply.headers, *headers))

    def note_order(self, call: Call, endpoint: Endpoint, parameters: Parameters) -> None:
        """Put what is said of an order into the call, for the journal; nothing here is believed yet."""
        call.client_order_id = parameters.text("newClientOrderId")
        if endpoint.name not in ENTRY:
            call.client_order_id = parameters.text("origClientOrderId")
            call.order_id = parameters.text("orderId")
        call.symbol = self._shared.symbols.symbol(parameters.text("symbol"))
        call.side = (parameters.text("side") or "").lower() or None
        call.quantity = parameters.readable_amount("quantity")
        call.price = parameters.readable_amount("price")


def check_request(call: Call, endpoint: Endpoint, api_key: str, *, also: frozenset[str] = frozenset()) -> None:
    """Key, signature, parameters (those in ``also`` too), time, rights. Raises BinanceError."""
    parameters: Parameters = call.data["parameters"]
    names = endpoint.names
    readable = None if names is None else names | also
    if endpoint.right is None:
        parameters.check(readable)
        return
    account = check_signed(parameters, api_key, call.account)
    parameters.check(readable)
    check_times(parameters, call.received_ns)
    if endpoint.right not in account.permissions:
        raise BinanceError(REJECTED_KEY)


def _over_limit(over: OverLimit) -> Reply:
    problem = BinanceError(TOO_MANY_REQUESTS, over.message)
    headers = (("retry-after", str(over.retry_after_seconds)),)
    return replace(json_reply(problem.body, status=over.status, error=str(problem)), headers=headers)


BINANCE = Brokerage(
    name=NAME,
    port_offset=4,
    new_key_pair=new_key_pair,
    permissions=frozenset(right.value for right in Right),
    default_permissions=frozenset({Right.READ.value, Right.TRADE.value}),
    front=BinanceFront,
    movements=movements.KINDS,
)

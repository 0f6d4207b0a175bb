"""The Alpaca front: which endpoints there are, who is let in, and how errors look."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from paper_exchange.alpaca import activities
from paper_exchange.alpaca.account_flags import STATE_NAME as FLAGS
from paper_exchange.alpaca.account_flags import AccountFlagBook
from paper_exchange.alpaca.client_orders import ClientOrders
from paper_exchange.alpaca.context import Venue
from paper_exchange.alpaca.cost_basis import CostBook
from paper_exchange.alpaca.endpoints import LOOKUPS, endpoints
from paper_exchange.alpaca.instruments import find_listing
from paper_exchange.alpaca.keys import credentials_of, new_key_pair
from paper_exchange.alpaca.last_day import LastDayPrices
from paper_exchange.alpaca.order_forms import amount_or_none, placements
from paper_exchange.alpaca.rate_limit import Headers, RateLimits
from paper_exchange.alpaca.replies import (
    FORBIDDEN,
    INTERNAL,
    NOT_FOUND,
    TOO_MANY_REQUESTS,
    ApiError,
    error_reply,
    unauthorized,
)
from paper_exchange.alpaca.routes import Request, Route, RouteTable, Scope, json_object
from paper_exchange.alpaca.session_end import STATE_NAME as SESSION_END
from paper_exchange.alpaca.session_end import SessionEnd
from paper_exchange.brokerage import Brokerage
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Front, Reply
from paper_exchange.write_ahead import Placement

NAME = "alpaca"
ALL_SCOPES = frozenset({Scope.VIEW.value, Scope.TRADE.value})


class AlpacaFront(Front):
    """Trading API and market data on one port; every call carries the key, nothing is signed."""

    brokerage: ClassVar[str] = NAME
    lookup_endpoints: ClassVar[frozenset[str]] = LOOKUPS

    def __init__(self, exchange: Exchange) -> None:
        listings = exchange.catalogue.for_brokerage(NAME)
        flags = AccountFlagBook(exchange.saved_parts.get(FLAGS))
        session_end = SessionEnd(exchange, exchange.saved_parts.get(SESSION_END))
        exchange.parts[FLAGS] = flags.snapshot
        exchange.parts[SESSION_END] = session_end.snapshot
        exchange.account_states[NAME] = flags.change
        exchange.close_listeners.append(session_end.close)
        self._exchange = exchange
        self._limits = RateLimits()
        self._routes = RouteTable(endpoints())
        self.venue = Venue(
            exchange=exchange,
            listings=listings,
            flags=flags,
            client_orders=ClientOrders(exchange.engine),
            costs=CostBook(exchange.engine, listings),
            last_day=LastDayPrices(exchange.market),
        )

    def identify(self, call: Call) -> None:
        route = self._routes.find(call.method, call.path)
        call.data["route"] = route
        call.data["headers"] = ()
        call.endpoint = route.endpoint.name if route is not None else call.path.lstrip("/")
        call.account = self._exchange.account_by_key(NAME, credentials_of(call.headers).key_id)
        if route is not None:
            call.order_id = route.parameters.get("order_id")
        if call.method in ("POST", "PATCH"):
            self._note_order(call)

    def admit(self, call: Call) -> Reply | None:
        try:
            self._admit(call)
        except ApiError as problem:
            return self._with_headers(call, error_reply(problem))
        return None

    def execute(self, call: Call, now_ns: int) -> Reply:
        route: Route = call.data["route"]
        try:
            reply = route.endpoint.handler(self._request(call, route, now_ns))
        except ApiError as problem:
            reply = error_reply(problem)
        return self._with_headers(call, reply)

    def placements(self, call: Call) -> Sequence[Placement]:
        return placements(self._request(call, call.data["route"], call.received_ns))

    def error_reply(self, text: str) -> Reply:
        """A code and a message, as in ``40310000: insufficient buying power``; without a code it is a 500."""
        code, _, message = (part.strip() for part in text.partition(":"))
        if code.isascii() and code.isdigit() and 40_000_000 <= int(code) <= 59_999_999:
            return error_reply(ApiError(int(code), message or "as told"))
        return error_reply(ApiError(INTERNAL, text or "internal server error"))

    def _admit(self, call: Call) -> None:
        """Raises ApiError for those who may not."""
        route: Route | None = call.data["route"]
        account = call.account
        given = credentials_of(call.headers).secret
        if account is None or not secrets.compare_digest(given.encode(), account.api_secret.encode()):
            raise unauthorized()
        if route is None:
            raise ApiError(NOT_FOUND, "endpoint not found")
        scope = route.endpoint.scope
        window = self._limits.count(account.account_id, data=scope is Scope.DATA, now_ns=call.received_ns)
        call.data["headers"] = window.headers()
        if account.strict and window.is_exceeded:
            raise ApiError(TOO_MANY_REQUESTS, "too many requests.")
        # Whoever may see the account may see prices.
        needed = Scope.VIEW if scope is Scope.DATA else scope
        if needed not in account.permissions:
            raise ApiError(FORBIDDEN, "access to this resource is not permitted for the key")

    def _with_headers(self, call: Call, reply: Reply) -> Reply:
        limits: Headers = call.data["headers"]
        return replace(reply, headers=(*reply.headers, *limits, ("x-request-id", f"{call.received_ns:032x}")))

    def _request(self, call: Call, route: Route, now_ns: int) -> Request:
        return Request(venue=self.venue, call=call, parameters=route.parameters, now_ns=now_ns)

    def _note_order(self, call: Call) -> None:
        """Put what the body says of an order into the call, for the journal; nothing here is believed yet."""
        body = json_object(call.body) or {}
        client_order_id, stock, side = body.get("client_order_id"), body.get("symbol"), body.get("side")
        call.client_order_id = _printable(client_order_id)
        listing = find_listing(self.venue.listings, stock) if isinstance(stock, str) else None
        call.symbol = listing.symbol if listing is not None else None
        call.side = _printable(side)
        call.quantity = _amount(body.get("qty"))
        call.price = _amount(body.get("limit_price"))


def _printable(value: object) -> str | None:
    """Text that the journal can hold, which a lone surrogate is not."""
    return value if isinstance(value, str) and value.isprintable() else None


def _amount(value: object) -> Decimal | None:
    try:
        return amount_or_none(value, "")
    except ApiError:
        return None


ALPACA = Brokerage(
    name=NAME,
    port_offset=5,
    new_key_pair=new_key_pair,
    permissions=ALL_SCOPES,
    default_permissions=ALL_SCOPES,
    front=AlpacaFront,
    movements=activities.KINDS,
)

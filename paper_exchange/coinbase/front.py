"""The Coinbase front: which endpoints there are, who is let in, and how errors look."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

import jwt

from paper_exchange.api_keys import Account
from paper_exchange.brokerage import Brokerage, KeyPair
from paper_exchange.coinbase import market_data, old_api, order_lookup, wallets
from paper_exchange.coinbase.client_orders import ClientOrders
from paper_exchange.coinbase.keys import new_key_pair
from paper_exchange.coinbase.order_entry import OrderEntry
from paper_exchange.coinbase.order_forms import PLAIN_DECIMAL
from paper_exchange.coinbase.placements import placements
from paper_exchange.coinbase.products import symbol_of
from paper_exchange.coinbase.refusals import ORDER_REASONS, refusal_reply
from paper_exchange.coinbase.replies import (
    OLD_API_STATUS,
    ApiError,
    error_reply,
    missing_scopes,
    old_api_error_reply,
    unauthorized,
)
from paper_exchange.coinbase.routes import OLD_API_PREFIX, Endpoint, Request, Route, RouteTable, Scope, json_object
from paper_exchange.coinbase.tokens import Unauthorized, verify_token
from paper_exchange.day_figures import DayFigures
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Front, Reply
from paper_exchange.orders import LedgerKind
from paper_exchange.write_ahead import Placement

NAME = "coinbase"
TRANSFER = "transfer"
"""The right to move money out. A trading key should not have it; nothing here needs it."""
LOOKUPS = frozenset({"orders/historical/batch", "orders/historical/fills", "orders/historical/{order_id}"})


class CoinbaseFront(Front):
    brokerage: ClassVar[str] = NAME
    lookup_endpoints: ClassVar[frozenset[str]] = LOOKUPS

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._listings = exchange.catalogue.for_brokerage(NAME)
        self._day_figures = DayFigures(exchange.market)
        self._routes = RouteTable(endpoints(OrderEntry(ClientOrders(exchange.engine))))

    def identify(self, call: Call) -> None:
        route = self._routes.find(call.method, call.path)
        call.data["route"] = route
        call.endpoint = route.endpoint.name if route is not None else call.path.lstrip("/")
        call.account = self._claimed_account(call)
        if call.method == "POST":
            _note_order(call)

    def admit(self, call: Call) -> Reply | None:
        route: Route | None = call.data["route"]
        if route is None:
            return error_reply("NOT_FOUND", f"{call.method} {call.path} is not an endpoint")
        if route.endpoint.scope is Scope.PUBLIC:
            return None
        try:
            self._verify(call)
        except Unauthorized as problem:
            return unauthorized(str(problem))
        if call.account is None or route.endpoint.scope not in call.account.permissions:
            return missing_scopes()
        return None

    def execute(self, call: Call, now_ns: int) -> Reply:
        route: Route = call.data["route"]
        try:
            return route.endpoint.handler(self._request(call, route, now_ns))
        except ApiError as problem:
            if route.endpoint.prefix == OLD_API_PREFIX:
                return old_api_error_reply(problem.error.lower(), problem.details)
            return error_reply(problem.error, problem.details)

    def placements(self, call: Call) -> list[Placement]:
        return placements(self._request(call, call.data["route"], call.received_ns))

    def error_reply(self, text: str) -> Reply:
        """``Unauthorized``, the reason of a refused order, a rate limit, or else an error of the API.

        Text after a colon is the message: ``INVALID_ARGUMENT: size is wrong``.
        """
        error, _, details = (part.strip() for part in text.partition(":"))
        if error == "Unauthorized":
            return unauthorized(details or "as told")
        if error.removeprefix("PREVIEW_") in ORDER_REASONS:
            return refusal_reply(error, details, {})
        if error in OLD_API_STATUS:
            return old_api_error_reply(error, details or error)
        return error_reply(error, details or error)

    def _request(self, call: Call, route: Route, now_ns: int) -> Request:
        return Request(
            exchange=self._exchange,
            listings=self._listings,
            day_figures=self._day_figures,
            call=call,
            parameters=route.parameters,
            now_ns=now_ns,
        )

    def _claimed_account(self, call: Call) -> Account | None:
        """Whose key the request says it uses; whether it truly does is checked later."""
        try:
            header = jwt.get_unverified_header(call.headers.get("authorization", "").partition(" ")[2])
        except jwt.InvalidTokenError:
            return None
        return self._exchange.account_by_key(NAME, str(header.get("kid", "")))

    def _verify(self, call: Call) -> None:
        verify_token(
            call.headers.get("authorization"),
            method=call.method,
            host=call.headers.get("host", ""),
            path=call.path,
            now_ns=call.received_ns,
            public_key_of=self._public_key_of,
        )

    def _public_key_of(self, name: str) -> str | None:
        account = self._exchange.account_by_key(NAME, name)
        return account.public_key if account is not None else None


def endpoints(order_entry: OrderEntry) -> tuple[Endpoint, ...]:
    """Every endpoint. Market data exists twice: below ``market/`` for everyone, and for holders of a key."""
    return (
        Endpoint("GET", "time", Scope.PUBLIC, market_data.server_time),
        *_market_endpoints("", Scope.VIEW),
        *_market_endpoints("market/", Scope.PUBLIC),
        Endpoint("GET", "best_bid_ask", Scope.VIEW, market_data.best_bid_ask),
        Endpoint("GET", "accounts", Scope.VIEW, wallets.list_accounts),
        Endpoint("GET", "accounts/{account_uuid}", Scope.VIEW, wallets.one_account),
        Endpoint("GET", "transaction_summary", Scope.VIEW, wallets.transaction_summary),
        Endpoint("GET", "key_permissions", Scope.VIEW, wallets.key_permissions),
        Endpoint("POST", "orders", Scope.TRADE, order_entry.create),
        Endpoint("POST", "orders/preview", Scope.VIEW, order_entry.preview),
        Endpoint("POST", "orders/batch_cancel", Scope.TRADE, order_entry.cancel),
        Endpoint("GET", "orders/historical/batch", Scope.VIEW, order_lookup.list_orders),
        Endpoint("GET", "orders/historical/fills", Scope.VIEW, order_lookup.list_fills),
        Endpoint("GET", "orders/historical/{order_id}", Scope.VIEW, order_lookup.one_order),
        Endpoint("GET", "time", Scope.PUBLIC, old_api.server_time, OLD_API_PREFIX),
        Endpoint("GET", "currencies", Scope.PUBLIC, old_api.currencies, OLD_API_PREFIX),
        Endpoint("GET", "currencies/crypto", Scope.PUBLIC, old_api.crypto_currencies, OLD_API_PREFIX),
        Endpoint("GET", "exchange-rates", Scope.PUBLIC, old_api.exchange_rates, OLD_API_PREFIX),
        Endpoint("GET", "accounts", Scope.VIEW, old_api.accounts, OLD_API_PREFIX),
        Endpoint("GET", "accounts/{account_uuid}", Scope.VIEW, old_api.one_account, OLD_API_PREFIX),
        Endpoint("GET", "accounts/{account_uuid}/transactions", Scope.VIEW, old_api.transactions, OLD_API_PREFIX),
        Endpoint("GET", "accounts/{account_uuid}/deposits", Scope.VIEW, old_api.deposits, OLD_API_PREFIX),
        Endpoint("GET", "accounts/{account_uuid}/withdrawals", Scope.VIEW, old_api.withdrawals, OLD_API_PREFIX),
    )


def _market_endpoints(prefix: str, scope: Scope) -> tuple[Endpoint, ...]:
    return (
        Endpoint("GET", f"{prefix}products", scope, market_data.list_products),
        Endpoint("GET", f"{prefix}products/{{product_id}}", scope, market_data.one_product),
        Endpoint("GET", f"{prefix}products/{{product_id}}/ticker", scope, market_data.ticker),
        Endpoint("GET", f"{prefix}products/{{product_id}}/candles", scope, market_data.candles),
        Endpoint("GET", f"{prefix}product_book", scope, market_data.product_book),
    )


def _note_order(call: Call) -> None:
    """Put what the body says of an order into the call, for the journal; nothing here is believed yet."""
    body = json_object(call.body) or {}
    call.client_order_id = _text(body.get("client_order_id"))
    product = _text(body.get("product_id"))
    call.symbol = symbol_of(product) or None if product else None
    call.side = (_text(body.get("side")) or "").lower() or None
    configuration = body.get("order_configuration")
    for fields in configuration.values() if isinstance(configuration, dict) else ():
        if isinstance(fields, dict):
            call.quantity = _amount(fields.get("base_size"))
            call.price = _amount(fields.get("limit_price"))
    cancelled = body.get("order_ids")
    if isinstance(cancelled, list) and len(cancelled) == 1:
        call.order_id = _text(cancelled[0])


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _amount(value: object) -> Decimal | None:
    return Decimal(value) if isinstance(value, str) and PLAIN_DECIMAL.fullmatch(value) else None


def _new_key_pair() -> KeyPair:
    return KeyPair(*new_key_pair())


COINBASE = Brokerage(
    name=NAME,
    port_offset=2,
    new_key_pair=_new_key_pair,
    permissions=frozenset({Scope.VIEW.value, Scope.TRADE.value, TRANSFER}),
    default_permissions=frozenset({Scope.VIEW.value, Scope.TRADE.value}),
    front=CoinbaseFront,
    movements=old_api.KINDS - {LedgerKind.TRADE},
)

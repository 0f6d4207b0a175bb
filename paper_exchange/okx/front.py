"""The OKX front: which endpoints there are, who is let in, and how errors look."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

from paper_exchange.api_keys import Account
from paper_exchange.brokerage import Brokerage
from paper_exchange.clock import NANOSECONDS_PER_SECOND, parse_rfc3339
from paper_exchange.day_figures import DayFigures
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Front, Reply
from paper_exchange.okx import bills
from paper_exchange.okx.account_levels import STATE_NAME as LEVELS
from paper_exchange.okx.account_levels import AccountLevels
from paper_exchange.okx.client_ids import ClientIds
from paper_exchange.okx.endpoints import endpoints
from paper_exchange.okx.expiry import check_expiry
from paper_exchange.okx.instruments import code_of, inst_id_of, symbol_of
from paper_exchange.okx.limits import ACCOUNT_WINDOW_SECONDS, ORDERS_OF_AN_ACCOUNT, Limit, SlidingCounters
from paper_exchange.okx.placements import placements
from paper_exchange.okx.query import plain_decimal
from paper_exchange.okx.replies import ApiError, error_reply, told_error
from paper_exchange.okx.routes import PREFIX, Endpoint, Fields, Request, RouteTable, Scope, bodies
from paper_exchange.okx.signature import new_key_pair, signature_is_valid, signed_text
from paper_exchange.write_ahead import Placement

NAME = "okx"
WITHDRAW = "withdraw"
"""The right to move money out. A trading key should not have it; nothing here needs it."""
LIVE, DEMO = "live", "demo"
"""Tiers: a demo key is good for requests that say ``x-simulated-trading: 1``, any other for those that don't."""
CLOCK_WINDOW_NS = 30 * NANOSECONDS_PER_SECOND
LOOKUPS = frozenset(
    {
        "trade/order", "trade/orders-pending", "trade/orders-history", "trade/orders-history-archive", "trade/fills",
        "trade/fills-history", "trade/order-algo", "trade/orders-algo-pending", "trade/orders-algo-history",
    }
)  # fmt: skip
ACCOUNT_LIMIT = Limit(ORDERS_OF_AN_ACCOUNT, ACCOUNT_WINDOW_SECONDS)


class OkxFront(Front):
    brokerage: ClassVar[str] = NAME
    lookup_endpoints: ClassVar[frozenset[str]] = LOOKUPS

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._listings = exchange.catalogue.for_brokerage(NAME)
        ids = [inst_id_of(listing.symbol) for listing in self._listings]
        self._instrument_codes = {str(code_of(inst_id)): inst_id for inst_id in ids}
        self._day_figures = DayFigures(exchange.market)
        self._levels = AccountLevels(exchange.saved_parts.get(LEVELS))
        exchange.parts[LEVELS] = self._levels.snapshot
        self._routes = RouteTable(endpoints())
        self._client_ids = ClientIds(exchange.engine)
        self._counters = SlidingCounters()

    def identify(self, call: Call) -> None:
        endpoint = self._routes.find(call.method, call.path)
        call.data["endpoint"] = endpoint
        call.endpoint = call.path.removeprefix(PREFIX).lstrip("/")
        call.account = self._exchange.account_by_key(NAME, call.headers.get("ok-access-key", ""))
        if call.method == "POST":
            note_orders(call, bodies(call.body) or [])

    def admit(self, call: Call) -> Reply | None:
        endpoint: Endpoint | None = call.data["endpoint"]
        if endpoint is None:
            return error_reply("404", "Not Found")
        try:
            self._check(call, endpoint)
        except ApiError as problem:
            return error_reply(problem.code, problem.message)
        return None

    def execute(self, call: Call, now_ns: int) -> Reply:
        endpoint: Endpoint = call.data["endpoint"]
        try:
            return endpoint.handler(self.request(call, now_ns))
        except ApiError as problem:
            return error_reply(problem.code, problem.message)

    def placements(self, call: Call) -> list[Placement]:
        return placements(self.request(call, call.received_ns))

    def error_reply(self, text: str) -> Reply:
        """A code of OKX, alone or before words: ``50011``, ``51008: not enough``."""
        return told_error(text)

    def carry_out(self, call: Call, now_ns: int) -> Reply:
        """A call whose sender is known already, since it came over a socket: rights, rates and expiry are the same."""
        endpoint = self._routes.find(call.method, PREFIX + call.endpoint)
        assert endpoint is not None and call.account is not None
        call.data["endpoint"] = endpoint
        try:
            self._check_right(call, endpoint, call.account)
        except ApiError as problem:
            return error_reply(problem.code, problem.message)
        return self.execute(call, now_ns)

    def request(self, call: Call, now_ns: int) -> Request:
        """What a handler is given."""
        return Request(
            exchange=self._exchange,
            listings=self._listings,
            day_figures=self._day_figures,
            instrument_codes=self._instrument_codes,
            levels=self._levels,
            client_ids=self._client_ids,
            call=call,
            now_ns=now_ns,
        )

    def _check(self, call: Call, endpoint: Endpoint) -> None:
        """Headers, key, time, passphrase, signature, environment, right, rate, expiry: in this order."""
        if endpoint.scope is Scope.PUBLIC:
            return
        if call.method == "POST":
            _check_body(call)
        account = _verify(call)
        self._check_right(call, endpoint, account)

    def _check_right(self, call: Call, endpoint: Endpoint, account: Account) -> None:
        if endpoint.scope not in account.permissions:
            raise ApiError("50120")
        if account.strict:
            self._count(call, endpoint, account)
        check_expiry(call)

    def _count(self, call: Call, endpoint: Endpoint, account: Account) -> None:
        """Raises ApiError (50011, 50061) for a strict account that calls too often."""
        orders = max(1, len(bodies(call.body) or ())) if call.method == "POST" else 1
        if endpoint.limit is not None:
            instrument = call.symbol or "" if endpoint.limit.by_instrument else ""
            key = (account.account_id, endpoint.method, endpoint.name, instrument)
            if not self._counters.allowed(key, endpoint.limit, call.received_ns, cost=orders):
                raise ApiError("50011")
        if endpoint.places and not self._counters.allowed(
            (account.account_id,), ACCOUNT_LIMIT, call.received_ns, cost=orders
        ):
            raise ApiError("50061")


def _check_body(call: Call) -> None:
    if not call.headers.get("content-type", "").lower().startswith("application/json"):
        raise ApiError("50006", "Invalid Content-Type, please use the 'application/json' format.")
    if not call.body:
        raise ApiError("50000", "Body for POST request cannot be empty.")


def _verify(call: Call) -> Account:
    """The account whose key, passphrase and signature the request carries. Raises ApiError."""
    headers = {name: call.headers.get(f"ok-access-{name}", "") for name in ("key", "passphrase", "sign", "timestamp")}
    for name, code in (("key", "50103"), ("passphrase", "50104"), ("sign", "50106"), ("timestamp", "50107")):
        if not headers[name]:
            raise ApiError(code)
    account = call.account
    if account is None:
        raise ApiError("50111")
    _check_time(headers["timestamp"], call.received_ns)
    if headers["passphrase"] != account.passphrase:
        raise ApiError("50105")
    text = signed_text(headers["timestamp"], call.method, call.path, call.query, call.body)
    if not signature_is_valid(account.api_secret, text, headers["sign"]):
        raise ApiError("50113")
    if (call.headers.get("x-simulated-trading") == "1") != (account.tier == DEMO):
        raise ApiError("50101")
    return account


def _check_time(timestamp: str, now_ns: int) -> None:
    try:
        signed_ns = parse_rfc3339(timestamp)
    except ValueError:
        raise ApiError("50112") from None
    if abs(now_ns - signed_ns) > CLOCK_WINDOW_NS:
        raise ApiError("50102")


def note_orders(call: Call, rows: Sequence[Fields]) -> None:
    """Put what a request says of one order into the call, for the journal; nothing here is believed yet."""
    instruments = {_text(row.get("instId")) for row in rows}
    if len(instruments) == 1:
        call.symbol = symbol_of(instruments.pop() or "") or None
    if len(rows) != 1:
        return
    row = rows[0]
    call.client_order_id = _text(row.get("clOrdId")) or _text(row.get("algoClOrdId"))
    call.order_id = _text(row.get("ordId"))
    call.side = _text(row.get("side"))
    call.quantity = _amount(row.get("sz")) if row.get("tgtCcy") != "quote_ccy" else None
    call.price = _amount(row.get("px"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _amount(value: object) -> Decimal | None:
    return plain_decimal(value) if isinstance(value, str) else None


OKX = Brokerage(
    name=NAME,
    port_offset=3,
    new_key_pair=new_key_pair,
    permissions=frozenset({Scope.READ.value, Scope.TRADE.value, WITHDRAW}),
    default_permissions=frozenset({Scope.READ.value, Scope.TRADE.value}),
    front=OkxFront,
    tiers=(LIVE, DEMO),
    has_funding=True,
    movements=bills.KINDS,
)

"""The control API: accounts, market, faults and journal, on loopback and behind the token of the first stdout line.

Bodies are JSON objects; one that can't be understood is answered with 400 and a sentence naming the field.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paper_exchange.api_keys import Account, BadAccount
from paper_exchange.exchange import BadMarketChange, Exchange
from paper_exchange.fault_request import BadFault, parse_fault
from paper_exchange.journal import amount_text
from paper_exchange.orders import Order

TOKEN_HEADER = "X-Paper-Token"
Handler = Callable[[Request], Awaitable[Response]]


class BadBody(ValueError):
    """A request that can't be understood; the message names the field."""


def control_app(exchange: Exchange, *, token: str, addresses: Mapping[str, object] | None = None) -> Starlette:
    """The application. Every call needs ``token`` in ``X-Paper-Token``; without it the answer is 401.

    ``addresses`` is shown by ``/health`` under that name: a client that was given only the control URL finds the
    brokerages there, as in the first line on stdout.
    """
    control = Control(exchange, addresses or {})

    def route(path: str, method: str, handler: Handler) -> Route:
        return Route(path, _guarded(exchange, handler, token), methods=[method])

    return Starlette(
        routes=[
            route("/health", "GET", control.health),
            route("/accounts", "GET", control.accounts),
            route("/accounts", "POST", control.open_account),
            route("/accounts/{brokerage}/{name}/deposit", "POST", control.deposit),
            route("/market", "GET", control.market),
            route("/market", "POST", control.set_market),
            route("/market/pause", "POST", control.pause),
            route("/market/resume", "POST", control.resume),
            route("/faults", "GET", control.faults),
            route("/faults", "POST", control.add_fault),
            route("/faults", "DELETE", control.clear_faults),
            route("/faults/{fault_id:int}", "DELETE", control.clear_faults),
            route("/journal", "GET", control.journal),
        ]
    )


class Control:
    """The handlers."""

    def __init__(self, exchange: Exchange, addresses: Mapping[str, object]) -> None:
        self._exchange = exchange
        self._addresses = addresses
        self._started_ns = exchange.clock.now_ns()

    async def health(self, _request: Request) -> Response:
        now_ns = self._exchange.clock.now_ns()
        return JSONResponse(
            {
                "status": "ok",
                "seed": self._exchange.seed,
                "time_ns": now_ns,
                "uptime_seconds": (now_ns - self._started_ns) / 1e9,
                "journal_seq": self._exchange.journal.last_seq,
                "accounts": len(list(self._exchange.registry)),
                "addresses": self._addresses,
            }
        )

    async def accounts(self, _request: Request) -> Response:
        self._exchange.advance()
        return JSONResponse([self._describe(account) for account in self._exchange.registry])

    async def open_account(self, request: Request) -> Response:
        body = await _body(request)
        brokerage, name = _text(body, "brokerage"), _text(body, "name")
        balances = _amounts(body.pop("balances", {}), "balances")
        permissions, tier = _texts(body.pop("permissions", None), "permissions"), _optional_text(body, "tier")
        strict, nonce_window = _flag(body, "strict"), _whole(body, "nonce_window")
        _nothing_left(body)
        return JSONResponse(
            self._exchange.open_account(
                brokerage, name, balances, permissions, tier, strict=strict, nonce_window=nonce_window
            )
        )

    async def deposit(self, request: Request) -> Response:
        body = await _body(request)
        account = self._exchange.registry.by_name(request.path_params["brokerage"], request.path_params["name"])
        if account is None:
            raise BadBody(f"name: there is no account {request.path_params['name']!r} at that brokerage")
        asset, amount = _text(body, "asset"), _amount(body.pop("amount", None), "amount")
        _nothing_left(body)
        if amount <= 0:
            raise BadBody("amount must be above zero")
        self._exchange.deposit(account, asset, amount)
        return JSONResponse(self._describe(account))

    async def market(self, request: Request) -> Response:
        self._exchange.advance()
        wanted = request.query_params.get("symbol")
        symbols = [wanted] if wanted is not None else self._exchange.market.symbols_trading()
        return JSONResponse([self._quote(symbol) for symbol in symbols])

    async def set_market(self, request: Request) -> Response:
        body = await _body(request)
        symbol = _text(body, "symbol")
        price = _amount(body.pop("price"), "price") if body.get("price") is not None else None
        body.pop("price", None)
        halt = body.pop("halt", None)
        rules = body.pop("rules", None)
        _nothing_left(body)
        if price is not None and price <= 0:
            raise BadBody("price must be above zero")
        if halt is not None and not isinstance(halt, bool):
            raise BadBody("halt must be true or false")
        self._exchange.set_market(symbol, price=price, halted=halt, rules=_rules(rules))
        return JSONResponse(self._quote(symbol))

    async def pause(self, request: Request) -> Response:
        body = await _body(request)
        paused = body.pop("paused", True)
        if not isinstance(paused, bool):
            raise BadBody("paused must be true or false")
        _nothing_left(body)
        self._exchange.set_paused(paused)
        return JSONResponse({"paused": paused})

    async def resume(self, _request: Request) -> Response:
        self._exchange.set_paused(False)
        return JSONResponse({"paused": False})

    async def faults(self, _request: Request) -> Response:
        return JSONResponse(self._exchange.faults.listed())

    async def add_fault(self, request: Request) -> Response:
        match, action, times = parse_fault(await _body(request))
        if match.brokerage is not None and "*" not in match.brokerage:
            self._exchange.registry.brokerage(match.brokerage.lower())
        fault = self._exchange.faults.add(match, action, times)
        return JSONResponse(fault.describe())

    async def clear_faults(self, request: Request) -> Response:
        removed = self._exchange.faults.clear(request.path_params.get("fault_id"))
        if removed == 0 and "fault_id" in request.path_params:
            return _problem(404, f"There is no fault {request.path_params['fault_id']}.")
        return JSONResponse({"removed": removed})

    async def journal(self, request: Request) -> Response:
        """NDJSON of the lines numbered above ``since`` (default 0: all that are kept), at most ``limit`` if given."""
        since = _query_number(request, "since", 0)
        limit = _query_number(request, "limit", None)
        self._exchange.advance()
        lines = list(self._exchange.journal.since(since or 0))
        return Response(b"".join(lines[:limit]), media_type="application/x-ndjson")

    def _describe(self, account: Account) -> dict[str, Any]:
        engine = self._exchange.engine
        balances = engine.balances(account.account_id)
        return {
            "brokerage": account.brokerage,
            "name": account.name,
            "account_id": account.account_id,
            "api_key": account.api_key,
            "permissions": sorted(account.permissions),
            "tier": account.tier,
            "strict": account.strict,
            "highest_nonce": _number_text(self._exchange.nonces.highest(account.api_key)),
            "balances": {asset: format(balance.total, "f") for asset, balance in balances.items()},
            "holds": {asset: format(balance.held, "f") for asset, balance in balances.items()},
            "open_orders": [_describe_order(order) for order in engine.open_orders(account.account_id)],
        }

    def _quote(self, symbol: str) -> dict[str, Any]:
        quote = self._exchange.quote(symbol)
        return {
            "symbol": symbol,
            "bid": format(quote.bid, "f"),
            "ask": format(quote.ask, "f"),
            "last": format(quote.last, "f"),
        }


def _guarded(exchange: Exchange, handler: Handler, token: str) -> Handler:
    async def guarded(request: Request) -> Response:
        given = request.headers.get(TOKEN_HEADER, "")
        if not secrets.compare_digest(given.encode(), token.encode()):
            return _problem(401, f"{TOKEN_HEADER} is missing or wrong: it stands in the first line of stdout.")
        try:
            response = await handler(request)
        except (BadBody, BadAccount, BadMarketChange, BadFault) as problem:
            return _problem(400, str(problem))
        exchange.keep()
        return response

    return guarded


def _problem(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status_code=status)


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object in the body; an empty body is an empty object. Numbers come as Decimal, exactly as written."""
    content = await request.body()
    if not content:
        return {}
    try:
        body = json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise BadBody("body: it is not JSON") from None
    if not isinstance(body, dict):
        raise BadBody("body: it must be a JSON object")
    return body


def _nothing_left(body: dict[str, Any]) -> None:
    if body:
        raise BadBody(f"body has no field {sorted(body)[0]!r}")


def _text(body: dict[str, Any], name: str) -> str:
    text = _optional_text(body, name)
    if not text:
        raise BadBody(f"{name} is missing or empty")
    return text


def _optional_text(body: dict[str, Any], name: str) -> str | None:
    value = body.pop(name, None)
    if value is not None and not isinstance(value, str):
        raise BadBody(f"{name} must be text")
    return value


def _texts(value: object, name: str) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadBody(f"{name} must be a list of texts")
    return value


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.pop(name, False)
    if not isinstance(value, bool):
        raise BadBody(f"{name} must be true or false")
    return value


def _whole(body: dict[str, Any], name: str) -> int:
    value = body.pop(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadBody(f"{name} must be a whole number from 0")
    return value


def _amounts(value: object, name: str) -> dict[str, Decimal]:
    if not isinstance(value, dict):
        raise BadBody(f"{name} must be an object of asset and amount")
    amounts = {str(asset): _amount(amount, f"{name}.{asset}") for asset, amount in value.items()}
    for asset, amount in amounts.items():
        if amount < 0:
            raise BadBody(f"{name}.{asset} must not be negative")
    return amounts


def _amount(value: object, name: str) -> Decimal:
    """A number, as JSON number or text in plain ASCII."""
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)) or not str(value).isascii():
            raise InvalidOperation
        amount = Decimal(str(value))
    except InvalidOperation:
        raise BadBody(f"{name} must be a number") from None
    if not amount.is_finite() or abs(amount) > Decimal(10) ** 15:
        raise BadBody(f"{name} must be a number of at most 15 digits before the point")
    return amount


def _rules(value: object) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not value:
        raise BadBody("rules must be an object of names and values")
    return {
        name: rule if name == "mode" else format(_amount(rule, f"rules.{name}"), "f") for name, rule in value.items()
    }


def _query_number(request: Request, name: str, default: int | None) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise BadBody(f"{name} must be a whole number from 0")
    return int(text)


def _number_text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _describe_order(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.kind.value,
        "status": order.status.value,
        "quantity": amount_text(order.quantity),
        "filled_quantity": amount_text(order.filled_quantity),
        "limit_price": amount_text(order.limit_price),
        "trigger_price": amount_text(order.trigger_price),
    }

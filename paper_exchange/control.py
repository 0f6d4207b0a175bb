"""The control API: accounts, market, faults and journal, on loopback and behind the token of the first stdout line.

Bodies are JSON objects; one that can't be understood is answered with 400 and a sentence naming the field.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paper_exchange import control_body as read
from paper_exchange.api_keys import Account, BadAccount
from paper_exchange.catalogue import STOCK_VENUE
from paper_exchange.clock import rfc3339
from paper_exchange.exchange import BadMarketChange, Exchange
from paper_exchange.fault_request import BadFault, parse_fault
from paper_exchange.journal import amount_text
from paper_exchange.movements import parse_moving
from paper_exchange.orders import LedgerKind, Movement, Order, Refusal
from paper_exchange.stock_session import BadSession

TOKEN_HEADER = "X-Paper-Token"
MOST_SECONDS_AHEAD = 35 * 86_400
Handler = Callable[[Request], Awaitable[Response]]


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
            route("/accounts/{brokerage}/{name}/withdraw", "POST", control.withdraw),
            route("/accounts/{brokerage}/{name}/movements", "POST", control.move),
            route("/accounts/{brokerage}/{name}/key", "POST", control.rotate_key),
            route("/accounts/{brokerage}/{name}/permissions", "POST", control.grant),
            route("/accounts/{brokerage}/{name}/state", "POST", control.set_state),
            route("/market", "GET", control.market),
            route("/market", "POST", control.set_market),
            route("/market/pause", "POST", control.pause),
            route("/market/resume", "POST", control.resume),
            route("/session", "GET", control.session),
            route("/session", "POST", control.set_session),
            route("/latency", "POST", control.set_latency),
            route("/clock", "POST", control.move_clock),
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
        body = await read.json_object(request)
        brokerage, name = read.text(body, "brokerage"), read.text(body, "name")
        balances = read.amounts(body.pop("balances", {}), "balances")
        permissions, tier = read.texts(body.pop("permissions", None), "permissions"), read.optional_text(body, "tier")
        strict, nonce_window = read.flag(body, "strict"), read.whole_number(body, "nonce_window")
        read.nothing_left(body)
        return JSONResponse(
            self._exchange.open_account(
                brokerage, name, balances, permissions, tier, strict=strict, nonce_window=nonce_window
            )
        )

    async def rotate_key(self, request: Request) -> Response:
        rotated = self._exchange.rotate_key(self._named(request))
        phrase = {"api_passphrase": rotated.passphrase} if rotated.passphrase else {}
        return JSONResponse({"api_key": rotated.api_key, "api_secret": rotated.api_secret, **phrase})

    async def grant(self, request: Request) -> Response:
        body = await read.json_object(request)
        account, permissions = self._named(request), read.texts(body.pop("permissions", None), "permissions")
        read.nothing_left(body)
        if permissions is None:
            raise read.BadBody("permissions must be a list of names")
        return JSONResponse(self._describe(self._exchange.grant(account, permissions)))

    async def deposit(self, request: Request) -> Response:
        body = await read.json_object(request)
        account = self._named(request)
        asset, amount = read.text(body, "asset"), read.amount(body.pop("amount", None), "amount")
        to_funding = self._goes_to_funding(account, read.optional_text(body, "to"))
        read.nothing_left(body)
        if amount <= 0:
            raise read.BadBody("amount must be above zero")
        self._exchange.deposit(account, asset, amount, to_funding=to_funding)
        return JSONResponse(self._describe(account))

    async def withdraw(self, request: Request) -> Response:
        body = await read.json_object(request)
        account = self._named(request)
        asset, amount = read.text(body, "asset"), read.amount(body.pop("amount", None), "amount")
        read.nothing_left(body)
        if amount <= 0:
            raise read.BadBody("amount must be above zero")
        self._exchange.withdraw(account, asset, amount)
        return JSONResponse(self._describe(account))

    async def move(self, request: Request) -> Response:
        """Change balances without an order: each kind appears at the front as the brokerage writes it."""
        body = await read.json_object(request)
        account = self._named(request)
        brokerage = self._exchange.registry.brokerage(account.brokerage)
        moving = parse_moving(body, brokerage)
        if moving.kind is LedgerKind.TRANSFER and brokerage.has_funding:
            ids = self._transfer(account, moving.movements[0])
        else:
            entries = self._exchange.move(account, moving.movements, moving.reference)
            ids = [entry.ledger_id for entry in entries]
        return JSONResponse({**self._describe(account), "ledger_ids": ids})

    def _transfer(self, account: Account, movement: Movement) -> list[str]:
        try:
            now_ns = self._exchange.advance()
            return [self._exchange.transfer(account, movement.asset, movement.amount, now_ns).ledger_id]
        except (Refusal, ValueError) as problem:
            raise BadAccount(f"amount: {problem}") from None

    def _goes_to_funding(self, account: Account, to: str | None) -> bool:
        """Where a brokerage has funding accounts, deposits land there, unless ``to`` says ``trading``."""
        has_funding = self._exchange.registry.brokerage(account.brokerage).has_funding
        places = {"trading", "funding"} if has_funding else {"trading"}
        if to is not None and to not in places:
            raise read.BadBody(f"to must be one of {', '.join(sorted(places))}")
        return has_funding and to != "trading"

    async def set_state(self, request: Request) -> Response:
        """Change what the brokerage says of an account; an empty object changes nothing. Gives all of it."""
        body, account = await read.json_object(request), self._named(request)
        change = self._exchange.account_states.get(account.brokerage)
        if change is None:
            raise read.BadBody(f"brokerage: accounts at {account.brokerage} have no state that can be set")
        state = change(account, body)
        self._exchange.note_change()
        return JSONResponse(state)

    def _named(self, request: Request) -> Account:
        account = self._exchange.registry.by_name(request.path_params["brokerage"], request.path_params["name"])
        if account is None:
            raise read.BadBody(f"name: there is no account {request.path_params['name']!r} at that brokerage")
        return account

    async def market(self, request: Request) -> Response:
        self._exchange.advance()
        wanted = request.query_params.get("symbol")
        symbols = [wanted] if wanted is not None else self._exchange.market.symbols_trading()
        return JSONResponse([self._quote(symbol) for symbol in symbols])

    async def set_market(self, request: Request) -> Response:
        body = await read.json_object(request)
        symbol = read.text(body, "symbol")
        price = read.amount(body.pop("price"), "price") if body.get("price") is not None else None
        body.pop("price", None)
        halt = body.pop("halt", None)
        rules = body.pop("rules", None)
        read.nothing_left(body)
        if price is not None and price <= 0:
            raise read.BadBody("price must be above zero")
        if halt is not None and not isinstance(halt, bool):
            raise read.BadBody("halt must be true or false")
        self._exchange.set_market(symbol, price=price, halted=halt, rules=read.rules(rules))
        return JSONResponse(self._quote(symbol))

    async def pause(self, request: Request) -> Response:
        body = await read.json_object(request)
        paused = body.pop("paused", True)
        if not isinstance(paused, bool):
            raise read.BadBody("paused must be true or false")
        read.nothing_left(body)
        self._exchange.set_paused(paused)
        return JSONResponse({"paused": paused})

    async def resume(self, _request: Request) -> Response:
        self._exchange.set_paused(False)
        return JSONResponse({"paused": False})

    async def session(self, _request: Request) -> Response:
        return JSONResponse(self._session(self._exchange.advance()))

    async def set_session(self, request: Request) -> Response:
        """Open or close the stock markets, or leave them to the calendar; times are RFC 3339."""
        body = await read.json_object(request)
        brokerage, mode = read.optional_text(body, "brokerage"), read.text(body, "mode")
        next_open, next_close = read.time_ns(body, "next_open"), read.time_ns(body, "next_close")
        read.nothing_left(body)
        if brokerage not in (None, STOCK_VENUE):
            raise read.BadBody(f"brokerage: only {STOCK_VENUE} has sessions")
        now_ns = self._exchange.set_session(mode, next_open_ns=next_open, next_close_ns=next_close)
        return JSONResponse(self._session(now_ns))

    def _session(self, now_ns: int) -> dict[str, object]:
        session = self._exchange.session
        return {
            "brokerage": STOCK_VENUE,
            "mode": session.mode.value,
            "is_open": session.is_open(now_ns),
            "time": rfc3339(now_ns),
            "next_open": rfc3339(session.next_open(now_ns)),
            "next_close": rfc3339(session.next_close(now_ns)),
        }

    async def set_latency(self, request: Request) -> Response:
        body = await read.json_object(request)
        milliseconds = read.amount(body.pop("milliseconds", None), "milliseconds")
        read.nothing_left(body)
        if not 0 <= milliseconds <= 60_000:
            raise read.BadBody("milliseconds must be from 0 to 60000")
        self._exchange.latency.seconds = float(milliseconds) / 1000
        return JSONResponse({"milliseconds": amount_text(milliseconds)})

    async def move_clock(self, request: Request) -> Response:
        """Let the exchange be later by ``advance_seconds``; the market moves on through all of it."""
        body = await read.json_object(request)
        seconds = read.amount(body.pop("advance_seconds", None), "advance_seconds")
        read.nothing_left(body)
        if not 0 < seconds <= MOST_SECONDS_AHEAD:
            raise read.BadBody(f"advance_seconds must be above 0 and at most {MOST_SECONDS_AHEAD}")
        self._exchange.clock.advance_seconds(float(seconds))
        return JSONResponse({"time_ns": self._exchange.advance()})

    async def faults(self, _request: Request) -> Response:
        return JSONResponse(self._exchange.faults.listed())

    async def add_fault(self, request: Request) -> Response:
        match, action, times = parse_fault(await read.json_object(request))
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
        since = read.query_number(request, "since", 0)
        limit = read.query_number(request, "limit", None)
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
            "funding": {
                asset: format(amount, "f")
                for asset, amount in self._exchange.funding.balances(account.account_id).items()
            },
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
        except (read.BadBody, BadAccount, BadMarketChange, BadFault, BadSession) as problem:
            return _problem(400, str(problem))
        exchange.keep()
        return response

    return guarded


def _problem(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status_code=status)


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

"""All connections to Coinbase's user endpoint: the channels ``user`` and ``heartbeats``.

Every subscription carries a token of its own, which names no request. There is one channel to a message, and whoever
has asked for none within five seconds is shown the door.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import ClassVar

from paper_exchange.api_keys import Account
from paper_exchange.clock import NANOSECONDS_PER_SECOND, rfc3339
from paper_exchange.coinbase.front import NAME
from paper_exchange.coinbase.products import symbol_of
from paper_exchange.coinbase.routes import Scope, json_object
from paper_exchange.coinbase.tokens import Unauthorized, key_claimed, verify_socket_token
from paper_exchange.coinbase.wallets import user_id
from paper_exchange.coinbase.ws.session import EVERY_PRODUCT, HEARTBEATS, USER, Subscriber, error
from paper_exchange.coinbase.ws.user_orders import user_order
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Front
from paper_exchange.orders import Event
from paper_exchange.sockets.hub import Payloads, SocketHub
from paper_exchange.sockets.service import SocketPorts
from paper_exchange.sockets.session import SocketSession

PORT = "coinbase_ws_user"
SUBSCRIBE, UNSUBSCRIBE = "subscribe", "unsubscribe"
SUBSCRIBE_WITHIN_SECONDS = 5.0
ORDERS_PER_MESSAGE = 50
NOT_AUTHENTICATED = "authentication failure"
POLICY = 1008


class Unwelcome(Exception):
    """A request that is answered with an error; the text is the answer's."""


class CoinbaseHub(SocketHub):
    brokerage: ClassVar[str] = NAME
    paths: ClassVar[frozenset[str]] = frozenset({"/"})
    idle_seconds: ClassVar[float] = 90.0

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._subscribers: dict[SocketSession, Subscriber] = {}
        self._heartbeats = 0
        self._waiting: deque[Event] = deque()
        exchange.listeners.append(self._happened)

    # Connections.

    def opened(self, session: SocketSession) -> Payloads:
        self._subscribers[session] = Subscriber(session)
        return ()

    def ended(self, session: SocketSession) -> None:
        self._subscribers.pop(session, None)

    def beat(self, now: float) -> None:
        super().beat(now)
        self._heartbeats += 1
        for subscriber in list(self._subscribers.values()):
            session = subscriber.session
            late = not subscriber.has_subscribed and now - subscriber.opened_at >= SUBSCRIBE_WITHIN_SECONDS
            if late or (session.account is not None and self._by_key(session.account.api_key) is None):
                session.connection.close(POLICY)
            elif subscriber.beats:
                self.pushes.heartbeat(session, self._heartbeat(subscriber))

    # Requests.

    def identify(self, session: SocketSession, call: Call) -> None:
        request = json_object(call.body)
        call.data["request"] = request
        kind = (request or {}).get("type")
        call.endpoint = f"ws/{kind if isinstance(kind, str) else ''}"
        if request is not None and "jwt" in request:
            call.account = self._by_key(key_claimed(str(request["jwt"])))

    def carry_out(self, session: SocketSession, call: Call, now_ns: int) -> Payloads:
        request: Mapping[str, object] | None = call.data["request"]
        subscriber = self._subscribers.get(session)
        if subscriber is None:
            return ()  # it has gone meanwhile
        try:
            if request is None:
                raise Unwelcome("the message is not a JSON object")
            return self._obeyed(subscriber, request, now_ns)
        except Unwelcome as problem:
            call.data["error"] = str(problem)
            return [error(str(problem))]
        except Unauthorized as problem:
            call.data["error"] = f"{NOT_AUTHENTICATED}: {problem}"
            return [error(NOT_AUTHENTICATED)]

    def refusal(self, session: SocketSession, call: Call, text: str) -> Payloads:
        return [error(text)]

    def _obeyed(self, subscriber: Subscriber, request: Mapping[str, object], now_ns: int) -> Payloads:
        kind, channel = request.get("type"), request.get("channel")
        if kind not in (SUBSCRIBE, UNSUBSCRIBE):
            raise Unwelcome("type is neither subscribe nor unsubscribe")
        if channel not in (USER, HEARTBEATS):
            raise Unwelcome(f"channel {str(channel)[:40]!r} does not exist")
        symbols = _symbols(request)
        account = self._authenticated(request, now_ns) if channel == USER or "jwt" in request else None
        if channel == HEARTBEATS:
            subscriber.beats = kind == SUBSCRIBE
            shown: Payloads = ()
        elif kind == SUBSCRIBE:
            assert account is not None
            shown = self._subscribe(subscriber, account, symbols, now_ns)
        else:
            _unsubscribe(subscriber, symbols)
            shown = ()
        subscriber.has_subscribed = True
        return [*shown, self._subscriptions(subscriber, now_ns)]

    def _authenticated(self, request: Mapping[str, object], now_ns: int) -> Account:
        """Whose token the request carries. Raises Unauthorized."""
        token = request.get("jwt")
        if not isinstance(token, str):
            raise Unauthorized("no token")
        name = verify_socket_token(token, now_ns=now_ns, public_key_of=self._public_key_of)
        account = self._by_key(name)
        if account is None or Scope.VIEW not in account.permissions:
            raise Unauthorized("the key may not look at the account")
        return account

    def _subscribe(self, subscriber: Subscriber, account: Account, symbols: frozenset[str], now_ns: int) -> list[bytes]:
        """Subscribing once more adds products, and shows the open orders again."""
        known = subscriber.products
        same = subscriber.account_id == account.account_id
        both = EVERY_PRODUCT if not symbols or known == EVERY_PRODUCT else symbols | (known or EVERY_PRODUCT)
        subscriber.products = both if same else symbols
        subscriber.account_id = account.account_id
        subscriber.session.account = account
        return self._snapshot(subscriber, account, now_ns)

    def _snapshot(self, subscriber: Subscriber, account: Account, now_ns: int) -> list[bytes]:
        """The open orders in messages of fifty; one that has fewer is the last."""
        open_orders = self._exchange.engine.open_orders(account.account_id)
        rows = [user_order(order, account) for order in open_orders if subscriber.wants(order)]
        pages = [rows[start : start + ORDERS_PER_MESSAGE] for start in range(0, len(rows) + 1, ORDERS_PER_MESSAGE)]
        return [self._of_orders(subscriber, "snapshot", page, now_ns) for page in pages]

    def _of_orders(self, subscriber: Subscriber, kind: str, rows: Sequence[Mapping[str, object]], now_ns: int) -> bytes:
        positions: dict[str, list[object]] = {"perpetual_futures_positions": [], "expiring_futures_positions": []}
        return subscriber.message(USER, {"type": kind, "orders": rows, "positions": positions}, now_ns)

    def _subscriptions(self, subscriber: Subscriber, now_ns: int) -> bytes:
        """What the connection is subscribed to now."""
        told: dict[str, list[str]] = {HEARTBEATS: [HEARTBEATS]} if subscriber.beats else {}
        account = subscriber.session.account
        if subscriber.products is not None and account is not None:
            told[USER] = [user_id(account)]
        return subscriber.message("subscriptions", {"subscriptions": told}, now_ns)

    def _heartbeat(self, subscriber: Subscriber) -> bytes:
        now_ns = self._exchange.clock.now_ns()
        event = {"current_time": _spelled_out(now_ns), "heartbeat_counter": self._heartbeats}
        return subscriber.message(HEARTBEATS, event, now_ns)

    def _by_key(self, name: str) -> Account | None:
        return self._exchange.account_by_key(NAME, name)

    def _public_key_of(self, name: str) -> str | None:
        account = self._by_key(name)
        return account.public_key if account is not None else None

    # What is pushed.

    def _happened(self, event: Event) -> None:
        account_id = event.order.account_id
        if not any(one.account_id == account_id for one in self._subscribers.values()):
            return
        if not self._waiting:
            # A moment later, so that the answer to the request that caused it does not wait.
            asyncio.get_running_loop().call_soon(self._tell_waiting)
        self._waiting.append(event)

    def _tell_waiting(self) -> None:
        self._exchange.keep()
        waiting, self._waiting = list(self._waiting), deque()
        for subscriber in list(self._subscribers.values()):
            account = subscriber.session.account
            if account is None or self._by_key(account.api_key) is None:
                continue
            mine = [
                one for one in waiting if one.order.account_id == account.account_id and subscriber.wants(one.order)
            ]
            updates = [(subscriber, self._update(subscriber, account, event)) for event in mine]
            if updates:
                self.pushes.send(subscriber.session, updates)

    def _update(self, subscriber: Subscriber, account: Account, event: Event) -> bytes:
        return self._of_orders(subscriber, "update", [user_order(event.order, account, event)], event.time_ns)


def _symbols(request: Mapping[str, object]) -> frozenset[str]:
    """The products that are named. Raises Unwelcome for what is no list of names."""
    products = request.get("product_ids")
    if products is None:
        return EVERY_PRODUCT
    if not isinstance(products, list) or not all(isinstance(product, str) for product in products):
        raise Unwelcome("product_ids is not a list of product ids")
    return frozenset(symbol_of(product) for product in products)


def _unsubscribe(subscriber: Subscriber, symbols: frozenset[str]) -> None:
    """From the products that are named; from all of them when none is, or none is left."""
    kept = (subscriber.products or EVERY_PRODUCT) - symbols
    subscriber.products = kept if symbols and kept else None


def _spelled_out(time_ns: int) -> str:
    """As the venue writes the time of a heartbeat."""
    moment = rfc3339(time_ns).removesuffix("Z").replace("T", " ")
    return f"{moment} +0000 UTC m=+{time_ns / NANOSECONDS_PER_SECOND % 1_000_000:.9f}"


def _hub(exchange: Exchange, _front: Front, _connects_per_10_minutes: int | None) -> CoinbaseHub:
    return CoinbaseHub(exchange)


COINBASE_SOCKETS = SocketPorts(brokerage=NAME, ports={PORT: "ws_auth"}, hub=_hub)

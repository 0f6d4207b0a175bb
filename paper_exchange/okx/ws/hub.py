"""All connections to OKX's private socket: login, subscriptions, orders pushed as they change, and ``ping``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paper_exchange.api_keys import Account
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Front
from paper_exchange.okx.accounts import render_balance, user_number
from paper_exchange.okx.front import NAME, OkxFront, note_orders
from paper_exchange.okx.instruments import INSTRUMENT_TYPES
from paper_exchange.okx.query import milliseconds
from paper_exchange.okx.routes import json_body
from paper_exchange.okx.ws.login import account_of
from paper_exchange.okx.ws.messages import SocketRefused, encoded, error, event
from paper_exchange.okx.ws.order_feed import ACCOUNT, ANY, CHANNELS, ORDERS, Subscription, order_update
from paper_exchange.okx.ws.trading import TRADES, judge, trade
from paper_exchange.orders import Event
from paper_exchange.sockets.hub import Payloads, SocketHub
from paper_exchange.sockets.service import SocketPorts
from paper_exchange.sockets.session import SocketSession

PORT = "okx_ws_private"
UPGRADES = frozenset({1001, 1012})
"""Codes with which a service that goes away closes connections."""
PING, PONG = b"ping", b"pong"
Fields = Mapping[str, object]


class OkxHub(SocketHub):
    brokerage: ClassVar[str] = NAME
    paths: ClassVar[frozenset[str]] = frozenset({"/ws/v5/private"})
    idle_seconds: ClassVar[float] = 30.0
    idle_code: ClassVar[int] = 4004

    def __init__(self, exchange: Exchange, front: OkxFront) -> None:
        super().__init__(exchange)
        self._front = front
        self._subscriptions: dict[SocketSession, list[Subscription]] = {}
        exchange.listeners.append(self._happened)
        exchange.money_listeners.append(self._money_moved)

    def identify(self, session: SocketSession, call: Call) -> None:
        if call.body == PING:
            call.endpoint = "ws/ping"
            return
        body = json_body(call.body)
        call.data["request"] = body if isinstance(body, dict) else None
        operation = _operation(call.data["request"] or {})
        call.endpoint = f"ws/{operation}"
        arguments = _arguments(call.data["request"] or {})
        if operation == "login" and arguments:
            call.account = self._by_key(str(arguments[0].get("apiKey")))
        if operation in TRADES:
            note_orders(call, arguments)

    def carry_out(self, session: SocketSession, call: Call, now_ns: int) -> Payloads:
        if call.body == PING:
            return [PONG]
        request: Fields | None = call.data["request"]
        if request is None:
            return self._told(session, call, SocketRefused("60012", f"Invalid request: {call.body[:200]!r}"))
        try:
            return self._done_for(session, call, request, now_ns)
        except SocketRefused as problem:
            return self._told(session, call, problem)

    def refusal(self, session: SocketSession, call: Call, text: str) -> Payloads:
        code, _, words = text.replace(":", " ", 1).strip().partition(" ")
        return [error(SocketRefused(code, words.strip() or None), session.connection_id)]

    def farewell(self, session: SocketSession, code: int) -> Payloads:
        """Where the service is upgraded, OKX says so before it closes; where the network breaks, nobody does."""
        if code not in UPGRADES:
            return ()
        words = "The connection will soon be closed for a service upgrade. Please reconnect."
        return [event("notice", session.connection_id, code="64008", msg=words)]

    def ended(self, session: SocketSession) -> None:
        self._subscriptions.pop(session, None)

    def arrived(self, session: SocketSession, call: Call) -> None:
        request: Fields | None = call.data.get("request")
        if request is not None and _operation(request) in TRADES and session.account is not None:
            judge(self._exchange, self._front, call, session.account, request)

    def _told(self, session: SocketSession, call: Call, problem: SocketRefused) -> Payloads:
        call.data["error"] = str(problem)
        return [error(problem, session.connection_id, **_identity(call))]

    def _done_for(self, session: SocketSession, call: Call, request: Fields, now_ns: int) -> Payloads:
        operation, arguments = _operation(request), _arguments(request)
        if operation == "login":
            session.account = account_of(arguments[0] if arguments else {}, self._by_key, now_ns)
            return [event("login", session.connection_id, code="0", msg="")]
        if operation not in ("subscribe", "unsubscribe", *TRADES):
            raise SocketRefused("60012", f"Invalid request: {call.body[:200].decode(errors='replace')}")
        account = self._owner(session)
        if operation in TRADES:
            judge(self._exchange, self._front, call, account, request)
            return [encoded(trade(self._front, call, account, request, now_ns))]
        if not arguments:
            raise SocketRefused("60012", "Invalid request: args is missing")
        change = self._subscribe if operation == "subscribe" else self._unsubscribe
        return [payload for argument in arguments for payload in change(session, call, account, argument)]

    def _owner(self, session: SocketSession) -> Account:
        """The account that is logged in, as it is now; a key that was replaced is good for nothing any more."""
        account = self._by_key(session.account.api_key) if session.account is not None else None
        if account is None:
            raise SocketRefused("60011")
        return account

    def _by_key(self, api_key: str) -> Account | None:
        return self._exchange.account_by_key(NAME, api_key)

    # Subscriptions.

    def _subscribe(self, session: SocketSession, call: Call, account: Account, argument: Fields) -> Payloads:
        channel = str(argument.get("channel"))
        wrong_type = channel == ORDERS and argument.get("instType") not in (*INSTRUMENT_TYPES, ANY)
        if channel not in CHANNELS or wrong_type:
            return self._told(session, call, SocketRefused("60018"))
        subscription = Subscription(session, channel, account.account_id, argument)
        mine = self._subscriptions.setdefault(session, [])
        if not any(one.argument == argument for one in mine):
            mine.append(subscription)
        told = event("subscribe", session.connection_id, arg=argument)
        return [told] if channel == ORDERS else [told, self._balance(subscription, "snapshot")]

    def _unsubscribe(self, session: SocketSession, call: Call, account: Account, argument: Fields) -> Payloads:
        mine = self._subscriptions.get(session, [])
        self._subscriptions[session] = [one for one in mine if one.argument != argument]
        return [event("unsubscribe", session.connection_id, arg=argument)]

    # What is pushed.

    def _happened(self, happening: Event) -> None:
        account_id = happening.order.account_id
        listening = self._of(account_id)
        if not listening:
            return
        row = order_update(self._exchange, happening)
        for subscription in listening:
            if subscription.channel == ACCOUNT:
                self._push(subscription, self._balance(subscription, "event_update"))
            elif row is not None and subscription.wants(happening.order):
                self._push(subscription, self._message(subscription, [row]))

    def _money_moved(self, account_id: str) -> None:
        for subscription in self._of(account_id):
            if subscription.channel == ACCOUNT:
                self._push(subscription, self._balance(subscription, "event_update"))

    def _of(self, account_id: str) -> list[Subscription]:
        return [one for mine in self._subscriptions.values() for one in mine if one.account_id == account_id]

    def _push(self, subscription: Subscription, payload: bytes) -> None:
        self.pushes.send(subscription.session, [(subscription, payload)])

    def _balance(self, subscription: Subscription, event_type: str) -> bytes:
        now_ns = self._exchange.clock.now_ns()
        row = render_balance(self._exchange, subscription.account_id, now_ns)
        more = {"eventType": event_type, "curPage": 1, "lastPage": True, "pushTime": milliseconds(now_ns)}
        return self._message(subscription, [row], **more)

    def _message(self, subscription: Subscription, rows: list[dict[str, object]], **more: object) -> bytes:
        owner = subscription.session.account
        argument = {**subscription.argument, "uid": user_number(owner) if owner is not None else ""}
        return encoded({"arg": argument, **more, "data": rows})


def _operation(request: Fields) -> str:
    operation = request.get("op")
    return operation if isinstance(operation, str) else ""


def _arguments(request: Fields) -> list[Fields]:
    arguments = request.get("args")
    return [one for one in arguments if isinstance(one, dict)] if isinstance(arguments, list) else []


def _identity(call: Call) -> dict[str, object]:
    """A request may have an id, which its answer repeats."""
    request = call.data.get("request") or {}
    return {"id": request["id"]} if "id" in request else {}


def _hub(exchange: Exchange, front: Front, _connects_per_10_minutes: int | None) -> OkxHub:
    assert isinstance(front, OkxFront)
    return OkxHub(exchange, front)


OKX_SOCKETS = SocketPorts(brokerage=NAME, ports={PORT: "ws_auth"}, hub=_hub)

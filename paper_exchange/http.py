"""The way of a request through any brokerage front: read, journal, misbehave if told to, admit, execute, answer.

A front says who is calling, whether they may, and what the answer is; it is plain synchronous code. Everything about
connections (and every fault) is here, once for all brokerages.
"""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar

from paper_exchange.api_keys import Account
from paper_exchange.exchange import Exchange
from paper_exchange.faults import FaultAction, FaultKind
from paper_exchange.journal import JournalEntry
from paper_exchange.latency import Latency
from paper_exchange.wire import AsgiApp, Receive, Reply, Scope, Send, Wire, read_body
from paper_exchange.write_ahead import Placement, payload_sha256

HTML_PAGE = (
    b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>We'll be right back</h1></body></html>"
)
UNPROCESSED = frozenset(
    {
        FaultKind.DROP_REQUEST,
        FaultKind.STATUS_5XX,
        FaultKind.HTML,
        FaultKind.HANG,
        FaultKind.RESET,
        FaultKind.API_ERROR,
    }
)


@dataclass(slots=True)
class Call:
    """One request. The first block is as received; ``identify`` fills the second, for faults and journal."""

    brokerage: str
    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    body: bytes
    received_ns: int

    endpoint: str = ""
    account: Account | None = None
    nonce: str | None = None
    client_order_id: str | None = None
    order_id: str | None = None
    symbol: str | None = None
    side: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None

    fault: FaultAction | None = None
    lookup_lag_ns: int = 0
    """A look-up must not show orders or fills younger than this."""
    data: dict[str, Any] = field(default_factory=dict)
    """Whatever the front wants to carry from one step to the next."""

    @property
    def account_name(self) -> str | None:
        return self.account.name if self.account is not None else None


class Front(ABC):
    """One brokerage's REST face. None of its methods may raise for bad input: a refusal is a Reply."""

    brokerage: ClassVar[str]
    lookup_endpoints: ClassVar[frozenset[str]] = frozenset()
    """Endpoints that a ``lookup_lag`` fault applies to."""

    @abstractmethod
    def identify(self, call: Call) -> None:
        """Say what is called and by whom, as far as it can be read, before anything is verified."""

    @abstractmethod
    def admit(self, call: Call) -> Reply | None:
        """Verify signature, nonce, permissions and rate limits; None lets the call through."""

    @abstractmethod
    def execute(self, call: Call, now_ns: int) -> Reply:
        """Carry the call out at exchange time ``now_ns``."""

    @abstractmethod
    def placements(self, call: Call) -> Sequence[Placement]:
        """The orders that an admitted call asks for, before it is decided whether they are accepted."""

    @abstractmethod
    def error_reply(self, text: str) -> Reply:
        """The brokerage's own error envelope around ``text``."""


def front_app(exchange: Exchange, front: Front) -> AsgiApp:
    """The ASGI application of a front. Half of the latency passes before the request, half after it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        if body is None:
            return
        wire = Wire(scope, receive, send)
        await _travel(exchange.latency)
        call = _received(exchange, front, scope, body)
        reply = await _carry_out(exchange, front, call, wire)
        if reply is None:
            return
        exchange.keep()
        await _travel(exchange.latency)
        await _send_faulty(front, call.fault, reply, wire)

    return app


async def _travel(latency: Latency) -> None:
    if latency.seconds:
        await asyncio.sleep(latency.one_way)


def _received(exchange: Exchange, front: Front, scope: Scope, body: bytes) -> Call:
    now_ns = exchange.advance()
    call = Call(
        brokerage=front.brokerage,
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"],
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
        received_ns=now_ns,
    )
    front.identify(call)
    call.fault = exchange.faults.take(call.brokerage, call.account_name, call.endpoint)
    if call.endpoint in front.lookup_endpoints:
        call.lookup_lag_ns = exchange.faults.take_lookup_lag_ns(call.brokerage, call.account_name, call.endpoint)
    write_line(exchange, call, "request", error=None)
    return call


async def _carry_out(exchange: Exchange, front: Front, call: Call, wire: Wire) -> Reply | None:
    """The reply to send, or None when the fault leaves nothing to send."""
    fault = call.fault
    if fault is not None and fault.kind in UNPROCESSED:
        return await _not_processed(exchange, front, call, fault, wire)
    refusal = front.admit(call)
    if refusal is None:
        check_write_ahead(exchange, call, lambda: front.placements(call))
    if refusal is None and fault is not None and fault.kind is FaultKind.DELAY:
        await asyncio.sleep(fault.seconds or 0.0)
    if refusal is not None:
        return _noted(exchange, call, refusal)
    now_ns = exchange.advance() if fault is not None else call.received_ns
    reply = front.execute(call, now_ns)
    exchange.publish_events(endpoint=call.endpoint, nonce=call.nonce)
    return _noted(exchange, call, reply)


def check_write_ahead(exchange: Exchange, call: Call, placements: Callable[[], Sequence[Placement]]) -> None:
    """Journal, for each order of a call that has just arrived, whether its sender had written it down."""
    if exchange.write_ahead is None:
        return
    for placement in placements():
        entry = JournalEntry(
            type="write_ahead",
            brokerage=call.brokerage,
            account=call.account_name,
            endpoint=call.endpoint,
            nonce=call.nonce,
            client_order_id=placement.client_order_id,
            symbol=placement.symbol,
            side=placement.side,
            payload_sha256=payload_sha256(placement.new) if placement.new is not None else None,
            verdict=exchange.write_ahead.verdict(placement),
        )
        exchange.journal.write(entry, time_ns=exchange.clock.now_ns())


async def _not_processed(exchange: Exchange, front: Front, call: Call, fault: FaultAction, wire: Wire) -> Reply | None:
    match fault.kind:
        case FaultKind.API_ERROR:
            return _noted(exchange, call, front.error_reply(fault.text or ""))
        case FaultKind.STATUS_5XX:
            return _status_page(fault.status or 503)
        case FaultKind.HTML:
            return Reply(HTML_PAGE, content_type="text/html; charset=utf-8")
        case FaultKind.RESET:
            await wire.reset()
        case FaultKind.HANG:
            await wire.gone(fault.seconds)
            await wire.close()
        case _:
            await wire.close()
    return None


async def _send_faulty(front: Front, fault: FaultAction | None, reply: Reply, wire: Wire) -> None:
    match fault.kind if fault is not None else None:
        case FaultKind.DROP_RESPONSE:
            await wire.close()
        case FaultKind.ACCEPT_THEN_5XX:
            assert fault is not None
            await wire.answer(_after_acceptance(front, fault))
        case FaultKind.MALFORMED:
            await wire.answer(Reply(reply.body[: max(1, len(reply.body) * 2 // 3)]))
        case FaultKind.BODY:
            assert fault is not None
            await wire.answer(Reply((fault.text or "").encode()))
        case FaultKind.DRIP:
            assert fault is not None
            seconds = 1.0 if fault.seconds is None else fault.seconds
            await wire.drip(reply, seconds=seconds, headers_too=fault.part == "headers")
        case _:
            await wire.answer(reply)


def _after_acceptance(front: Front, fault: FaultAction) -> Reply:
    """A page of HTML, or with a text the brokerage's own error, under the fault's status."""
    status = fault.status or 502
    return _status_page(status) if fault.text is None else replace(front.error_reply(fault.text), status=status)


def _status_page(status: int) -> Reply:
    title = f"{status} {HTTPStatus(status).phrase}" if status in HTTPStatus._value2member_map_ else str(status)
    page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>"
    return Reply(page.encode(), status=status, content_type="text/html")


def _noted(exchange: Exchange, call: Call, reply: Reply) -> Reply:
    if reply.error is not None:
        write_line(exchange, call, "refuse", error=reply.error)
    return reply


def write_line(exchange: Exchange, call: Call, kind: str, *, error: str | None) -> None:
    """Journal a call: ``kind`` is request or refuse."""
    exchange.journal.write_later(partial(_line, call, kind, error), time_ns=exchange.clock.now_ns())


def _line(call: Call, kind: str, error: str | None) -> JournalEntry:
    return JournalEntry(
        type=kind,
        brokerage=call.brokerage,
        account=call.account_name,
        endpoint=call.endpoint,
        nonce=call.nonce,
        client_order_id=call.client_order_id,
        order_id=call.order_id,
        symbol=call.symbol,
        side=call.side,
        quantity=call.quantity,
        price=call.price,
        error=error,
        payload_sha256=hashlib.sha256(call.body).hexdigest() if call.body else None,
    )


__all__ = ["Call", "Front", "Reply", "front_app"]

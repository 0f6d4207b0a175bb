"""Accounts of Kraken that listen to their private stream, on the real exchange."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Self

from bot.brokers.connect_budget import ConnectBudget
from bot.brokers.feed_loop import FeedLoop
from bot.brokers.kraken.broker import KrakenBroker
from bot.brokers.kraken.context import KrakenContext
from bot.brokers.kraken.socket import SocketWire
from bot.brokers.resolver import Resolver
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef
from bot.domain.fill import Fill
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from tests.bot_process import wait_until
from tests.contract_brokers.conftest import Wiring

SILENCE_SECONDS = 1.5
DEADLINE_SECONDS = 1.5


class Seen:
    """A `SocketObserver` that remembers."""

    def __init__(self) -> None:
        self.ups = 0
        self.gaps: list[str] = []
        self.orders: list[tuple[str, str]] = []

    def socket(self, kind: str, *, up: bool) -> None:
        self.ups += up

    def gap(self, channel: str) -> None:
        self.gaps.append(channel)

    def order(self, way: str, outcome: str, seconds: float) -> None:
        self.orders.append((way, outcome))


class Streamed:
    """The feed loop of a test and its accounts; each is `Trader`-like: its stream is tended by `tend_until`."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.seen = Seen()
        clock, ids = SystemClock(), SystemIds()
        self.feed = FeedLoop("kraken", clock, step_seconds=0.5)
        self.wire = SocketWire(
            feed=self.feed,
            budget=ConnectBudget(clock, ids, limit=140),
            clock=clock,
            ids=ids,
            resolver=Resolver(clock),
            silence_seconds=SILENCE_SECONDS,
            observer=self.seen,
        )

    def account(self, account: AccountRef, **more: object) -> "StreamedAccount":
        return StreamedAccount(self, account, self.access(account), **more)

    def access(self, account: AccountRef, **more: object) -> VenueAccess:
        addresses = self.wiring.exchange.addresses["kraken"]
        access = self.wiring.access(account, **more)
        return replace(access, ws_url=addresses["ws"], ws_auth_url=addresses["ws_auth"])

    def close(self) -> None:
        self.feed.close()


class StreamedAccount:
    def __init__(self, streamed: Streamed, account: AccountRef, access: VenueAccess, **more: object) -> None:
        self.streamed = streamed
        self.exchange = streamed.wiring.exchange
        made = streamed.wiring.broker(account, access=access)
        assert isinstance(made, KrakenBroker)
        context: KrakenContext = replace(
            made._context,
            wire=streamed.wire,
            socket_deadline_seconds=DEADLINE_SECONDS,
            gather_seconds=0.05,
            **more,  # type: ignore[arg-type]
        )
        self.broker = KrakenBroker(account.account_type, account.user_id, context=context)
        streamed.wiring.brokers.append(self.broker)
        self.account = account
        self.woken = threading.Event()
        self.fills: list[Fill] = []
        self.missed = 0
        self._number = 0

    def live(self) -> Self:
        """Connected, its markets known, its stream up."""
        self.broker.connect()
        self.broker.get_trading_pairs()
        self.broker.listen(self.woken.set)
        return self.until_live()

    def until_live(self, *, seconds: float = 20.0) -> Self:
        wait_until(self.tend, seconds=seconds, what="the stream is live")
        return self

    def tend(self) -> bool:
        news = self.broker.tend_stream()
        self.fills += news.fills
        self.missed += news.missed
        return news.up

    def request(self, quantity: str = "0.01", **more: object) -> OrderRequest:
        self._number += 1
        tag = abs(hash((self.account.label, self._number, id(self)))) % 10**30
        fields: dict[str, object] = {
            "client_order_id": f"{tag:032d}",
            "symbol": "BTC/USD",
            "side": Side.BUY,
            "kind": OrderKind.ENTRY,
            "order_type": OrderType.MARKET,
            "quantity": Decimal(quantity),
        }
        return OrderRequest(**(fields | more))  # type: ignore[arg-type]

    def by_rest(self) -> KrakenBroker:
        """The same account by another client: what its owner does by hand."""
        context = replace(self.broker._context, wire=None)
        made = KrakenBroker(self.account.account_type, self.account.user_id, context=context)
        self.streamed.wiring.brokers.append(made)
        made.venue_clock.measured(self.broker.venue_clock.now())
        return made

    def rest_calls(self) -> list[str]:
        return [method for _, method, _, _ in self.streamed.wiring.calls]

    def fault(self, action: str | Mapping[str, Any], endpoint: str, **more: Any) -> None:
        self.exchange.fault(action, account=self.account.venue_account_name, endpoint=endpoint, **more)

    def accepted(self) -> list[dict[str, Any]]:
        """The orders that the exchange has taken of this account."""
        return self.exchange.journal(type="accept", account=self.account.venue_account_name)

"""The streams of accounts: every event of the engine goes to those who are subscribed to its account.

An update is sent a moment after the answer to the request that caused it, so that answers never wait for updates.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable

from paper_exchange.binance.routes import Shared
from paper_exchange.binance.ws.reports import (
    Report,
    account_position,
    balance_update,
    execution_report,
    terminated,
)
from paper_exchange.binance.ws.session import Subscription, Told
from paper_exchange.orders import Event, LedgerKind
from paper_exchange.sockets.pushes import Pushes

NAME = "binance"


class UserData:
    """``on_end`` is called for each stream that ends while its connection lasts."""

    def __init__(self, shared: Shared, pushes: Pushes, *, on_end: Callable[[Subscription], None]) -> None:
        self._on_end = on_end
        self._shared = shared
        self._pushes = pushes
        self._subscribed: defaultdict[str, list[Subscription]] = defaultdict(list)
        self._seen_entries: dict[str, int] = {}
        """Ledger entries of an account that have been told or were there before."""
        shared.exchange.listeners.append(self._happened)
        shared.exchange.money_listeners.append(self._money_moved)

    def add(self, subscription: Subscription) -> None:
        account_id = subscription.account.account_id
        self._subscribed[account_id].append(subscription)
        self._seen_entries.setdefault(account_id, len(self._shared.exchange.engine.ledger(account_id)))

    def end(self, subscription: Subscription) -> None:
        """Say that the stream is over, and tell it nothing more."""
        self.remove(subscription)
        self._on_end(subscription)
        report = terminated(self._shared.exchange.clock.now_ns())
        self._send(subscription, [(subscription.told(str(report["e"])), _wrapped(subscription, report))])

    def remove(self, subscription: Subscription) -> None:
        account_id = subscription.account.account_id
        self._subscribed[account_id].remove(subscription)
        if not self._subscribed[account_id]:
            del self._subscribed[account_id], self._seen_entries[account_id]

    def _happened(self, event: Event) -> None:
        order = event.order
        if order.account_id not in self._subscribed:
            return
        report = execution_report(event, self._shared.symbols, cancel_id=self._shared.cancel_ids.get(order.order_id))
        if report is None:
            return
        assets = order.symbol.split("/")
        position = account_position(self._shared.exchange.engine, order.account_id, assets, event.time_ns)
        self._tell_soon(order.account_id, [report, position])

    def _money_moved(self, account_id: str) -> None:
        if account_id not in self._subscribed:
            return
        engine, reports = self._shared.exchange.engine, list[Report]()
        for entry in engine.ledger_since(account_id, self._seen_entries[account_id]):
            self._seen_entries[account_id] += 1
            if entry.kind is not LedgerKind.TRADE:
                position = account_position(engine, account_id, [entry.asset], entry.time_ns)
                reports += [balance_update(entry), position]
        self._tell_soon(account_id, reports)

    def _tell_soon(self, account_id: str, reports: Iterable[Report]) -> None:
        asyncio.get_running_loop().call_soon(self._tell, account_id, list(reports))

    def _tell(self, account_id: str, reports: list[Report]) -> None:
        """To whoever is still there."""
        for subscription in list(self._subscribed.get(account_id, ())):
            if self._shared.exchange.account_by_key(NAME, subscription.account.api_key) is None:
                self.end(subscription)  # Its key was replaced.
                continue
            updates = [(subscription.told(str(report["e"])), _wrapped(subscription, report)) for report in reports]
            self._send(subscription, updates)

    def _send(self, subscription: Subscription, updates: list[tuple[Told, bytes]]) -> None:
        self._pushes.send(subscription.session, updates)


def _wrapped(subscription: Subscription, report: Report) -> bytes:
    return json.dumps({"subscriptionId": subscription.number, "event": report}, separators=(",", ":")).encode()

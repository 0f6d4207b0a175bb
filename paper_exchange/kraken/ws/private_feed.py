"""Executions and balances of the accounts that are subscribed to, in the order in which they came about.

An update is sent a moment after the answer to the request that caused it, so that answers never wait for updates.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque

from paper_exchange.exchange import Exchange
from paper_exchange.kraken.naming import Names
from paper_exchange.kraken.ws import balances
from paper_exchange.kraken.ws.executions import Executions, Item
from paper_exchange.kraken.ws.numbers import encode
from paper_exchange.kraken.ws.session import Session, Subscription
from paper_exchange.orders import Event
from paper_exchange.sockets.pushes import Pushes

EXECUTIONS, BALANCES = "executions", "balances"
SNAPSHOT_TRADES = 50
TRANSITIONS = frozenset({"new", "filled", "canceled", "expired", "trade", "amended"})
"""What a subscription without ``order_status`` still sees."""
TURN = 100
"""Updates sent before requests that have come in meanwhile are looked at."""
MOST_TURNS_GIVEN_UP = 100
"""Updates let a crowd of requests pass, but not for ever."""
Leaving = dict[Session, list[tuple[Subscription, bytes]]]


class PrivateFeed:
    def __init__(self, exchange: Exchange, names: Names, pushes: Pushes) -> None:
        self._exchange = exchange
        self._executions = Executions(names)
        self._pushes = pushes
        self._subscribed: dict[str, defaultdict[str, list[Subscription]]] = {
            EXECUTIONS: defaultdict(list),
            BALANCES: defaultdict(list),
        }
        self._seen_entries: dict[str, int] = {}
        """Ledger entries of an account that are in snapshots or have been sent."""
        self._waiting: deque[tuple[str, Event | None]] = deque()
        self._scheduled = False
        self._requests = self._requests_before = self._turns_given_up = 0
        exchange.listeners.append(self._happened)
        exchange.money_listeners.append(self._money_moved)

    def add(self, subscription: Subscription) -> list[bytes]:
        """Take a subscription on; returns its snapshot, if it wants one."""
        self.send_waiting()
        assert subscription.account is not None
        account_id = subscription.account.account_id
        self._subscribed[subscription.channel][account_id].append(subscription)
        if subscription.channel == BALANCES:
            self._seen_entries.setdefault(account_id, len(self._exchange.engine.ledger(account_id)))
        items = self._snapshot(subscription, account_id)
        return [] if items is None else [_numbered(subscription, b"snapshot", encode(items)[1:-1])]

    def remove(self, subscription: Subscription) -> None:
        assert subscription.account is not None
        account_id = subscription.account.account_id
        subscribed = self._subscribed[subscription.channel]
        subscribed[account_id].remove(subscription)
        if not subscribed[account_id]:
            del subscribed[account_id]
            if subscription.channel == BALANCES:
                self._seen_entries.pop(account_id, None)

    def send_waiting(self) -> None:
        """Send all that has not been sent yet."""
        while self._waiting:
            self._send_next(len(self._waiting))

    def _snapshot(self, subscription: Subscription, account_id: str) -> list[Item] | None:
        engine, options = self._exchange.engine, subscription.options
        if subscription.channel == BALANCES:
            wanted = options.get("snapshot", True)
            return balances.snapshot(engine.balances(account_id), self._exchange.catalogue) if wanted else None
        if not options["snap_orders"] and not options["snap_trades"]:
            return None
        items: list[Item] = []
        if options["snap_orders"]:
            items += [self._executions.order(order) for order in engine.open_orders(account_id)]
        if options["snap_trades"]:
            trades = engine.trades(account_id)[-SNAPSHOT_TRADES:]
            items += [self._executions.past_trade(trade, engine.order(trade.order_id)) for trade in trades]
        return items

    def _happened(self, event: Event) -> None:
        account_id = event.order.account_id
        if any(account_id in subscribed for subscribed in self._subscribed.values()):
            self._wait(account_id, event)

    def _money_moved(self, account_id: str) -> None:
        if account_id in self._subscribed[BALANCES]:
            self._wait(account_id, None)

    def _wait(self, account_id: str, event: Event | None) -> None:
        self._waiting.append((account_id, event))
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def note_request(self) -> None:
        self._requests += 1

    def _take_turn(self) -> None:
        more_came, self._requests_before = self._requests != self._requests_before, self._requests
        if more_came and self._turns_given_up < MOST_TURNS_GIVEN_UP:
            self._turns_given_up += 1
        else:
            self._turns_given_up = 0
            self._send_next(TURN)
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _send_next(self, count: int) -> None:
        """Send what the next ``count`` events made, one write for each session."""
        leaving: Leaving = {}
        for _ in range(min(count, len(self._waiting))):
            account_id, event = self._waiting.popleft()
            if event is not None:
                self._add_executions(account_id, event, leaving)
            self._add_balances(account_id, leaving)
        for session, updates in leaving.items():
            self._pushes.send(session, updates)

    def _add_executions(self, account_id: str, event: Event, leaving: Leaving) -> None:
        subscribed = self._subscribed[EXECUTIONS].get(account_id)
        if subscribed is None:
            return
        for item in self._executions.items(event):
            encoded = encode(item)
            for subscription in subscribed:
                if subscription.options["order_status"] or item["exec_type"] in TRANSITIONS:
                    update = subscription, _numbered(subscription, b"update", encoded)
                    leaving.setdefault(subscription.session, []).append(update)

    def _add_balances(self, account_id: str, leaving: Leaving) -> None:
        subscribed = self._subscribed[BALANCES].get(account_id)
        if subscribed is None:
            return
        entries = self._exchange.engine.ledger_since(account_id, self._seen_entries[account_id])
        self._seen_entries[account_id] += len(entries)
        for entry in entries:
            encoded = encode(balances.change(entry, self._exchange.catalogue))
            for subscription in subscribed:
                update = subscription, _numbered(subscription, b"update", encoded)
                leaving.setdefault(subscription.session, []).append(update)


def _numbered(subscription: Subscription, kind: bytes, items: bytes) -> bytes:
    """A message of a subscription; its snapshot has number 1, each update one more than the message before."""
    subscription.sequence += 1
    return b'{"channel":"%b","type":"%b","data":[%b],"sequence":%d}' % (
        subscription.channel.encode(),
        kind,
        items,
        subscription.sequence,
    )

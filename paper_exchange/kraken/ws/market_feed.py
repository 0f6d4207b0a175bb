"""The market channels: subscriptions, one answer for each symbol, and updates once a second."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from paper_exchange.exchange import Exchange
from paper_exchange.kraken.envelope import KrakenError
from paper_exchange.kraken.naming import Names
from paper_exchange.kraken.ws.answers import Answer
from paper_exchange.kraken.ws.book import BookTopic
from paper_exchange.kraken.ws.instruments import InstrumentTopic
from paper_exchange.kraken.ws.ohlc import OhlcTopic
from paper_exchange.kraken.ws.requests import Request, check_names, flag, items
from paper_exchange.kraken.ws.session import Session, Subscription
from paper_exchange.kraken.ws.subscribing import NOT_SUBSCRIBED, Sent
from paper_exchange.kraken.ws.ticker import TickerTopic
from paper_exchange.kraken.ws.topic import Topic, Venue
from paper_exchange.kraken.ws.trades import TradeTopic
from paper_exchange.sockets.pushes import Pushes

CHANNELS: dict[str, type[Topic]] = {
    topic.channel: topic for topic in (TickerTopic, TradeTopic, OhlcTopic, BookTopic, InstrumentTopic)
}
COMMON_NAMES = frozenset({"channel", "symbol", "snapshot", "token"})
TURN = 4
"""Topics looked at before requests that have come in meanwhile are."""
CHECKSUM = re.compile(rb'"checksum":([0-9]+)')
Key = tuple[str, str, tuple[tuple[str, Any], ...]]


class MarketFeed:
    def __init__(self, exchange: Exchange, names: Names, pushes: Pushes) -> None:
        self._venue = Venue(exchange, names)
        self._pushes = pushes
        self._topics: dict[Key, tuple[Topic, list[Subscription]]] = {}

    def subscribe(self, session: Session, request: Request) -> Sent:
        """Answers, one for each symbol, then the snapshots. Raises KrakenError for what concerns all symbols."""
        params = request.params
        kind = CHANNELS[params["channel"]]
        check_names(params, COMMON_NAMES | kind.names, request.method)
        options = kind.read(params)
        wants_snapshot = flag(params, "snapshot", default=kind.snapshot_by_default)
        answers: Sent = []
        snapshots: Sent = []
        self._venue.exchange.advance()
        for symbol in _symbols(params, kind):
            try:
                topic = self._join(session, kind, symbol, options)
            except KrakenError as problem:
                answers.append(Answer(error=problem.text, more=_named(symbol)))
                continue
            shown = {"channel": kind.channel, **_named(symbol), **options, "snapshot": wants_snapshot}
            answers.append(Answer(shown))
            if wants_snapshot:
                snapshots.append(topic.snapshot())
        return answers + snapshots

    def unsubscribe(self, session: Session, request: Request) -> Sent:
        params = request.params
        kind = CHANNELS[params["channel"]]
        check_names(params, COMMON_NAMES | kind.names, request.method)
        return [self._leave(session, kind, symbol) for symbol in _symbols(params, kind)]

    def remove(self, subscription: Subscription) -> None:
        key = _key(subscription.channel, subscription.symbol or "", subscription.options)
        _, subscribed = self._topics[key]
        subscribed.remove(subscription)
        if not subscribed:
            del self._topics[key]

    async def tick(self) -> None:
        """Send what has changed since the last time."""
        if not self._topics:
            return
        now_ns = self._venue.exchange.advance()
        for number, (topic, subscribed) in enumerate(list(self._topics.values())):
            if number % TURN == TURN - 1:
                await asyncio.sleep(0)
                now_ns = self._venue.exchange.advance()
            payload = topic.update(now_ns)
            if payload is not None:
                for subscription in list(subscribed):
                    update = subscription, self._spoilt(subscription, payload)
                    self._pushes.send(subscription.session, [update])

    def _join(self, session: Session, kind: type[Topic], symbol: str, options: Mapping[str, Any]) -> Topic:
        if symbol and symbol not in self._venue.names.pairs:
            raise KrakenError(f"Currency pair not supported {symbol}")
        subscription = Subscription(session, kind.channel, symbol or None, options=options)
        known = session.subscriptions.get(subscription.key)
        if known is not None:
            other = kind is OhlcTopic and known.options != options
            raise KrakenError(f"Already subscribed{' to one ohlc interval on this symbol' if other else ''}")
        key = _key(kind.channel, symbol, options)
        if key not in self._topics:
            self._topics[key] = kind(self._venue, symbol, options), []
        topic, subscribed = self._topics[key]
        session.subscriptions[subscription.key] = subscription
        subscribed.append(subscription)
        return topic

    def _leave(self, session: Session, kind: type[Topic], symbol: str) -> Answer:
        subscription = session.subscriptions.pop((kind.channel, symbol or None), None)
        if subscription is None:
            return Answer(error=NOT_SUBSCRIBED, more=_named(symbol))
        self.remove(subscription)
        return Answer({"channel": kind.channel, **_named(symbol), **subscription.options})

    def _spoilt(self, subscription: Subscription, payload: bytes) -> bytes:
        if subscription.channel != "book" or not self._pushes.spoils_checksum(subscription.session, "book"):
            return payload
        return CHECKSUM.sub(lambda found: b'"checksum":%d' % (int(found[1]) ^ 1), payload)


def _symbols(params: Mapping[str, Any], kind: type[Topic]) -> list[str]:
    """The symbols asked for; a single "" for a channel that has none."""
    if kind is InstrumentTopic:
        return [""]
    symbols = items(params, "symbol")
    if not symbols or not all(isinstance(symbol, str) and symbol for symbol in symbols):
        raise KrakenError("Symbol(s) not found")
    return symbols


def _named(symbol: str) -> dict[str, object]:
    return {"symbol": symbol} if symbol else {}


def _key(channel: str, symbol: str, options: Mapping[str, Any]) -> Key:
    return channel, symbol, tuple(sorted(options.items()))

"""Conditional closes: each fill of an order that carries one places an opposite order of the filled size."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from paper_exchange.catalogue import Listing
from paper_exchange.exchange import Exchange
from paper_exchange.kraken.envelope import KrakenError, invalid_argument
from paper_exchange.kraken.form import Params
from paper_exchange.kraken.price_text import PriceText
from paper_exchange.orders import LIMIT_KINDS, TRIGGERED_KINDS, Event, Filled, NewOrder, OrderKind, Refusal, Side

STATE_NAME = "kraken_conditional_closes"


@dataclass(frozen=True, slots=True)
class CloseTerms:
    """What to place after a fill; prices as given, so that relative ones refer to the price of the fill."""

    kind: str
    price: str
    price2: str | None

    @classmethod
    def read(cls, params: Params, listing: Listing, side: Side) -> CloseTerms | None:
        """The ``close[…]`` fields of an order on ``side``; None without any. Raises KrakenError."""
        close = params.nested("close")
        if close is None or close.text("ordertype") is None:
            return None
        try:
            kind = OrderKind(close.text("ordertype") or "")
        except ValueError:
            raise invalid_argument("close[ordertype]") from None
        if kind is OrderKind.MARKET:
            raise invalid_argument("close[ordertype]")
        price2 = close.text("price2") if kind in TRIGGERED_KINDS and kind in LIMIT_KINDS else None
        terms = cls(kind.value, close.text("price") or "", price2)
        terms.prices(listing, side.opposite, listing.reference_price)
        return terms

    def prices(self, listing: Listing, side: Side, filled_at: Decimal) -> tuple[Decimal, Decimal | None]:
        """First and second price for an order on ``side`` after a fill at ``filled_at``. Raises KrakenError."""
        first = PriceText.read(self.price, "close[price]").resolve(listing, side, filled_at)
        kind = OrderKind(self.kind)
        if kind not in TRIGGERED_KINDS or kind not in LIMIT_KINDS:
            return first, None
        return first, PriceText.read(self.price2 or "", "close[price2]").resolve(listing, side, first)

    def describe(self) -> str:
        """As in ``close position @ stop loss 27000.0 -> limit 26000.0``."""
        words = self.kind.removesuffix("-limit").replace("-", " ")
        text = f"close position @ {words} {self.price}"
        return f"{text} -> limit {self.price2}" if self.price2 is not None else text


class ConditionalCloses:
    """The terms of orders that are still open, kept over a restart."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        saved: Mapping[str, Mapping[str, Any]] = exchange.saved_parts.get(STATE_NAME, {})
        self._terms = {order_id: CloseTerms(**terms) for order_id, terms in saved.items()}
        exchange.parts[STATE_NAME] = self.snapshot
        exchange.listeners.append(self.react)

    def attach(self, order_id: str, terms: CloseTerms) -> None:
        self._terms[order_id] = terms

    def has(self, order_id: str) -> bool:
        return order_id in self._terms

    def describe(self, order_id: str) -> str:
        terms = self._terms.get(order_id)
        return terms.describe() if terms is not None else ""

    def react(self, event: Event) -> None:
        """Place the opposite order for a fill; forget the terms once the order has ended."""
        terms = self._terms.get(event.order.order_id)
        if terms is None:
            return
        if isinstance(event, Filled):
            self._close(event, terms)
        if not event.order.is_live:
            del self._terms[event.order.order_id]

    def snapshot(self) -> dict[str, dict[str, Any]]:
        return {order_id: asdict(terms) for order_id, terms in self._terms.items()}

    def _close(self, event: Filled, terms: CloseTerms) -> None:
        listing = self._exchange.catalogue.listing(event.order.symbol)
        side, kind = event.order.side.opposite, OrderKind(terms.kind)
        # Kraken says nothing either when the closing order can't be placed.
        with suppress(Refusal, KrakenError):
            first, second = terms.prices(listing, side, event.trade.price)
            closing = NewOrder(
                account_id=event.order.account_id,
                symbol=event.order.symbol,
                side=side,
                kind=kind,
                quantity=event.trade.quantity,
                limit_price=second if kind in TRIGGERED_KINDS else first,
                trigger_price=first if kind in TRIGGERED_KINDS else None,
            )
            self._exchange.engine.place(closing, event.time_ns)

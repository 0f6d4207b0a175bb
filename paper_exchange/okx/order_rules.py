"""What OKX checks of an order beside the instrument's steps: a band of prices, and how large an order may be."""

from __future__ import annotations

from decimal import Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.okx.instruments import LARGEST_LIMIT_USD, LARGEST_MARKET_USD
from paper_exchange.okx.query import amount
from paper_exchange.okx.replies import OrderRefused
from paper_exchange.orders import NewOrder, OrderKind, Side

PRICE_BAND = Decimal("0.2")
"""How far a limit may be on the far side of the last price. OKX's own bands are narrower and differ by instrument."""


def price_limits(listing: Listing, last: Decimal) -> tuple[Decimal, Decimal]:
    """The highest price of a buy and the lowest of a sell."""
    tick = listing.tick_size
    highest, lowest = last * (1 + PRICE_BAND), last * (1 - PRICE_BAND)
    return highest // tick * tick, max(tick, -(-lowest // tick) * tick)


def check_price_band(new: NewOrder, listing: Listing, last: Decimal) -> None:
    """Raises OrderRefused (51006) for a limit far beyond the market."""
    if new.limit_price is None or new.trigger_price is not None:
        return
    highest, lowest = price_limits(listing, last)
    if new.limit_price > highest if new.side is Side.BUY else new.limit_price < lowest:
        band = f"(max buy price: {amount(highest)}, min sell price: {amount(lowest)})"
        raise OrderRefused("51006", f"Order price is not within the price limit {band}")


def size_problem(new: NewOrder, last: Decimal, usd_per_quote: Decimal) -> OrderRefused | None:
    """What to say of an order worth more than OKX takes at once; None if it is not."""
    notional = new.quote_amount if new.quote_amount is not None else (new.quantity or Decimal(0)) * last
    usd = notional * usd_per_quote
    if new.kind is OrderKind.MARKET and usd > LARGEST_MARKET_USD:
        code = "51201" if new.quote_amount is not None else "51202"
        return OrderRefused(code, f"Value of per market order cannot exceed {amount(LARGEST_MARKET_USD)} USDT")
    if new.kind is not OrderKind.MARKET and usd > LARGEST_LIMIT_USD:
        return OrderRefused("51203", f"Order amount exceeds the limit {amount(LARGEST_LIMIT_USD)}")
    return None

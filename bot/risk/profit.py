"""What trades have made. Pure: fills in the order of their booking, lots at their average price, a sale at its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

from bot.domain.order import Side
from bot.domain.quote import Quote
from bot.domain.symbol import base_of, quote_of
from bot.storage.risk_marks import BookedFill, Lot

NOTHING = Lot(Decimal(0), Decimal(0))
NO_QUOTES: Mapping[str, Quote] = MappingProxyType({})


class NoPrice(Exception):
    """Something that is held, or a fee that was paid, cannot be put into the quote currency; the message says what.

    `symbol` is the market whose price is missing.
    """

    def __init__(self, message: str, *, symbol: str) -> None:
        super().__init__(message)
        self.symbol = symbol


@dataclass(frozen=True)
class Tally:
    """`realised` is what sales made over the average price of their lots, less all fees (quote units)."""

    realised: Decimal
    lots: Mapping[str, Lot]


def after_fills(
    tally: Tally, fills: Iterable[BookedFill], *, currency: str, quotes: Mapping[str, Quote] = NO_QUOTES
) -> Tally:
    """The tally with these fills. Raises `NoPrice`.

    A sale of what is no lot makes no profit: nobody knows what it had cost. Markets that are not paid in `currency` are
    left out, and so are a user's own trades. A fee in a third currency (Binance's BNB) costs what `quotes` ask for it.
    """
    for fill in fills:
        if fill.ours and quote_of(fill.symbol) == currency:
            tally = _after(tally, fill, quotes)
    return tally


def _after(tally: Tally, fill: BookedFill, quotes: Mapping[str, Quote]) -> Tally:
    lot = tally.lots.get(fill.symbol, NOTHING)
    if fill.side == str(Side.BUY):
        made, lot = Decimal(0), _bought(lot, fill)
    else:
        sold = min(fill.quantity, lot.quantity)
        made, lot = sold * (fill.price - lot.price), replace(lot, quantity=lot.quantity - sold)
    return Tally(tally.realised + made - _fee_quote(fill, quotes), {**tally.lots, fill.symbol: lot})


def _bought(lot: Lot, fill: BookedFill) -> Lot:
    """A fee taken in the base asset makes the lot smaller and leaves its price."""
    added = fill.quantity - (fill.fee if fill.fee_currency == base_of(fill.symbol) else Decimal(0))
    quantity = lot.quantity + added
    if quantity <= 0:
        return NOTHING
    return Lot(quantity, (lot.quantity * lot.price + added * fill.price) / quantity)


def _fee_quote(fill: BookedFill, quotes: Mapping[str, Quote]) -> Decimal:
    if fill.fee_currency == quote_of(fill.symbol) or fill.fee == 0:
        return fill.fee
    if fill.fee_currency == base_of(fill.symbol):
        return fill.fee * fill.price
    symbol = f"{fill.fee_currency}/{quote_of(fill.symbol)}"
    quote = quotes.get(symbol)
    if quote is None:
        raise NoPrice(f"a fee of {fill.fee:f} {fill.fee_currency} has no price", symbol=symbol)
    return fill.fee * quote.ask


def unrealised(lots: Mapping[str, Lot], quotes: Mapping[str, Quote], *, currency: str) -> Decimal:
    """What the lots would make over their price if they were sold at the bid. Raises `NoPrice`."""
    return sum((lot.quantity * (_bid(symbol, quotes) - lot.price) for symbol, lot in _ours(lots, currency)), Decimal(0))


def worth(lots: Mapping[str, Lot], quotes: Mapping[str, Quote], *, currency: str) -> Decimal:
    """What the lots would bring at the bid, in quote units. Raises `NoPrice`."""
    return sum((lot.quantity * _bid(symbol, quotes) for symbol, lot in _ours(lots, currency)), Decimal(0))


def _ours(lots: Mapping[str, Lot], currency: str) -> list[tuple[str, Lot]]:
    return [(symbol, lot) for symbol, lot in lots.items() if lot.quantity > 0 and quote_of(symbol) == currency]


def _bid(symbol: str, quotes: Mapping[str, Quote]) -> Decimal:
    quote = quotes.get(symbol)
    if quote is None:
        raise NoPrice(f"{symbol} has no price", symbol=symbol)
    return quote.bid

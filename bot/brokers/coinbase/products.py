"""Coinbase's markets: `BTC-USD` there, `BTC/USD` inside."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from bot.brokers.replies import as_object, flag_of, number_of, optional_number, text_of
from bot.domain.errors import UnreadableReply
from bot.domain.instrument import Instrument

CLOSED_FLAGS = (
    "is_disabled",
    "trading_disabled",
    "cancel_only",
    "limit_only",
    "post_only",
    "auction_mode",
    "view_only",
)


def symbol_of(product_id: str) -> str:
    """`BTC-USD` → `BTC/USD`."""
    return product_id.replace("-", "/", 1)


def product_id_of(symbol: str) -> str:
    """`BTC/USD` → `BTC-USD`."""
    return symbol.replace("/", "-", 1)


def instruments_from(products: Iterable[object]) -> Mapping[str, Instrument]:
    """Markets by symbol; one that can't be read is left out. Raises `UnreadableReply` if none is left."""
    found: dict[str, Instrument] = {}
    for product in products:
        try:
            instrument = _instrument(product)
        except (UnreadableReply, ValueError):
            continue
        found[instrument.symbol] = instrument
    if not found:
        raise UnreadableReply("Coinbase: no market could be read")
    return MappingProxyType(found)


def _instrument(product: object) -> Instrument:
    fields = as_object(product, where="Coinbase product")
    product_id = text_of(fields, "product_id", where="Coinbase product")
    where = f"Coinbase product {product_id}"
    closed = any(flag_of(fields, name, default=False, where=where) for name in CLOSED_FLAGS)
    tick = "price_increment" if fields.get("price_increment") else "quote_increment"
    return Instrument(
        symbol=symbol_of(product_id),
        venue_symbol=product_id,
        lot_step=number_of(fields, "base_increment", where=where),
        tick_size=number_of(fields, tick, where=where),
        minimum_quantity=number_of(fields, "base_min_size", where=where),
        # The venue has no minimum notional of its own; its smallest quote size is what comes closest.
        minimum_notional=optional_number(fields, "quote_min_size", where=where),
        tradable=not closed and fields.get("status", "online") == "online",
    )

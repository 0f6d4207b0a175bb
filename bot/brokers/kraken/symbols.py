"""Kraken's names and ours. Everything comes from the venue's own lists of assets and pairs.

Inside the bot a market is `BTC/USD`. Kraken calls it `XXBTZUSD` (id), `XBTUSD` (altname, in order descriptions) and
`XBT/USD` (wsname, WebSocket v1); WebSocket v2 uses our spelling.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.replies import as_object, field_of, number_of, optional_number, text_of
from bot.domain.errors import UnreadableReply
from bot.domain.instrument import Instrument

OUR_ASSET_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
MAX_DECIMALS = 20
# The one status of a market in which every kind of order is taken.
TRADABLE_STATUS = "online"


@dataclass(frozen=True)
class KrakenPair:
    """One market under each of its names."""

    symbol: str
    rest_id: str
    altname: str
    wsname: str
    instrument: Instrument


@dataclass(frozen=True)
class KrakenCatalogue:
    """All markets and assets of the venue, immutable and shared. `unreadable` says which were left out and why."""

    pairs: Mapping[str, KrakenPair]
    symbols: Mapping[str, str]  # any of Kraken's names of a market → our symbol
    assets: Mapping[str, str]  # Kraken's asset id → our name
    instruments: Mapping[str, Instrument]
    unreadable: Mapping[str, str]

    def pair(self, symbol: str) -> KrakenPair | None:
        return self.pairs.get(symbol)

    def symbol_of(self, venue_name: str) -> str:
        """Our symbol for any name of Kraken's; a market that is no longer listed keeps the name it came with."""
        return self.symbols.get(venue_name, venue_name)

    def asset_of(self, venue_asset: str) -> str:
        """`XXBT` → `BTC`, `ZUSD` → `USD`; `XBT.F` → `BTC.F`, because such balances cannot be spent as they are."""
        known = self.assets.get(venue_asset)
        if known is not None:
            return known
        base, dot, suffix = venue_asset.partition(".")
        return f"{self.assets.get(base, _plain_asset(base))}{dot}{suffix}"

    def with_statuses(self, statuses: Mapping[str, str]) -> "KrakenCatalogue":
        """The same markets with the venue's newer word on some of them; itself when nothing differs."""
        changed = {
            symbol: replace(
                pair, instrument=replace(pair.instrument, status=status, tradable=status == TRADABLE_STATUS)
            )
            for symbol, status in statuses.items()
            if (pair := self.pairs.get(symbol)) is not None and pair.instrument.status != status
        }
        if not changed:
            return self
        instruments = {symbol: pair.instrument for symbol, pair in changed.items()}
        return replace(
            self,
            pairs=MappingProxyType({**self.pairs, **changed}),
            instruments=MappingProxyType({**self.instruments, **instruments}),
        )


def catalogue_from(assets: Mapping[str, object], pairs: Mapping[str, object]) -> KrakenCatalogue:
    """Build the catalogue from the results of `Assets` and `AssetPairs`.

    A market that can't be read is left out and named in `unreadable`; raises `UnreadableReply` if none is left.
    """
    names = {asset: _asset_name(asset, entry) for asset, entry in assets.items()}
    found: dict[str, KrakenPair] = {}
    unreadable: dict[str, str] = {}
    for rest_id, entry in pairs.items():
        try:
            pair = _pair(rest_id, as_object(entry, where=f"Kraken pair {rest_id}"), names)
        except (UnreadableReply, ValueError) as error:
            unreadable[rest_id] = str(error)
            continue
        if pair.symbol in found:
            unreadable[rest_id] = f"{pair.symbol} is also {found[pair.symbol].rest_id}"
        else:
            found[pair.symbol] = pair
    if not found:
        raise UnreadableReply(f"Kraken: no market could be read ({len(unreadable)} were listed)")
    return KrakenCatalogue(
        pairs=MappingProxyType(found),
        symbols=MappingProxyType(_every_name(found)),
        assets=MappingProxyType(names),
        instruments=MappingProxyType({symbol: pair.instrument for symbol, pair in found.items()}),
        unreadable=MappingProxyType(unreadable),
    )


def _every_name(pairs: Mapping[str, KrakenPair]) -> dict[str, str]:
    names: dict[str, str] = {}
    # Ids last: should one market's id be another's altname, the id is the stricter name.
    for field in ("symbol", "wsname", "altname", "rest_id"):
        names.update({getattr(pair, field): symbol for symbol, pair in pairs.items()})
    return names


def _pair(rest_id: str, entry: Mapping[str, object], names: Mapping[str, str]) -> KrakenPair:
    where = f"Kraken pair {rest_id}"
    altname = text_of(entry, "altname", where=where)
    base, quote = text_of(entry, "base", where=where), text_of(entry, "quote", where=where)
    wsname = entry.get("wsname")
    symbol = f"{names.get(base, _plain_asset(base))}/{names.get(quote, _plain_asset(quote))}"
    return KrakenPair(
        symbol=symbol,
        rest_id=rest_id,
        altname=altname,
        wsname=wsname if isinstance(wsname, str) and wsname else symbol,
        instrument=_instrument(symbol, rest_id, entry, where),
    )


def _instrument(symbol: str, rest_id: str, entry: Mapping[str, object], where: str) -> Instrument:
    price_step = _step(entry, "pair_decimals", where)
    status = entry.get("status", TRADABLE_STATUS)
    return Instrument(
        symbol=symbol,
        venue_symbol=rest_id,
        lot_step=_step(entry, "lot_decimals", where),
        tick_size=optional_number(entry, "tick_size", where=where, default=price_step),
        minimum_quantity=number_of(entry, "ordermin", where=where),
        minimum_notional=optional_number(entry, "costmin", where=where),
        tradable=status == TRADABLE_STATUS,
        status=str(status),
    )


def _step(entry: Mapping[str, object], name: str, where: str) -> Decimal:
    decimals = field_of(entry, name, where=where)
    if not isinstance(decimals, int) or isinstance(decimals, bool) or not 0 <= decimals <= MAX_DECIMALS:
        raise UnreadableReply(f"{where}: {name} is not a number of decimals")
    return Decimal(1).scaleb(-decimals)


def _asset_name(asset: str, entry: object) -> str:
    fields = as_object(entry, where=f"Kraken asset {asset}")
    base, dot, suffix = text_of(fields, "altname", where=f"Kraken asset {asset}").partition(".")
    return f"{OUR_ASSET_NAMES.get(base, base)}{dot}{suffix}"


def _plain_asset(asset: str) -> str:
    """An asset the venue's list lacks: the old ids carry an X (crypto) or Z (fiat) in front of three letters."""
    bare = asset[1:] if len(asset) == 4 and asset[0] in "XZ" else asset
    return OUR_ASSET_NAMES.get(bare, bare)

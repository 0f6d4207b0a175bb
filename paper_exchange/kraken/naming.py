"""Kraken's names of assets and pairs.

Old assets have ids with an X or Z in front (``XXBT``, ``ZUSD``), newer ones are bare (``SOL``). Bitcoin and dogecoin go
by ``XBT`` and ``XDG``. A pair has a canonical id (``XXBTZUSD``), an altname (``XBTUSD``) and a wsname (``XBT/USD``).
"""

from __future__ import annotations

from dataclasses import dataclass

from paper_exchange.catalogue import Catalogue, Listing

ALTNAMES = {"BTC": "XBT", "DOGE": "XDG"}
LEGACY_CRYPTO = frozenset({"BTC", "DOGE", "ETC", "ETH", "LTC", "MLN", "REP", "XLM", "XMR", "XRP", "ZEC"})
LEGACY_FIAT = frozenset({"USD", "EUR", "GBP", "CAD", "JPY", "AUD"})
FIAT = LEGACY_FIAT | {"CHF"}
BARE_PAIRS = frozenset({"DOGE/USD", "DOGE/EUR"})
"""Pairs of two old assets that were listed late and have a bare id all the same (``XDGUSD``)."""
LONG_ID_QUOTES = frozenset({"USD", "EUR", "GBP", "CAD", "JPY", "BTC", "ETH"})
FIAT_COST_DECIMALS = 5


def altname(asset: str) -> str:
    return ALTNAMES.get(asset, asset)


def asset_id(asset: str) -> str:
    """The key of the asset in balances and ledgers."""
    if asset in LEGACY_CRYPTO:
        return f"X{altname(asset)}"
    return f"Z{asset}" if asset in LEGACY_FIAT else asset


@dataclass(frozen=True, slots=True)
class PairName:
    """The names of one pair; ``symbol`` is ours (``BTC/USD``)."""

    symbol: str
    pair_id: str
    altname: str
    wsname: str

    @classmethod
    def of(cls, listing: Listing) -> PairName:
        base, quote = listing.base, listing.quote
        short = altname(base) + altname(quote)
        old = base in LEGACY_CRYPTO and quote in LONG_ID_QUOTES and listing.symbol not in BARE_PAIRS
        pair_id = asset_id(base) + asset_id(quote) if old else short
        return cls(listing.symbol, pair_id, short, f"{altname(base)}/{altname(quote)}")


class Names:
    """Looks names up, both ways, for everything Kraken lists."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.pairs = {listing.symbol: PairName.of(listing) for listing in catalogue}
        self._symbols: dict[str, str] = {}
        for pair in self.pairs.values():
            for name in (pair.pair_id, pair.altname, pair.symbol):
                self._symbols.setdefault(name, pair.symbol)
        self._wsnames = {pair.wsname: pair.symbol for pair in self.pairs.values()}
        self._assets: dict[str, str] = {}
        for asset in catalogue.assets():
            for name in (asset_id(asset), altname(asset), asset):
                self._assets.setdefault(name, asset)

    def pair(self, text: str, *, strict: bool = False) -> PairName | None:
        """The pair called ``text``: id, altname or ``BTC/USD``; the older ``XBT/USD`` only if not ``strict``."""
        symbol = self._symbols.get(text.upper())
        if symbol is None and not strict:
            symbol = self._wsnames.get(text.upper())
        return self.pairs[symbol] if symbol is not None else None

    def asset(self, text: str) -> str | None:
        """Our name of the asset called ``text``: id, altname or our name."""
        return self._assets.get(text.upper())

    def listing(self, pair: PairName) -> Listing:
        return self._catalogue.listing(pair.symbol)

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue


def result_key(pair: PairName, asked: str) -> str:
    """The key of a pair in a public result: what was asked, if it had a slash, else the canonical id."""
    return asked if "/" in asked else pair.pair_id


def cost_decimals(listing: Listing) -> int:
    """Decimals of costs, fees and average prices of a pair: 5 for BTC/USD, more for cheaper coins."""
    least = FIAT_COST_DECIMALS if listing.quote in FIAT else listing.quote_decimals
    return max(least, listing.price_decimals + 2)

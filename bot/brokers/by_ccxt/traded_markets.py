"""In which markets an account may have traded. Binance lists trades market by market, and has too many to ask for all.

A trade moves two balances. So the markets to ask about are those between two assets whose balances have changed since
the last time, and those in which there are orders of ours; each for a while longer, for lists may lag. When nothing is
known yet, they are the markets of everything held against the account's currency, and those of which the books hold a
position: what was sold in whole meanwhile is held no more.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from bot.domain.balance import AssetBalance
from bot.domain.fill import Fill
from bot.domain.symbol import base_of, quote_of
from bot.seams.clock import Clock

# As long as the venue's lists of trades may lag behind its balances.
LINGER_SECONDS = 120.0


class TradedMarkets:
    """One account's; its own thread asks."""

    def __init__(self, clock: Clock, *, quote_currency: str) -> None:
        self._clock = clock
        self._quote_currency = quote_currency
        self._balances: Mapping[str, AssetBalance] | None = None
        self._until: dict[str, float] = {}
        # Of a reading that was broken off: balances at its beginning, and what was read, since when, until when good.
        self._begun: Mapping[str, AssetBalance] | None = None
        self._kept: dict[str, tuple[datetime, float, Sequence[Fill]]] = {}

    def touched(self, symbol: str) -> None:
        """There is, or may soon be, an order of ours in this market."""
        self._until[symbol] = self._clock.monotonic() + LINGER_SECONDS

    def expected(self, symbols: Collection[str]) -> None:
        """The books hold positions in these; once balances are known, it is their changes that tell."""
        if self._balances is None:
            for symbol in symbols:
                self.touched(symbol)

    def changed(self, balances: Mapping[str, AssetBalance], listed: Mapping[str, object]) -> None:
        """Take in what the account holds now; `listed` are the symbols of the venue."""
        if self._begun is None:
            self._begun = dict(balances)
        if self._balances is None:
            held = [asset for asset, balance in balances.items() if balance.total > 0]
            moved = [f"{asset}/{self._quote_currency}" for asset in held]
        else:
            assets = self._moved(self._balances, balances)
            moved = [symbol for symbol in listed if base_of(symbol) in assets and quote_of(symbol) in assets]
        for symbol in moved:
            if symbol in listed:
                self.touched(symbol)

    def to_ask(self) -> list[str]:
        """The markets in which there may be trades that were not read yet."""
        now = self._clock.monotonic()
        self._until = {symbol: until for symbol, until in self._until.items() if until > now}
        return sorted(self._until)

    def keep(self, symbol: str, fills: Sequence[Fill], *, since: datetime) -> None:
        """One market's trades were read: should the reading break off, the next one goes on from there."""
        self._kept[symbol] = (since, self._clock.monotonic() + LINGER_SECONDS, fills)

    def kept(self, symbol: str, *, since: datetime) -> Sequence[Fill] | None:
        """What an earlier, unfinished reading has of this market, if it reaches back far enough and is not old."""
        from_when, until, fills = self._kept.get(symbol, (since, 0.0, ()))
        return fills if from_when <= since and self._clock.monotonic() < until else None

    def finish(self) -> None:
        """The trades of all of them are read; the next change is one against the balances at the beginning."""
        self._balances, self._begun = self._begun, None
        self._kept.clear()

    def _moved(self, before: Mapping[str, AssetBalance], after: Mapping[str, AssetBalance]) -> set[str]:
        return {asset for asset in before.keys() | after.keys() if _total(before, asset) != _total(after, asset)}


def _total(balances: Mapping[str, AssetBalance], asset: str) -> object:
    balance = balances.get(asset)
    return 0 if balance is None else balance.total

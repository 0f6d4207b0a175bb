"""One market's order book as Kraken's book channel tells it, with the venue's own checksum as proof.

A book that fails the checksum is wrong, whatever the reason (a message was lost, doubled or swapped): nobody may see
it, and only a fresh snapshot mends it.
"""

import zlib
from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal

from bot.brokers.kraken.public_messages import BookItem, LevelItem, UnreadableMessage

# No real price or quantity has so many digits before its point; written out, a huge exponent would fill the memory.
MOST_DIGITS = 20
# The venue makes its checksum of so many levels of each side, whatever the depth.
CHECKED_LEVELS = 10


class _Side:
    """Prices of one side, the best first, in parallel lists: a change is one bisection and one insertion.

    `keys` are prices in ticks as whole numbers (negative for bids), whose order costs less than that of Decimals;
    `texts` is each level's part of the checksum, made once when the level changes.
    """

    def __init__(self, *, sign: int, price_decimals: int | None, quantity_decimals: int | None, depth: int) -> None:
        self._sign = sign
        self.keys: list[int] = []
        self.levels: list[LevelItem] = []
        self.texts: list[str] = []
        self._depth = depth
        self._price_format = _form(price_decimals)
        self._quantity_format = _form(quantity_decimals)

    def apply(self, changes: Sequence[LevelItem]) -> None:
        for level in changes:
            price = _digits(level.price, self._price_format)
            key = self._sign * int(price or "0")
            at = bisect_left(self.keys, key)
            known = at < len(self.keys) and self.keys[at] == key
            if not level.qty:
                if known:
                    del self.keys[at], self.levels[at], self.texts[at]
                continue
            text = price + _digits(level.qty, self._quantity_format)
            if known:
                self.levels[at], self.texts[at] = level, text
            else:
                self.keys.insert(at, key)
                self.levels.insert(at, level)
                self.texts.insert(at, text)
        # Only now: the venue sends no deletion for a level that another one pushed out of the depth.
        if len(self.keys) > self._depth:
            del self.keys[self._depth :], self.levels[self._depth :], self.texts[self._depth :]


def _form(decimals: int | None) -> str:
    return "f" if decimals is None else f".{decimals}f"


def _digits(number: Decimal, form: str) -> str:
    """As the checksum wants it: with the market's decimals, without point and leading zeros."""
    if number < 0 or number.adjusted() > MOST_DIGITS:
        raise UnreadableMessage(f"book: {number} is no price and no quantity")
    return format(number, form).replace(".", "", 1).lstrip("0")


class Book:
    """The best `depth` levels of each side. Not thread-safe: the loop that reads the socket owns it."""

    def __init__(
        self, symbol: str, *, price_decimals: int | None, quantity_decimals: int | None, depth: int = 10
    ) -> None:
        """Decimals that are not known (None) are those that the wire shows."""
        self.symbol = symbol
        self.depth = depth
        self._decimals = (price_decimals, quantity_decimals)
        self._asks, self._bids = self._side(1), self._side(-1)

    def _side(self, sign: int) -> _Side:
        price, quantity = self._decimals
        return _Side(sign=sign, price_decimals=price, quantity_decimals=quantity, depth=self.depth)

    def replace(self, item: BookItem) -> bool:
        """Take a snapshot; False = it contradicts its own checksum. Raises `UnreadableMessage`."""
        self._asks, self._bids = self._side(1), self._side(-1)
        return self.update(item)

    def update(self, item: BookItem) -> bool:
        """Take an update; False = the book is not the venue's any more. Raises `UnreadableMessage`."""
        self._asks.apply(item.asks)
        self._bids.apply(item.bids)
        return self.checksum() == item.checksum

    def checksum(self) -> int:
        """CRC-32 over the best ten asks, then the best ten bids (Kraken, "Book checksum")."""
        asks, bids = self._asks.texts[:CHECKED_LEVELS], self._bids.texts[:CHECKED_LEVELS]
        return zlib.crc32("".join(asks + bids).encode("ascii"))

    @property
    def asks(self) -> list[LevelItem]:
        """The lowest first."""
        return list(self._asks.levels)

    @property
    def bids(self) -> list[LevelItem]:
        """The highest first."""
        return list(self._bids.levels)

    def best(self) -> tuple[LevelItem, LevelItem] | None:
        """Best bid and ask; None when a side is empty or they cross, which is no price to act on."""
        bids, asks = self._bids.levels, self._asks.levels
        if not bids or not asks or not 0 < bids[0].price < asks[0].price:
            return None
        return bids[0], asks[0]

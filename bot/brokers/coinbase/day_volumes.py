"""What each of Coinbase's markets traded in 24 hours: the list of products tells it, the prices do not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from bot.brokers.coinbase.products import symbol_of
from bot.brokers.day_volume import told_volume
from bot.brokers.replies import as_object, text_of
from bot.domain.errors import UnreadableReply
from bot.seams.clock import Clock

# The list is three answers of half a megabyte, and a day's volume changes slowly.
READ_AGAIN_SECONDS = 300.0


class DayVolumes:
    """In quote by symbol, as last read. Used by the account's thread alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read_at = float("-inf")
        self._volumes: Mapping[str, Decimal] = {}

    def of(self, read: Callable[[], Sequence[object]]) -> Mapping[str, Decimal]:
        """A market that tells none is absent. Raises what `read` does, when the list is due."""
        now = self._clock.monotonic()
        if now - self._read_at >= READ_AGAIN_SECONDS:
            self._volumes, self._read_at = volumes_from(read()), now
        return self._volumes


def volumes_from(products: Iterable[object]) -> Mapping[str, Decimal]:
    """In quote by symbol: as the venue adds it up, or else the volume in base at the last price."""
    found: dict[str, Decimal] = {}
    for product in products:
        try:
            fields = as_object(product, where="Coinbase product")
            symbol = symbol_of(text_of(fields, "product_id", where="Coinbase product"))
        except UnreadableReply:
            continue  # as in the list of markets
        volume = _turnover(fields)
        if volume is not None:
            found[symbol] = volume
    return found


def _turnover(fields: Mapping[str, object]) -> Decimal | None:
    names = ("approximate_quote_24h_volume", "volume_24h", "price")
    told, base, price = (told_volume(fields, name, where="Coinbase product") for name in names)
    if told is not None:
        return told
    return None if base is None or price is None else base * price

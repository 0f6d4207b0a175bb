"""A venue's list of markets, by our symbol and by the venue's own name."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from bot.domain.errors import UnreadableReply
from bot.domain.instrument import Instrument


class Markets(Mapping[str, Instrument]):
    """Instruments by symbol (`BTC/USDT`). One object serves all accounts of a venue; it does not change."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._by_symbol = {one.symbol: one for one in instruments}
        self._by_wire_name = {one.venue_symbol: one for one in self._by_symbol.values()}

    def __getitem__(self, symbol: str) -> Instrument:
        return self._by_symbol[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_symbol)

    def __len__(self) -> int:
        return len(self._by_symbol)

    def named(self, wire_name: str) -> Instrument | None:
        """The market that the venue calls so (`BTCUSDT`)."""
        return self._by_wire_name.get(wire_name)


def markets_from(rows: Iterable[object], read: Callable[[object], Instrument], *, venue: str) -> Markets:
    """One market that can't be read is left out. Raises `UnreadableReply` if none is left."""
    found: list[Instrument] = []
    for row in rows:
        try:
            found.append(read(row))
        except (UnreadableReply, ValueError):
            continue
    if not found:
        raise UnreadableReply(f"{venue}: no market could be read")
    return Markets(found)

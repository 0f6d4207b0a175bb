"""How much of the market the bot sees now, read when somebody scrapes."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Gauge

# Name after `nija_market_`, and what it says. All are figures of the running process, which begin anew with it.
MARKET_FIGURES: Mapping[str, str] = {
    "tickers": "Markets whose ticker the feed follows",
    "books": "Books that their checksum has proved right",
    "focus": "Markets looked at closely",
    "movers": "Markets that move more than the others",
    "messages": "Messages of the feed applied so far",
    "book_mismatches": "Books that their checksum has proved wrong so far",
    "unreadable_messages": "Messages of the feed that could not be read so far",
    "skipped_writes": "Pieces not written so far because the store had other work",
}


class MarketFigures:
    """The series; they show nothing before `watch`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def watch(self, figures: Callable[[], Mapping[str, float]]) -> None:
        """`figures` gives the value of each name; it is asked in the thread of whoever scrapes, and must be quick."""
        for name, says in MARKET_FIGURES.items():
            gauge = Gauge(f"nija_market_{name}", says, registry=self._registry)
            gauge.set_function(lambda name=name: figures().get(name, 0.0))  # type: ignore[misc]

"""Kraken's public market data over WebSocket v2: one feed for all accounts of the process.

One socket carries what is looked at closely (book and trades of the markets in focus, the list of instruments, the
venue's own status), further ones the tickers of everything. Each is kept up by itself, and begins with snapshots.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from bot.brokers.connect_budget import Rank
from bot.brokers.feed_loop import pause
from bot.brokers.kraken.market_reader import Damage, Decimals, MarketReader
from bot.brokers.kraken.public_messages import UnreadableMessage, read_envelope
from bot.brokers.kraken.socket import KrakenSocket, SocketWire
from bot.brokers.kraken.subscriptions import Subscriptions
from bot.brokers.market_values import FeedState, MarketValues

log = logging.getLogger(__name__)

TICKERS_PER_SOCKET = 500
BOOK_DEPTH = 10
TURN_SECONDS = 0.25
# A book whose snapshot has not come so long after its confirmation is asked for again.
SNAPSHOT_SECONDS = 10.0
OPTIONS: Mapping[str, Mapping[str, object]] = {
    "book": {"depth": BOOK_DEPTH, "snapshot": True},
    "trade": {"snapshot": True},
    "ticker": {"snapshot": True},
    "instrument": {"snapshot": True},
}


class _Channel:
    """One socket with what it is to listen to. `on_damage` and the rest on the loop."""

    def __init__(
        self, wire: SocketWire, url: str, name: str, reader: MarketReader, on_lost: Callable[[], None]
    ) -> None:
        self.subscriptions = Subscriptions(wire.clock, options=OPTIONS)
        self._reader = reader
        self._on_lost = on_lost
        self._name = name
        self.socket = KrakenSocket(
            wire=wire,
            url=url,
            name=name,
            kind="market",
            rank=Rank.FIRST,
            on_up=self._up,
            on_text=self._take,
            on_down=self._down,
        )

    def turn(self) -> None:
        """Send what is due. What is not written is asked for again by the next connection, or as unanswered."""
        if not self.socket.is_up:
            return
        for frame in self.subscriptions.due():
            self.socket.send(frame.encode())

    def _up(self) -> None:
        self.subscriptions.connection_began()
        self.turn()

    def _down(self, _why: str) -> None:
        self._on_lost()

    def _take(self, text: bytes) -> None:
        try:
            message = read_envelope(text)
        except UnreadableMessage as error:
            self._reader.unreadable += 1
            log.debug("%s: %s", self._name, error)
            return
        if message.method:
            self.subscriptions.answered(message)
            return
        for damage in self._reader.take(message):
            self._begin_anew(damage)

    def _begin_anew(self, damage: Damage) -> None:
        self.subscriptions.damaged(damage.channel, damage.symbol)


class PublicFeed:
    """`open`, `listen`, `focus` and `close` from any thread; everything else happens on the loop."""

    def __init__(
        self,
        *,
        wire: SocketWire,
        url: str,
        values: MarketValues,
        decimals_of: Callable[[str], Decimals | None],
        on_statuses: Callable[[Mapping[str, str]], None],
        on_unheard: Callable[[], None],
        on_system: Callable[[str], None] = lambda _system: None,
        tickers_per_socket: int = TICKERS_PER_SOCKET,
    ) -> None:
        """`url` has the path. `on_unheard`: the instrument channel is down, what it said is not kept up any more."""
        self._wire = wire
        self._url = url
        self._values = values
        self._on_unheard = on_unheard
        self._per_socket = tickers_per_socket
        self._reader = MarketReader(
            values,
            clock=wire.clock,
            decimals_of=decimals_of,
            on_statuses=on_statuses,
            on_system=on_system,
            depth=BOOK_DEPTH,
        )
        self._close_up = _Channel(wire, url, "Kraken market data", self._reader, self._focus_lost)
        self._tickers: list[_Channel] = []
        self._buckets: list[set[str]] = []
        self._focused: frozenset[str] = frozenset()
        self._listed: frozenset[str] = frozenset()
        self._kept: object | None = None
        self._closed = False

    # -- any thread ---------------------------------------------------------------------------------------------------
    def open(self) -> None:
        self._close_up.subscriptions.want("instrument")
        self._close_up.socket.open()
        self._kept = self._wire.feed.keep(self._turns)

    def close(self) -> None:
        """Nothing is received any more."""
        self._closed = True
        if self._kept is not None:
            self._wire.feed.let_go(self._kept)
        for channel in [self._close_up, *self._tickers]:
            channel.socket.close()

    def listen(self, symbols: Iterable[str]) -> None:
        """The tickers of exactly these markets from now on."""
        wanted = frozenset(symbols)
        self._wire.feed.call(lambda: self._listen(wanted))

    def focus(self, symbols: Iterable[str]) -> None:
        """Book and trades of exactly these markets from now on."""
        wanted = frozenset(symbols)
        self._wire.feed.call(lambda: self._focus(wanted))

    def state(self) -> FeedState:
        channels = [self._close_up, *self._tickers]
        return FeedState(
            sockets_up=sum(channel.socket.is_heard for channel in channels),
            sockets=len(channels),
            tickers=sum(channel.subscriptions.count("ticker") for channel in channels[1:]),
            books=sum(self._reader.has_book(symbol) for symbol in self._focused),
            books_wanted=len(self._focused),
            mismatches=self._reader.mismatches,
            unreadable=self._reader.unreadable,
            messages=self._values.messages,
        )

    # -- on the loop --------------------------------------------------------------------------------------------------
    def _listen(self, wanted: frozenset[str]) -> None:
        if self._closed or wanted == self._listed:
            return
        for symbol in self._listed - wanted:
            self._values.forget(symbol)
        self._listed = wanted
        _fill(self._buckets, wanted, self._per_socket)
        while len(self._tickers) < len(self._buckets):
            name = f"Kraken tickers {len(self._tickers) + 1}"
            self._tickers.append(_Channel(self._wire, self._url, name, self._reader, lambda: None))
        for channel, bucket in zip(self._tickers, self._buckets, strict=True):
            channel.subscriptions.want("ticker", sorted(bucket))
            if bucket:
                channel.socket.open()
                channel.turn()

    def _focus(self, wanted: frozenset[str]) -> None:
        if self._closed or wanted == self._focused:
            return
        for symbol in self._focused - wanted:
            self._reader.drop_book(symbol)
            self._values.forget_focus(symbol)
        self._focused = wanted
        for channel in ("book", "trade"):
            self._close_up.subscriptions.want(channel, sorted(wanted))
        self._close_up.turn()

    def _focus_lost(self) -> None:
        self._reader.drop_books()
        self._on_unheard()

    async def _turns(self) -> None:
        while not self._closed:
            self._look_for_missing_books()
            for channel in [self._close_up, *self._tickers]:
                channel.turn()
            await pause(TURN_SECONDS)

    def _look_for_missing_books(self) -> None:
        subscriptions = self._close_up.subscriptions
        for symbol in self._focused:
            if not self._reader.has_book(symbol):
                confirmed_for = subscriptions.live_for("book", symbol)
                if confirmed_for is not None and confirmed_for > SNAPSHOT_SECONDS:
                    subscriptions.damaged("book", symbol)


def _fill(buckets: list[set[str]], wanted: frozenset[str], size: int) -> None:
    """Spread the symbols; those that have a place keep it, so that nothing is subscribed anew for nothing."""
    for bucket in buckets:
        bucket &= wanted
    placed: set[str] = set().union(*buckets)
    new: Sequence[str] = sorted(wanted - placed)
    at = 0
    for bucket in buckets:
        room = max(0, size - len(bucket))
        bucket |= set(new[at : at + room])
        at += room
    while at < len(new):
        buckets.append(set(new[at : at + size]))
        at += size

"""Public candles of a venue, page by page, as each venue gives them. Needs no key; sends nothing of anybody's."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import requests

from bot.domain.quote import Candle
from bot.domain.symbol import base_of, quote_of

TIMEOUT_SECONDS = 20.0
_MOST_PAGES = 20_000
_OKX_BARS = {1: "1m", 5: "5m", 15: "15m", 30: "30m", 60: "1H", 240: "4H", 1440: "1Dutc"}
_BINANCE_BARS = {1: "1m", 5: "5m", 15: "15m", 30: "30m", 60: "1h", 240: "4h", 1440: "1d"}
_COINBASE_BARS = {
    1: "ONE_MINUTE",
    5: "FIVE_MINUTE",
    15: "FIFTEEN_MINUTE",
    30: "THIRTY_MINUTE",
    60: "ONE_HOUR",
    1440: "ONE_DAY",
}
_ALPACA_BARS = {1: "1Min", 5: "5Min", 15: "15Min", 30: "30Min", 60: "1Hour", 240: "4Hour", 1440: "1Day"}


class CannotFetch(Exception):
    """The venue could not be reached, or said no; the text is a sentence for a person."""


@dataclass(frozen=True)
class Wanted:
    """Candles of one market that opened in [begin, end), both in seconds since 1970."""

    symbol: str
    interval_minutes: int
    begin: int
    end: int

    @property
    def seconds(self) -> int:
        return self.interval_minutes * 60


Fields = dict[str, str | int]
Row = tuple[int, Any, Any, Any, Any, Any]
Pages = Callable[["_Asker", Wanted], Iterator[Row]]


def fetch(venue: str, wanted: Wanted, *, url: str | None = None, now: datetime) -> list[Candle]:
    """Closed candles, oldest first. `url` stands in for the venue's own address. Raises `CannotFetch`."""
    address, bars, pages = _VENUES[venue]
    if wanted.interval_minutes not in bars:
        known = ", ".join(str(minutes) for minutes in bars)
        raise CannotFetch(f"{venue} has candles of {known} minutes, not of {wanted.interval_minutes}")
    asker = _Asker(venue, (url or address).rstrip("/"))
    last = min(wanted.end, int(now.timestamp()) - wanted.seconds + 1)
    rows = {row[0]: row for row in pages(asker, wanted) if wanted.begin <= row[0] < last}
    try:
        return [_candle(rows[opened_at]) for opened_at in sorted(rows)]
    except (InvalidOperation, ValueError, TypeError) as error:
        raise CannotFetch(f"{venue} gave a candle that is none: {error}") from error


def _candle(row: Row) -> Candle:
    opened_at, *numbers = row
    opened, high, low, close, volume = (Decimal(str(number)) for number in numbers)
    return Candle(datetime.fromtimestamp(opened_at, UTC), opened, high, low, close, volume)


def _row(row: Any) -> Row:
    """Milliseconds first, as OKX and Binance write it."""
    return int(row[0]) // 1000, row[1], row[2], row[3], row[4], row[5]


# What it calls some coins in the names of its markets.
_KRAKEN_NAMES = {"BTC": "XBT", "DOGE": "XDG"}


class _Asker:
    """One page after another of one venue."""

    def __init__(self, venue: str, address: str) -> None:
        self._venue = venue
        self._address = address
        self._pages = 0

    def get(self, path: str, fields: Fields) -> Any:
        """The reply as JSON. Raises `CannotFetch`."""
        self._pages += 1
        if self._pages > _MOST_PAGES:
            raise CannotFetch(f"{self._venue} has more than {_MOST_PAGES} pages of it; ask for fewer days")
        try:
            reply = requests.get(self._address + path, params=fields, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise CannotFetch(
                f"{self._venue} cannot be reached at {self._address} ({type(error).__name__}): is there a network? "
                "Without one: python bot.py data generate"
            ) from error
        if reply.status_code != 200:
            raise CannotFetch(f"{self._venue} answered {reply.status_code}: {reply.text[:200]}")
        try:
            return reply.json()
        except ValueError as error:
            raise CannotFetch(f"{self._venue} answered no JSON: {reply.text[:100]!r}") from error

    def wrong(self, answer: object) -> CannotFetch:
        return CannotFetch(f"{self._venue} answered {str(answer)[:200]}")


def _kraken(asker: _Asker, wanted: Wanted) -> Iterator[Row]:
    """The newest 720 candles, whatever is asked for: Kraken has no older ones for the public."""
    base, _, quote = wanted.symbol.partition("/")
    pair = _KRAKEN_NAMES.get(base, base) + _KRAKEN_NAMES.get(quote, quote)
    fields: Fields = {"pair": pair, "interval": wanted.interval_minutes, "since": wanted.begin - 1}
    answer = asker.get("/0/public/OHLC", fields)
    if not isinstance(answer, dict) or answer.get("error"):
        raise asker.wrong(answer)
    found = [rows for name, rows in answer["result"].items() if name != "last"]
    yield from ((int(row[0]), row[1], row[2], row[3], row[4], row[6]) for rows in found for row in rows)


def _coinbase(asker: _Asker, wanted: Wanted) -> Iterator[Row]:
    """At most 350 a page, by time."""
    path = f"/api/v3/brokerage/market/products/{wanted.symbol.replace('/', '-')}/candles"
    for begin in range(wanted.begin, wanted.end, 300 * wanted.seconds):
        end = min(wanted.end, begin + 300 * wanted.seconds) - 1
        fields: Fields = {
            "start": begin,
            "end": end,
            "granularity": _COINBASE_BARS[wanted.interval_minutes],
            "limit": 350,
        }
        answer = asker.get(path, fields)
        if not isinstance(answer, dict) or "candles" not in answer:
            raise asker.wrong(answer)
        for row in answer["candles"]:
            yield int(row["start"]), row["open"], row["high"], row["low"], row["close"], row["volume"]


def _binance(asker: _Asker, wanted: Wanted) -> Iterator[Row]:
    """At most 1,000 a page, by time."""
    begin = wanted.begin
    while begin < wanted.end:
        fields: Fields = {
            "symbol": wanted.symbol.replace("/", ""), "interval": _BINANCE_BARS[wanted.interval_minutes],
            "startTime": begin * 1000, "endTime": wanted.end * 1000 - 1, "limit": 1000,
        }  # fmt: skip
        answer = asker.get("/api/v3/klines", fields)
        if not isinstance(answer, list):
            raise asker.wrong(answer)
        yield from (_row(row) for row in answer)
        if not answer:
            return
        begin = int(answer[-1][0]) // 1000 + wanted.seconds


def _okx(asker: _Asker, wanted: Wanted) -> Iterator[Row]:
    """At most 100 a page, from the newest back."""
    end = wanted.end
    while end > wanted.begin:
        fields: Fields = {
            "instId": wanted.symbol.replace("/", "-"), "bar": _OKX_BARS[wanted.interval_minutes],
            "after": end * 1000, "limit": 100,
        }  # fmt: skip
        answer = asker.get("/api/v5/market/history-candles", fields)
        if not isinstance(answer, dict) or answer.get("code") != "0":
            raise asker.wrong(answer)
        yield from (_row(row) for row in answer["data"])
        if not answer["data"]:
            return
        end = int(answer["data"][-1][0]) // 1000


def _alpaca(asker: _Asker, wanted: Wanted) -> Iterator[Row]:
    """Coins, at most 10,000 a page; stocks need a key there, and are not fetched."""
    token = ""
    while True:
        fields: Fields = {
            "symbols": f"{base_of(wanted.symbol)}/{quote_of(wanted.symbol)}",
            "timeframe": _ALPACA_BARS[wanted.interval_minutes],
            "start": f"{datetime.fromtimestamp(wanted.begin, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "end": f"{datetime.fromtimestamp(wanted.end, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "limit": 10_000,
        }
        if token:
            fields["page_token"] = token
        answer = asker.get("/v1beta3/crypto/us/bars", fields)
        if not isinstance(answer, dict) or "bars" not in answer:
            raise asker.wrong(answer)
        for row in (answer["bars"] or {}).get(wanted.symbol, []):
            opened_at = int(datetime.fromisoformat(row["t"]).timestamp())
            yield opened_at, row["o"], row["h"], row["l"], row["c"], row["v"]
        token = answer.get("next_page_token") or ""
        if not token:
            return


_KRAKEN_BARS = (1, 5, 15, 30, 60, 240, 1440)
_VENUES: Mapping[str, tuple[str, Mapping[int, str] | tuple[int, ...], Pages]] = {
    "kraken": ("https://api.kraken.com", _KRAKEN_BARS, _kraken),
    "coinbase": ("https://api.coinbase.com", _COINBASE_BARS, _coinbase),
    "binance": ("https://api.binance.com", _BINANCE_BARS, _binance),
    "okx": ("https://www.okx.com", _OKX_BARS, _okx),
    "alpaca": ("https://data.alpaca.markets", _ALPACA_BARS, _alpaca),
}
VENUES = tuple(_VENUES)

"""Kraken's public readings for the process itself, which is no account: the list of markets, and all prices at once."""

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from bot.brokers.base import Urgency
from bot.brokers.http_session import MEBIBYTE, ReplyLost, RequestNotSent, VenueSession
from bot.brokers.kraken.envelope import is_api_document, open_envelope
from bot.brokers.kraken.errors import TOO_MANY_REQUESTS, error_of, normal_text
from bot.brokers.kraken.rates import CALL_LIMIT_TEXTS
from bot.brokers.kraken.symbols import KrakenCatalogue, catalogue_from
from bot.brokers.market_values import PriceRow
from bot.brokers.rate_budget import RateBudget
from bot.brokers.replies import as_list, as_object, number
from bot.brokers.venue_gate import VenueGate
from bot.domain.errors import RetryLater, UnreadableReply
from bot.domain.quote import Quote, Ticker

log = logging.getLogger(__name__)

MAX_LIST_BYTES = 8 * MEBIBYTE
RATE_WAIT_SECONDS = 5.0
# Of the gate's visitors; it is no account, and what befalls it is no account's trouble.
VISITOR = "market watch"


class KrakenPublicReader:
    """In one thread at a time; any other may close it. Every call waits for room and stays out while the venue is shut.

    Raises `RetryLater` or `UnreadableReply`.
    """

    def __init__(
        self, session: VenueSession, *, base_url: str, budget: RateBudget, gate: VenueGate, call_seconds: float
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._budget = budget
        self._gate = gate
        self._call_seconds = call_seconds

    def close(self) -> None:
        self._session.close()

    def catalogue(self) -> KrakenCatalogue:
        """All markets as they are listed now."""
        assets = as_object(self._read("Assets"), where="Kraken Assets")
        return catalogue_from(assets, as_object(self._read("AssetPairs"), where="Kraken AssetPairs"))

    def tickers(self) -> Mapping[str, object]:
        """The tickers of all markets, in one call, by Kraken's ids."""
        return as_object(self._read("Ticker"), where="Kraken Ticker")

    def _read(self, method: str) -> object:
        where = f"Kraken {method}"
        if self._gate.state().breaker != "closed":
            raise RetryLater(f"{where}: not sent: Kraken does not work for its accounts either")
        with (
            self._gate.visit(VISITOR, Urgency.POLL),
            self._budget.spend(1, Urgency.POLL, within_seconds=RATE_WAIT_SECONDS) as spending,
            self._gate.passage(VISITOR, Urgency.POLL) as passage,
        ):
            spending.leaving()
            try:
                reply = self._session.exchange(
                    "GET",
                    f"{self._base_url}/0/public/{method}",
                    call_seconds=self._call_seconds,
                    max_body_bytes=MAX_LIST_BYTES,
                )
            except RequestNotSent as error:
                spending.not_sent()
                raise RetryLater(f"{where}: {error}") from error
            except ReplyLost as error:
                raise UnreadableReply(f"{where}: {error}") from error
            if reply.status in (403, 418, 429) and not is_api_document(reply):
                passage.refused_by_status(reply, from_api=False)
            envelope = open_envelope(reply, where=where)
            texts = [normal_text(text) for text in envelope.errors]
            shut = next((text for text in texts if text.startswith(TOO_MANY_REQUESTS)), None)
            if shut is not None:
                passage.shut_out(shut)
        if any(text.startswith(CALL_LIMIT_TEXTS) for text in texts):
            self._budget.refused()
        if envelope.errors:
            raise error_of(envelope.errors, where=where, order_sent=False)
        return envelope.result


def rows_from(tickers: Mapping[str, object], catalogue: KrakenCatalogue, *, seen_at: float) -> Mapping[str, PriceRow]:
    """Prices by our symbols; a market that is not listed, or whose ticker cannot be read, is left out."""
    rows: dict[str, PriceRow] = {}
    for venue_name, entry in tickers.items():
        symbol = catalogue.symbols.get(venue_name)
        if symbol is None:
            continue
        try:
            rows[symbol] = _row(entry, f"Kraken Ticker {venue_name}", seen_at)
        except UnreadableReply as error:
            log.debug("%s", error)
    return rows


def ticker_of(symbol: str, row: PriceRow, *, taken_at: datetime) -> Ticker:
    """A row of the list, with the volume of 24 hours at the last price: Kraken tells it in base units."""
    volume = None if row.volume_base is None else row.volume_base * row.last
    return Ticker(Quote(symbol, row.bid, row.ask, taken_at), volume)


def _row(entry: object, where: str, seen_at: float) -> PriceRow:
    fields = as_object(entry, where=where)
    bid, ask, last = (_cell(fields, name, 0, where) for name in "bac")
    return PriceRow(bid, ask, last, _cell(fields, "v", 1, where), seen_at)


def _cell(fields: Mapping[str, object], name: str, at: int, where: str) -> Decimal:
    cells = as_list(fields.get(name), where=where)
    if len(cells) <= at:
        raise UnreadableReply(f"{where}: {name} has {len(cells)} values")
    return number(cells[at], where=where)

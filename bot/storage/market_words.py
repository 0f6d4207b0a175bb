"""Rows of what a master's last scan said of each market: why it is not bought, and since when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from bot.storage.market_rows import ROWS_PER_WORK, put
from bot.storage.schema import market_word


@dataclass(frozen=True, kw_only=True)
class MarketWord:
    """`stage` is where the market ended: filtered, missing, no_entry, vetoed, ordered or held, and by which rule.

    `since` is when it first ended there; `detail` has the numbers of then. `scan_id` is that scan's row.
    """

    symbol: str
    stage: str
    rule: str
    detail: str
    since: datetime
    scan_id: int | None = None


def words_of(connection: Connection, account_id: str) -> Mapping[str, MarketWord]:
    """Of every market that was looked at, by symbol."""
    query = select(market_word).where(market_word.c.account_id == account_id)
    return {row.symbol: _word(row) for row in connection.execute(query)}


def word_of(connection: Connection, account_id: str, symbol: str) -> MarketWord | None:
    """None = it was not looked at yet, or is not listed any more."""
    query = select(market_word).where(market_word.c.account_id == account_id, market_word.c.symbol == symbol)
    row = connection.execute(query).first()
    return None if row is None else _word(row)


def save_words(connection: Connection, account_id: str, words: Sequence[MarketWord]) -> None:
    """Write these over what was said of the same markets; give only those that changed."""
    rows = [
        {
            "account_id": account_id,
            "symbol": word.symbol,
            "stage": word.stage,
            "rule": word.rule,
            "detail": word.detail,
            "since": word.since,
            "scan_id": word.scan_id,
        }
        for word in words
    ]
    for at in range(0, len(rows), ROWS_PER_WORK):
        put(connection, market_word, rows[at : at + ROWS_PER_WORK])


def forget_words(connection: Connection, account_id: str, symbols: Sequence[str]) -> None:
    """These markets are not listed any more."""
    for at in range(0, len(symbols), ROWS_PER_WORK):
        chunk = list(symbols[at : at + ROWS_PER_WORK])
        connection.execute(
            delete(market_word).where(market_word.c.account_id == account_id, market_word.c.symbol.in_(chunk))
        )


def _word(row: Row[Any]) -> MarketWord:
    return MarketWord(
        symbol=row.symbol, stage=row.stage, rule=row.rule, detail=row.detail, since=row.since, scan_id=row.scan_id
    )

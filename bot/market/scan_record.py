"""Writing down what became of the markets in each look at them: transitions, not repetition.

A master on paper looks every second or so, and says the same each time. What is new is written at once; what is the
same is written now and then, as proof that it still looks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.market.funnel import Word
from bot.seams.clock import Clock
from bot.storage.entry_decisions import EntryDecision, add_entry_decisions
from bot.storage.market_rows import ROWS_PER_WORK
from bot.storage.market_words import MarketWord, forget_words, save_words, words_of
from bot.storage.scan_cycles import ScanCycle, add_scan, last_scan
from bot.storage.store import Store

SAME_SCAN_AGAIN = timedelta(minutes=1)
SAME_WAITING_AGAIN = timedelta(minutes=10)
_NUMBER = re.compile(r"\d[\d.,:]*")


@dataclass
class _Known:
    """What the rows of one account say already. `words` are by symbol: stage and rule; `wishes` of the last look."""

    last: ScanCycle | None
    words: dict[str, tuple[str, str]]
    wishes: frozenset[tuple[str, ...]] = frozenset()


class ScanRecord:
    """Any account's thread, each for its own account only."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def waited(self, account_id: str, why: str, *, strategy: str) -> None:
        """Nothing was looked for. Raises `StoreUnavailable`."""
        known = self._of(account_id)
        row = ScanCycle(account_id=account_id, at=self._clock.now(), waiting=why, strategy=strategy)
        if _is_news(row, known.last):
            self._store.write(lambda connection: add_scan(connection, row))
            known.last = row

    def looked(self, row: ScanCycle, words: Mapping[str, Word], decisions: Sequence[EntryDecision]) -> None:
        """One look, the words in which it ended, and the strategy's wishes with what became of them.

        The row and the wishes are one transaction; of the words only those that changed are written, and many of them
        (at the first look) in pieces that hold up no order. Raises `StoreUnavailable`.
        """
        known = self._of(row.account_id)
        said = {symbol: (str(word.stage), word.rule) for symbol, word in words.items()}
        changed = [symbol for symbol, word in said.items() if known.words.get(symbol) != word]
        gone = sorted(known.words.keys() - said.keys())
        wishes = frozenset(map(_wish, decisions))
        must = wishes != known.wishes or _is_news(row, known.last)
        if not (must or changed or gone):
            return
        begun = changed[:ROWS_PER_WORK]
        scan_id = self._store.write(
            lambda connection: _write(
                connection, row, decisions if must else None, self._rows(begun, words, row.at, None)
            )
        )
        if must:
            known.last, known.wishes = row, wishes
        known.words.update({symbol: said[symbol] for symbol in begun})
        self._write_rest(known, row, scan_id, changed[ROWS_PER_WORK:], words, said)
        self._forget(known, row.account_id, gone)

    def _write_rest(
        self,
        known: _Known,
        row: ScanCycle,
        scan_id: int | None,
        symbols: Sequence[str],
        words: Mapping[str, Word],
        said: Mapping[str, tuple[str, str]],
    ) -> None:
        for at in range(0, len(symbols), ROWS_PER_WORK):
            chunk = symbols[at : at + ROWS_PER_WORK]
            rows = self._rows(chunk, words, row.at, scan_id)
            self._store.write(lambda connection, rows=rows: save_words(connection, row.account_id, rows))  # type: ignore[misc]
            known.words.update({symbol: said[symbol] for symbol in chunk})

    def _forget(self, known: _Known, account_id: str, gone: Sequence[str]) -> None:
        for at in range(0, len(gone), ROWS_PER_WORK):
            chunk = gone[at : at + ROWS_PER_WORK]
            self._store.write(lambda connection, chunk=chunk: forget_words(connection, account_id, chunk))  # type: ignore[misc]
            for symbol in chunk:
                del known.words[symbol]

    @staticmethod
    def _rows(
        symbols: Sequence[str], words: Mapping[str, Word], since: datetime, scan_id: int | None
    ) -> list[MarketWord]:
        return [
            MarketWord(
                symbol=symbol,
                stage=str(words[symbol].stage),
                rule=words[symbol].rule,
                detail=words[symbol].detail,
                since=since,
                scan_id=scan_id,
            )
            for symbol in symbols
        ]

    def _of(self, account_id: str) -> _Known:
        known = self._known.get(account_id)
        if known is None:
            with self._store.read() as connection:
                words = {symbol: (word.stage, word.rule) for symbol, word in words_of(connection, account_id).items()}
                known = _Known(last_scan(connection, account_id), words)
            self._known[account_id] = known
        return known


def _write(
    connection: Connection, row: ScanCycle, decisions: Sequence[EntryDecision] | None, words: Sequence[MarketWord]
) -> int | None:
    """Without `decisions` the row itself is not worth writing."""
    scan_id = None if decisions is None else add_scan(connection, row)
    add_entry_decisions(connection, [replace(each, scan_id=scan_id) for each in decisions or ()])
    save_words(connection, row.account_id, [replace(word, scan_id=scan_id) for word in words])
    return scan_id


def _wish(decision: EntryDecision) -> tuple[str, ...]:
    """A wish that is vetoed cycle by cycle for the same reason is the same one; each order is another."""
    outcome = decision.outcome
    return decision.symbol, decision.strategy, str(outcome.rule), outcome.client_order_id or ""


def _is_news(row: ScanCycle, last: ScanCycle | None) -> bool:
    """Whether a row says something else than the last one, or that one is old. Numbers in a sentence do not count."""
    if last is None or row.strategy != last.strategy:
        return True
    if row.waiting or last.waiting:
        return _shape(row.waiting) != _shape(last.waiting) or row.at - last.at >= SAME_WAITING_AGAIN
    counts = (row.listed, row.passed, row.ready, row.signals, row.counts)
    return counts != (last.listed, last.passed, last.ready, last.signals, last.counts) or (
        row.at - last.at >= SAME_SCAN_AGAIN
    )


def _shape(sentence: str) -> str:
    return _NUMBER.sub("#", sentence)

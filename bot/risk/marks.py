"""Marks one account: what its own trades have made until now. Deposits and withdrawals make no profit and no loss."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from bot.domain.balance import BalanceReading, BalanceStatus
from bot.domain.quote import Quote
from bot.risk.loss_rules import day_of
from bot.risk.profit import NoPrice, Tally, after_fills, unrealised, worth
from bot.seams.clock import Clock
from bot.storage import exposure, risk_marks
from bot.storage.positions import positions_of
from bot.storage.risk_marks import Lot, RiskMark
from bot.storage.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worth:
    """What was found now: the tally up to fill number `counted`; profit and equity in quote units, None = not known.

    `settled` is False while orders are out whose trades may not be booked yet: cash and lots may disagree then.
    """

    tally: Tally
    counted: int
    profit: Decimal | None
    equity: Decimal | None
    settled: bool
    problem: str


class AccountMarks:
    """The marks of one account, made in its own thread. It shares nothing with other accounts."""

    def __init__(
        self, *, account_id: str, store: Store, clock: Clock, currency: str, fence: Callable[[Connection], None]
    ) -> None:
        self._account_id = account_id
        self._store = store
        self._clock = clock
        self._currency = currency
        self._fence = fence
        # What the account has without its profit: only deposits and withdrawals change it.
        self._capital: Decimal | None = None
        # A market besides those held whose price the last mark lacked, to value a fee in a third currency.
        self.wanted: str | None = None

    def mark(self, quotes: Mapping[str, Quote], reading: BalanceReading) -> RiskMark | None:
        """Write down where the account stands by these prices; None while that was never known.

        A lot without a price makes the profit unknown. Raises `Fenced` and `StoreUnavailable`.
        """
        now = self._clock.now()

        def work(connection: Connection) -> RiskMark | None:
            self._fence(connection)
            old = self._comparable(risk_marks.find_mark(connection, self._account_id))
            found = self._found(connection, old, quotes, reading)
            mark = self._next(old, found, now)
            if mark is not None:
                risk_marks.save_mark(connection, mark)
            return mark

        mark = self._store.write(work)
        if mark is not None and mark.problem:
            log.warning("%s: what its trades have made is not known: %s", self._account_id, mark.problem)
        return mark

    def _comparable(self, old: RiskMark | None) -> RiskMark | None:
        """Profits in one currency say nothing about those in another: an account that changes it begins anew."""
        if old is None or old.quote_currency == self._currency:
            return old
        log.warning(
            "%s is counted in %s now, was %s: its profit, day and peak begin anew",
            self._account_id,
            self._currency,
            old.quote_currency,
        )
        return None

    def _found(
        self, connection: Connection, old: RiskMark | None, quotes: Mapping[str, Quote], reading: BalanceReading
    ) -> Worth:
        held = {
            one.symbol: Lot(one.quantity, one.average_entry_price) for one in positions_of(connection, self._account_id)
        }
        settled = not exposure.has_open_orders(connection, self._account_id)
        start = Tally(old.realised_profit, old.lots) if old else Tally(Decimal(0), held)
        counted = old.counted_fills if old else risk_marks.newest_fill(connection)
        fills = risk_marks.fills_after(connection, self._account_id, counted)
        try:
            self.wanted = None
            tally = after_fills(start, fills, currency=self._currency, quotes=quotes)
            # The books have the last word on what is held: dust is closed, and coins are sold by hand.
            tally = replace(tally, lots=held)
            counted = fills[-1].sequence if fills else counted
            profit = tally.realised + unrealised(held, quotes, currency=self._currency)
        except NoPrice as error:
            self.wanted = error.symbol
            return Worth(start, old.counted_fills if old else counted, None, None, settled, str(error))
        equity = self._equity(held, quotes, reading)
        return Worth(tally, counted, profit, equity, settled, "")

    def _equity(self, held: Mapping[str, Lot], quotes: Mapping[str, Quote], reading: BalanceReading) -> Decimal | None:
        if reading.holdings is None or reading.status is not BalanceStatus.FRESH:
            return None
        return reading.holdings.of(self._currency).total + worth(held, quotes, currency=self._currency)

    def _next(self, old: RiskMark | None, found: Worth, now: datetime) -> RiskMark | None:
        if found.profit is None:
            return None if old is None else replace(old, profit=None, problem=found.problem, marked_at=now)
        capital = self._lowest_capital(found)
        mark = _first(self._account_id, self._currency, found, now) if old is None else _moved(old, found, now)
        return _based(mark, capital)

    def _lowest_capital(self, found: Worth) -> Decimal | None:
        """What was certainly withdrawn is seen twice in a row; an order under way may look like it once."""
        if found.profit is None or found.equity is None or not found.settled:
            return None
        before, self._capital = self._capital, found.equity - found.profit
        return None if before is None else max(before, self._capital)


def _first(account_id: str, currency: str, found: Worth, now: datetime) -> RiskMark:
    assert found.profit is not None
    return RiskMark(
        account_id=account_id,
        quote_currency=currency,
        day=day_of(now),
        day_start_profit=found.profit,
        peak_profit=found.profit,
        profit=found.profit,
        day_start_equity=found.equity,
        peak_equity=found.equity,
        equity=found.equity,
        realised_profit=found.tally.realised,
        counted_fills=found.counted,
        lots=found.tally.lots,
        marked_at=now,
        problem="",
    )


def _moved(old: RiskMark, found: Worth, now: datetime) -> RiskMark:
    """The day begins where the last mark of the day before left it: what is lost overnight is the new day's."""
    profit = found.profit
    assert profit is not None
    mark = replace(
        old,
        profit=profit,
        equity=found.equity,
        realised_profit=found.tally.realised,
        counted_fills=found.counted,
        lots=found.tally.lots,
        marked_at=now,
        problem="",
    )
    if day_of(now) > old.day:
        start = profit if old.profit is None else old.profit
        equity = None if found.equity is None else found.equity - (profit - start)
        mark = replace(mark, day=day_of(now), day_start_profit=start, day_start_equity=equity)
    if profit > old.peak_profit:
        mark = replace(mark, peak_profit=profit, peak_equity=_risen(old, profit, found.equity))
    return mark


def _risen(old: RiskMark, profit: Decimal, equity: Decimal | None) -> Decimal | None:
    if equity is not None or old.peak_equity is None:
        return equity
    return old.peak_equity + profit - old.peak_profit


def _based(mark: RiskMark, capital: Decimal | None) -> RiskMark:
    """What percents are of: filled in when it becomes known, and less after a withdrawal."""
    known = mark.equity is not None and mark.profit is not None
    capital_now = mark.equity - mark.profit if known and mark.equity is not None and mark.profit is not None else None
    return replace(
        mark,
        day_start_equity=_base(mark.day_start_equity, mark.day_start_profit, capital, capital_now),
        peak_equity=_base(mark.peak_equity, mark.peak_profit, capital, capital_now),
    )


def _base(
    equity: Decimal | None, profit: Decimal, capital: Decimal | None, capital_now: Decimal | None
) -> Decimal | None:
    if equity is None:
        return None if capital_now is None else capital_now + profit
    return equity if capital is None else min(equity, capital + profit)

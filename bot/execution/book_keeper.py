"""Keeps the books of one account: ledger, worth, days. Between its cycles, and never while exits or copies wait."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from bot.books.days import DayBoundary
from bot.books.equity import Mark, value
from bot.brokers.base import BaseBroker
from bot.domain.balance import BalanceStatus, Holdings
from bot.domain.drift import DriftKind
from bot.domain.errors import Fenced, StoreUnavailable, VenueError
from bot.execution.book_alarm import BookAlarm, Verdict
from bot.execution.book_days import BookDays
from bot.execution.cash_reader import CashReader
from bot.execution.day_closing import more_than
from bot.execution.drift_book import DriftBook
from bot.execution.holdings_marks import marks_of_assets
from bot.execution.reconciliation import Reconciler
from bot.execution.running_books import RunningBooks, apply_all, opened_books
from bot.execution.settled_reading import QUIET, NotSettled, SettledReader, SettledReading, ThreadWanted
from bot.observability.last_said import without_figures
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.seams.ids import IdSource
from bot.storage.book_entries import book_entries
from bot.storage.equity_points import EquityPoint, add_point, thin_out
from bot.storage.marks_text import units_text
from bot.storage.opening_balances import OpeningBalances, find_opening, save_opening
from bot.storage.store import Store

log = logging.getLogger(__name__)

# When something was on its way, or a difference waits for a second look.
LOOK_AGAIN_SECONDS = 6.0
# After the thread was wanted elsewhere: in its next pause, but not with half a reading in each of them for ever.
NEXT_PAUSE_SECONDS = (0.2, 0.2, 1.0, 2.0, 4.0)
# Points are kept one by one for so long, then by the hour.
KEEP_ALL = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class BookRules:
    """How an account's books are kept (section `books` of the settings)."""

    boundary: DayBoundary
    cash_events_seconds: float = 300.0
    equity_point_seconds: float = 300.0
    price_max_age_seconds: float = 120.0
    keep_equity_points_days: int = 400


class BookKeeper:
    """One account's, in that account's thread. What cannot be read is a sentence in `problem`, and is tried again.

    A difference between balances and books is said after it was seen twice in a row. A day is closed by the first
    settled reading after its end whose differences, if any, are sure.
    """

    def __init__(
        self,
        *,
        broker: BaseBroker,
        store: Store,
        clock: Clock,
        ids: IdSource,
        reconciler: Reconciler,
        fence: Callable[[Connection], None],
        rules: BookRules,
        on_drifts: Callable[[Mapping[DriftKind, int]], None] = lambda _counts: None,
        on_equity: Callable[[Decimal], None] = lambda _equity: None,
        on_difference: Callable[[Decimal], None] = lambda _worth: None,
    ) -> None:
        self._broker = broker
        self._account_id = broker.account.label
        self._currency = broker.quote_currency
        self._store = store
        self._clock = clock
        self._ids = ids
        self._fence = fence
        self._rules = rules
        self._on_equity = on_equity
        self.cash = CashReader(broker=broker, store=store, clock=clock, fence=fence)
        self._reader = SettledReader(broker=broker, store=store, clock=clock, reconciler=reconciler, cash=self.cash)
        self._books = RunningBooks(self._account_id, self._currency)
        self._days = BookDays(
            account_id=self._account_id,
            currency=self._currency,
            store=store,
            clock=clock,
            fence=fence,
            boundary=rules.boundary,
            price_max_age_seconds=rules.price_max_age_seconds,
        )
        self._alarm = BookAlarm(
            account_id=self._account_id,
            currency=self._currency,
            store=store,
            drifts=DriftBook(store=store, clock=clock, account=broker.account, on_drifts=on_drifts),
            on_difference=on_difference,
        )
        # Accounts that started together must not ask together.
        self._settle_at = clock.monotonic() + ids.fraction() * rules.cash_events_seconds
        self._point_at = self._settle_at + rules.equity_point_seconds
        # What the books would begin with by the last reading.
        self._opening_units: dict[str, Decimal] | None = None
        # How often a reading was broken off since the last one that came to its end.
        self._broken_off = 0
        self._ended_at = clock.monotonic()
        self.problem = ""

    @property
    def due_at(self) -> float:
        """When there is something to do (monotonic seconds)."""
        return min(self._settle_at, self._point_at)

    @property
    def has_waited(self) -> bool:
        """Whether no reading has come to its end for twice the time in which one should."""
        return self._clock.monotonic() - self._ended_at > 2 * self._rules.cash_events_seconds

    def run_if_due(self, wanted_elsewhere: Callable[[], bool] = lambda: False) -> None:
        """One reading, if it is time. It is broken off between two calls to the venue once the thread is wanted.

        Raises `Fenced` and `StoreUnavailable` alone: what is wrong with the books stops no trading.
        """
        now = self._clock.monotonic()
        if now >= self._settle_at:
            self._settle_at = now + LOOK_AGAIN_SECONDS
            self._guarded(lambda: self._settle(wanted_elsewhere))
        elif now >= self._point_at:
            self._point_at = now + self._rules.equity_point_seconds
            self._guarded(self._note_worth)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except ThreadWanted as error:
            log.debug("%s: the books wait: %s", self._account_id, error)
            wait = NEXT_PAUSE_SECONDS[min(self._broken_off, len(NEXT_PAUSE_SECONDS) - 1)]
            self._broken_off += 1
            self._settle_at = self._clock.monotonic() + wait
        except NotSettled as error:
            log.debug("%s: the books are looked at again soon: %s", self._account_id, error)
        except (Fenced, StoreUnavailable):
            raise
        except VenueError as error:
            self._failed(str(error))
            self._ended_at = self._clock.monotonic()
        except Exception as error:
            if self._failed(f"{type(error).__name__}: {error}"):
                log.exception("%s: unexpected error while its books were kept", self._account_id)
        else:
            self.problem, self._broken_off = "", 0
            self._ended_at = self._clock.monotonic()

    def _failed(self, problem: str) -> bool:
        """Whether that is news."""
        is_news = without_figures(problem) != without_figures(self.problem)
        if is_news:
            log.warning("%s: its books could not be gone on with: %s", self._account_id, problem)
        self.problem = problem
        return is_news

    # -- settled readings -------------------------------------------------------------------------------------------
    def _settle(self, wanted_elsewhere: Callable[[], bool]) -> None:
        begun = self._clock.monotonic()

        def stop_for() -> None:
            if wanted_elsewhere():
                spent = self._clock.monotonic() - begun
                raise ThreadWanted(f"the account's thread is wanted elsewhere, after {spent:.2f} s of reading")

        reading = self._reader.read(stop_for)
        stop_for()
        failpoint("books_read")
        self._days.restate()
        with self._store.read() as connection:
            books = self._books.now(connection)
        # What came or left in kind is worth its price at the end of the day, also when nothing of it is there then.
        marks = marks_of_assets(self._broker, {*reading.units, *self._books.moved_in_kind})
        if books is None:
            self._plan(reading.at, again=not self._begin(reading, marks))
            return
        self._add_point(reading.holdings, marks, at=reading.at, settled=not reading.cash_problem)
        self._plan(reading.at, again=not self._compare(reading, more_than(reading.units, books.units()), marks))

    def _compare(self, reading: SettledReading, more: Mapping[str, Decimal], marks: Mapping[str, Mark]) -> bool:
        """Close what is over, and say what is not explained; False when another look is needed soon."""
        # What cannot be told from a deposit is no difference yet.
        verdict = Verdict(more) if reading.cash_problem else self._alarm.judge(more, marks, trades=self._books.trades)
        if verdict.sure:
            closed = self._days.close_due(reading, more, marks)
            if closed:
                self._tidy()
                with self._store.read() as connection:
                    books = self._books.now(connection)
                assert books is not None, "books that have begun do not end"
                verdict = replace(verdict, more=more_than(reading.units, books.units()), trades=self._books.trades)
        if not reading.cash_problem:
            self._alarm.sound(verdict, marks)
        return verdict.sure

    def _begin(self, reading: SettledReading, marks: Mapping[str, Mark]) -> bool:
        """What the venue has, less what is booked by now, was there before all of it.

        Two readings in a row must say so, whatever was traded between them. False = another one is needed.
        """
        books = opened_books(OpeningBalances(reading.at, {}), self._currency)
        with self._store.read() as connection:
            apply_all(books, book_entries(connection, self._account_id))
        units = {self._currency: Decimal(0)} | more_than(reading.units, books.units())
        before, self._opening_units = self._opening_units, units
        if before is None or self._alarm.real(more_than(units, before), marks, trades=0):
            log.debug("%s: its books would begin with %s", self._account_id, units_text(units))
            return False
        point = self._point(reading.holdings, marks, at=reading.at, settled=True)

        def work(connection: Connection) -> None:
            self._fence(connection)
            if find_opening(connection, self._account_id) is None:
                save_opening(connection, self._account_id, OpeningBalances(reading.at, units))
                add_point(connection, point)

        failpoint("books_opening")
        self._store.write(work)
        self._on_equity(point.equity)
        log.info("%s: its books begin with %.2f %s", self._account_id, point.equity, self._currency)
        return True

    def _plan(self, moment: datetime, *, again: bool = False) -> None:
        """The next reading: after the period, or just after the end of the day, if that is sooner."""
        until_end = (self._days.next_end(moment) - moment + QUIET).total_seconds()
        spread = self._ids.fraction() * min(30.0, self._rules.cash_events_seconds / 2)
        wait = LOOK_AGAIN_SECONDS if again else min(self._rules.cash_events_seconds, until_end + 1.0 + spread)
        self._settle_at = self._clock.monotonic() + wait

    # -- worth ------------------------------------------------------------------------------------------------------
    def _note_worth(self) -> None:
        """Between settled readings, from balances that are known anyway."""
        reading = self._broker.balance_book.reading()
        if reading.holdings is None or reading.status is not BalanceStatus.FRESH:
            return
        with self._store.read() as connection:
            if find_opening(connection, self._account_id) is None:
                return
        held = [asset for asset, balance in reading.holdings.assets.items() if balance.total]
        marks = marks_of_assets(self._broker, held)
        self._add_point(reading.holdings, marks, at=self._clock.now(), settled=False)

    def _add_point(self, holdings: Holdings, marks: Mapping[str, Mark], *, at: datetime, settled: bool) -> None:
        point = self._point(holdings, marks, at=at, settled=settled)

        def work(connection: Connection) -> None:
            self._fence(connection)
            add_point(connection, point)

        self._store.write(work)
        self._point_at = self._clock.monotonic() + self._rules.equity_point_seconds
        self._on_equity(point.equity)

    def _point(self, holdings: Holdings, marks: Mapping[str, Mark], *, at: datetime, settled: bool) -> EquityPoint:
        units = {asset: balance.total for asset, balance in holdings.assets.items() if balance.total}
        worth = value(units, marks, self._currency, now=at, max_age_seconds=self._rules.price_max_age_seconds)
        cash = holdings.of(self._currency)
        return EquityPoint(
            account_id=self._account_id,
            at=at,
            currency=self._currency,
            cash_available=cash.available,
            cash_held=cash.held,
            positions_value=worth.positions,
            equity=worth.total,
            unpriced=worth.unpriced,
            oldest_price_at=worth.oldest_price_at,
            units=units,
            marks=marks,
            settled=settled,
        )

    def _tidy(self) -> None:
        """Once a day: points thin out as they age."""
        now = self._clock.now()
        drop_before = now - timedelta(days=self._rules.keep_equity_points_days)

        def work(connection: Connection) -> int:
            self._fence(connection)
            return thin_out(connection, self._account_id, all_since=now - KEEP_ALL, drop_before=drop_before)

        self._store.write(work)

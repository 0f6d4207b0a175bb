"""The keeper of one account's books over a brokerage in memory, with a clock that is moved by hand."""

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import select

from bot.books.days import DayBoundary
from bot.domain.account import AccountRef
from bot.domain.drift import DriftKind
from bot.domain.order import Side
from bot.execution.book_keeper import BookKeeper, BookRules
from bot.seams.ids import SeededIds
from bot.storage import day_closes, drifts, equity_points
from bot.storage.day_closes import DayClose
from bot.storage.equity_points import EquityPoint
from bot.storage.opening_balances import OpeningBalances, find_opening
from bot.storage.schema import cash_event, cash_reading
from bot.storage.store import Store
from tests.memory_broker import MemoryBroker
from tests.unit.copy_bench import MASTER
from tests.unit.execution.reconciler_bench import ANN, ReconcilerBench

DAY = 86_400.0
PERIOD = 300.0
__all__ = ["ANN", "DAY", "MASTER", "PERIOD", "BookBench"]


class BookBench:
    """`settle()` is one due reading; `restart()` forgets what was in memory. The clock starts at midnight, UTC."""

    def __init__(self, store: Store, account: AccountRef = MASTER, *, zone: str = "UTC", day_starts_at: str = "00:00"):
        self.store = store
        self.account = account
        self.bench = ReconcilerBench(store)
        self.clock = self.bench.clock
        self.venue: MemoryBroker = self.bench.bench.brokers[account]
        self.rules = BookRules(
            boundary=DayBoundary.of(zone, day_starts_at), cash_events_seconds=PERIOD, equity_point_seconds=PERIOD
        )
        self.equities: list[Decimal] = []
        self.differences: list[Decimal] = []
        self.restart()

    def restart(self) -> None:
        self.bench.restart()
        self.keeper = BookKeeper(
            broker=self.venue,
            store=self.store,
            clock=self.clock,
            ids=SeededIds(1),
            reconciler=self.bench.reconcilers[self.account],
            fence=self.bench.bench.executors[self.account].refuse_when_fenced,
            rules=self.rules,
            on_equity=self.equities.append,
            on_difference=self.differences.append,
        )

    def settle(self, *, after: float = 60.0) -> None:
        """Let so much time pass, and what is due then; with patience for a second look."""
        self.clock.seconds += after
        self.clock.seconds = max(self.clock.seconds, self.keeper._settle_at)
        begun = self.opening() is not None
        self.keeper.run_if_due()
        if not begun:
            self.clock.seconds = max(self.clock.seconds, self.keeper._settle_at)
            self.keeper.run_if_due()

    def settle_twice(self) -> None:
        """A difference is believed when it was seen twice."""
        self.settle()
        self.settle(after=0)

    def to_day(self, number: int, *, after: float = 20.0) -> None:
        """To just after the beginning of the day with this number (0 = the first one)."""
        self.clock.seconds = number * DAY + after
        self.keeper._settle_at = self.clock.seconds
        self.keeper.run_if_due()

    def trade(self, side: Side, quantity: str, price: str) -> None:
        self.venue.price = Decimal(price)
        self.venue.by_hand(side, quantity)

    # -- what is written --------------------------------------------------------------------------------------------
    def opening(self) -> OpeningBalances | None:
        with self.store.read() as connection:
            return find_opening(connection, self.account.label)

    def points(self) -> list[EquityPoint]:
        with self.store.read() as connection:
            return list(equity_points.points_of(connection, self.account.label))

    def days(self) -> list[DayClose]:
        with self.store.read() as connection:
            return list(day_closes.closes_of(connection, self.account.label))

    def events(self) -> list[tuple[str, Decimal]]:
        with self.store.read() as connection:
            return [(row.kind, row.amount) for row in connection.execute(select(cash_event))]

    def ledger_problem(self) -> str:
        with self.store.read() as connection:
            return str(connection.execute(select(cash_reading.c.problem)).scalar_one())

    def alarms(self) -> dict[str, str]:
        """By asset, of what is open."""
        with self.store.read() as connection:
            rows = drifts.open_drifts(connection, self.account.label)
        return {row.subject: row.detail for row in rows if row.kind == DriftKind.BOOKS}

    def date(self, number: int) -> str:
        return f"{(self.clock.now() - timedelta(seconds=self.clock.seconds) + timedelta(days=number)):%F}"

"""Rows of the books, on both databases: what was written is read back exactly, in the order of the books."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, insert

from bot.books.entries import CostEntry, Movement, Trade, place_of
from bot.books.equity import Mark
from bot.domain.account import AccountRef, BrokerType
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.storage import accounts, cash_events, cost_entries, day_closes, equity_points, fills, opening_balances
from bot.storage.book_entries import BookedUntil, book_entries, booked_until, last_entry_at, late_entries
from bot.storage.cost_entries import WrittenCost
from bot.storage.day_closes import DayClose, DayStatus, Difference
from bot.storage.equity_points import EquityPoint
from bot.storage.opening_balances import OpeningBalances
from bot.storage.schema import equity_point
from bot.storage.store import Store

ON_BOTH_DATABASES = True
ANN = AccountRef.user(BrokerType.KRAKEN, "ann")
BOB = AccountRef.user(BrokerType.KRAKEN, "bob")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def known(store: Store) -> Store:
    for ref in (ANN, BOB):
        store.write(
            lambda connection, ref=ref: accounts.remember_account(connection, ref, name="x", enabled=True, now=NOON)  # type: ignore[misc]
        )
    return store


def trade(trade_id: str, at: datetime) -> Fill:
    return Fill(
        trade_id=trade_id,
        venue_order_id=f"O-{trade_id}",
        symbol="BTC/USD",
        side=Side.BUY,
        quantity=Decimal("0.00000001"),
        price=Decimal("50000.1"),
        fee=Decimal("0.00000000123"),
        fee_currency="USD",
        executed_at=at,
    )


def deposit(event_id: str, at: datetime, amount: str = "100.10") -> CashEvent:
    return CashEvent(event_id=event_id, kind=CashKind.DEPOSIT, asset="USD", amount=Decimal(amount), at=at)


def cost(at: datetime) -> WrittenCost:
    return WrittenCost(
        account_id=ANN.label,
        asset="BTC",
        quantity=Decimal("0.5"),
        cost=Decimal(12000),
        currency="USD",
        acquired_at=at,
        said_by="ann",
        reason="receipt 17",
        written_at=NOON,
    )


def booked(store: Store, *items: Fill | CashEvent | WrittenCost, ref: AccountRef = ANN) -> None:
    def work(connection: Connection) -> None:
        for item in items:
            if isinstance(item, Fill):
                assert fills.add_fill(connection, ref, item, client_order_id=None, now=NOON)
            elif isinstance(item, CashEvent):
                assert cash_events.add_cash_event(connection, ref, item, now=NOON)
            else:
                cost_entries.add_cost(connection, item)

    store.write(work)


def test_entries_come_in_the_order_of_the_books_and_of_one_account_alone(known: Store) -> None:
    booked(known, trade("T2", NOON), deposit("E1", NOON), trade("T1", NOON - SECOND), cost(NOON), trade("T3", NOON))
    booked(known, trade("T9", NOON), deposit("E1", NOON), ref=BOB)
    with known.read() as connection:
        found = list(book_entries(connection, ANN.label))
        part = list(book_entries(connection, ANN.label, since=NOON, until=NOON + SECOND))
    assert found == sorted(found, key=place_of)
    assert [type(one) for one in found] == [Trade, Movement, CostEntry, Trade, Trade]
    assert [one.trade_id for one in found if isinstance(one, Trade)] == ["T1", "T2", "T3"]
    assert part == found[1:]
    first = found[0]
    assert isinstance(first, Trade)
    assert (first.quantity, first.fee, first.ours) == (Decimal("0.00000001"), Decimal("0.00000000123"), False)
    assert first.order_id == "O-T1"


def test_what_was_booked_later_than_a_mark_and_happened_before_a_time_is_found(known: Store) -> None:
    booked(known, trade("T1", NOON), deposit("E1", NOON), cost(NOON))
    with known.read() as connection:
        mark = booked_until(connection, ANN.label)
    booked(known, trade("T2", NOON - 2 * SECOND), deposit("E2", NOON - SECOND), trade("T3", NOON + SECOND))
    booked(known, cost(NOON - 3 * SECOND))
    with known.read() as connection:
        late = late_entries(connection, ANN.label, mark, before=NOON)
        assert booked_until(connection, ANN.label) == BookedUntil(3, 2, 2)
        assert booked_until(connection, BOB.label) == BookedUntil()
        assert last_entry_at(connection, ANN.label) == NOON + SECOND
        assert last_entry_at(connection, BOB.label) is None
    assert [type(one) for one in late] == [CostEntry, Trade, Movement]


def test_an_event_that_the_venue_tells_again_is_booked_once_and_each_account_has_its_own(known: Store) -> None:
    event = deposit("E1", NOON)
    assert known.write(lambda connection: cash_events.add_cash_event(connection, ANN, event, now=NOON))
    assert not known.write(lambda connection: cash_events.add_cash_event(connection, ANN, event, now=NOON))
    assert known.write(lambda connection: cash_events.add_cash_event(connection, BOB, event, now=NOON))
    with known.read() as connection:
        found = list(cash_events.cash_events_of(connection, ANN.label, since=NOON - SECOND, until=NOON + SECOND))
    assert found == [(event, 1)]


def test_how_far_a_ledger_was_read_never_goes_back_and_a_failure_keeps_it(known: Store) -> None:
    label = ANN.label
    known.write(lambda connection: cash_events.note_read(connection, label, asked_at=NOON, at=NOON))
    known.write(lambda connection: cash_events.note_read(connection, label, asked_at=NOON - SECOND, at=NOON + SECOND))
    known.write(lambda connection: cash_events.note_unread(connection, label, "503"))
    with known.read() as connection:
        reading = cash_events.find_reading(connection, label)
        assert reading is not None
        assert (reading.read_until, reading.read_at, reading.problem) == (NOON, NOON + SECOND, "503")
        assert cash_events.all_readings(connection) == {label: reading}
        assert cash_events.find_reading(connection, BOB.label) is None
    known.write(lambda connection: cash_events.note_read(connection, label, asked_at=NOON, at=NOON + 2 * SECOND))
    with known.read() as connection:
        assert cash_events.all_readings(connection)[label].problem == ""


def test_what_a_ledger_tells_only_after_the_books_began_is_taken_out_of_what_they_began_with(known: Store) -> None:
    opening = OpeningBalances(NOON, {"USD": Decimal(500)})
    known.write(lambda connection: opening_balances.save_opening(connection, ANN.label, opening))
    events = [
        deposit("E1", NOON - SECOND, "100"),
        deposit("E2", NOON, "7"),
        CashEvent(event_id="E3", kind=CashKind.STAKING, asset="ETH", amount=Decimal("0.1"), at=NOON - SECOND),
        CashEvent(event_id="E4", kind=CashKind.STAKING, asset="ETH", amount=Decimal("0.2"), at=NOON - SECOND),
    ]
    known.write(lambda connection: opening_balances.take_out(connection, ANN.label, events))
    known.write(lambda connection: opening_balances.take_out(connection, BOB.label, events))
    with known.read() as connection:
        found = opening_balances.find_opening(connection, ANN.label)
        assert opening_balances.find_opening(connection, BOB.label) is None
    assert found == OpeningBalances(NOON, {"USD": Decimal(400), "ETH": Decimal("-0.3")})


def point(at: datetime, *, settled: bool = False) -> EquityPoint:
    return EquityPoint(
        account_id=ANN.label,
        at=at,
        currency="USD",
        cash_available=Decimal("90.5"),
        cash_held=Decimal(10),
        positions_value=Decimal("0.0005"),
        equity=Decimal("100.5005"),
        unpriced={"XYZ": Decimal("1e-8")},
        oldest_price_at=NOON,
        units={"USD": Decimal("100.5"), "BTC": Decimal("0.00000001"), "XYZ": Decimal("1e-8")},
        marks={"BTC": Mark(Decimal(50000), NOON)},
        settled=settled,
    )


def test_points_are_read_back_exactly_and_the_newest_settled_one_is_found(known: Store) -> None:
    points = [point(NOON, settled=True), point(NOON + SECOND)]
    for one in points:
        known.write(lambda connection, one=one: equity_points.add_point(connection, one))  # type: ignore[misc]
    with known.read() as connection:
        assert list(equity_points.points_of(connection, ANN.label)) == points
        assert equity_points.newest_point(connection, ANN.label) == points[1]
        assert equity_points.newest_point(connection, ANN.label, settled=True) == points[0]
        assert equity_points.first_point(connection, ANN.label) == points[0]
        assert equity_points.newest_point(connection, BOB.label) is None


def test_old_points_are_thinned_out_in_bounded_steps(known: Store) -> None:
    moments = [NOON - timedelta(days=500), *(NOON + timedelta(minutes=number) for number in range(1200))]
    rows = [{"account_id": ANN.label, "at": moment, "currency": "USD", "settled": False} for moment in moments]
    amounts = dict.fromkeys(("cash_available", "cash_held", "positions_value", "equity"), Decimal(1))
    known.write(
        lambda connection: connection.execute(
            insert(equity_point), [row | amounts | {"unpriced_json": "{}"} for row in rows]
        )
    )
    last_hour = NOON + timedelta(hours=19)
    removed = known.write(
        lambda connection: equity_points.thin_out(
            connection, ANN.label, all_since=last_hour, drop_before=NOON + timedelta(hours=2)
        )
    )
    with known.read() as connection:
        kept = [one.at for one in equity_points.points_of(connection, ANN.label)]
    assert kept[0] == moments[0]
    assert kept[1:18] == [NOON + timedelta(hours=number) for number in range(2, 19)]
    assert len(kept) == 1 + 17 + 60
    assert removed == len(moments) - len(kept)


def day(name: str, **changes: object) -> DayClose:
    values: dict[str, object] = {
        "account_id": ANN.label,
        "day": name,
        "closes_at": NOON,
        "currency": "USD",
        "opening_equity": None,
        "equity": Decimal("1e-8"),
        **dict.fromkeys(
            ("realised", "unrealised_change", "fees", "net_deposits", "income", "other_holdings", "difference"),
            Decimal("1.5"),
        ),
        "differences": {"USD": Difference(Decimal(-1), Decimal(-1)), "XYZ": Difference(Decimal(2), None)},
        "units": {"USD": Decimal(5)},
        "marks": {"BTC": Mark(Decimal("0.1"), NOON)},
        "books_json": '{"a": 1}',
        "booked": BookedUntil(3, 2, 1),
        "trades": 4,
        "wins": 1,
        "losses": 2,
        "turnover": None,
        "status": DayStatus.BROKEN,
        "problem": "why",
        "written_at": NOON,
    }
    return DayClose(**(values | changes))  # type: ignore[arg-type]


def test_days_are_read_back_exactly_and_written_over(known: Store) -> None:
    days = [day(f"2026-01-0{number}") for number in (1, 2, 3)]
    for one in days:
        known.write(lambda connection, one=one: day_closes.save_close(connection, one))  # type: ignore[misc]
    better = day("2026-01-02", status=DayStatus.OK, problem="", differences={})
    known.write(lambda connection: day_closes.save_close(connection, better))
    with known.read() as connection:
        assert list(day_closes.closes_of(connection, ANN.label)) == [days[0], better, days[2]]
        assert list(day_closes.closes_of(connection, ANN.label, "2026-01-02", "2026-01-02")) == [better]
        assert day_closes.last_close(connection, ANN.label) == days[2]
        assert day_closes.close_before(connection, ANN.label, "2026-01-02") == days[0]
        assert day_closes.find_close(connection, ANN.label, "2026-01-09") is None
        assert list(day_closes.broken_days(connection, ANN.label)) == ["2026-01-01", "2026-01-03"]
        assert day_closes.last_close(connection, BOB.label) is None


def test_a_cost_says_who_says_it_and_how_it_is_known() -> None:
    with pytest.raises(ValueError, match="who says it"):
        WrittenCost(
            account_id="ann",
            asset="BTC",
            quantity=Decimal(1),
            cost=Decimal(1),
            currency="USD",
            acquired_at=NOON,
            said_by="",
            reason="",
            written_at=NOON,
        )

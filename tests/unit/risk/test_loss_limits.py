"""Loss of the day and loss from the peak: an account's own trades alone, whatever is paid in or out."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.order import IntentState, OrderKind, Side
from bot.domain.quote import Quote
from bot.domain.veto import VetoRule
from bot.risk.case import LimitRules
from bot.risk.profit import Tally, after_fills, unrealised
from bot.storage import risk_marks
from bot.storage.risk_marks import BookedFill, RiskMark
from bot.storage.store import Store
from tests.memory_broker import START
from tests.unit.risk.desk import ANN, KRAKEN, RiskDesk

LIMITS = LimitRules(max_daily_loss_percent=Decimal(10), max_drawdown_percent=Decimal(25))
DAY = 86_400


def fell(desk: RiskDesk, price: str, account: object = KRAKEN) -> RiskMark:
    for broker in desk.brokers.values():
        broker.price = Decimal(price)
    mark = desk.mark(account)  # type: ignore[arg-type]
    assert mark is not None
    return mark


def with_lots(store: Store, rules: LimitRules = LIMITS, quantity: str = "5000") -> RiskDesk:
    """Half of a million is in one market, at a price of 100; marked before and after."""
    desk = RiskDesk(store, rules, accounts_=(KRAKEN, ANN))
    assert desk.mark() is not None
    assert desk.enter("BTC/USD", quantity).state is IntentState.FILLED
    desk.mark()
    return desk


def rules_of(desk: RiskDesk) -> list[str]:
    return [rule for _, rule in desk.vetoes()]


def test_an_account_that_never_traded_needs_no_mark(store: Store) -> None:
    desk = RiskDesk(store, LIMITS)
    assert desk.enter().state is IntentState.FILLED


def test_one_that_traded_and_was_never_marked_enters_nothing(store: Store) -> None:
    desk = RiskDesk(store, LIMITS)
    desk.enter("A/USD")
    assert desk.enter("B/USD").state is IntentState.ABANDONED
    assert desk.details() == ["what the account's trades have made was not worked out yet"]


def test_a_loss_of_the_day_stops_entries_until_midnight_and_exits_go_on(store: Store) -> None:
    desk = with_lots(store)
    assert fell(desk, "81").profit == -95_000
    assert desk.enter("A/USD", "1").state is IntentState.FILLED
    fell(desk, "80")
    assert desk.enter("B/USD", "1").state is IntentState.ABANDONED
    assert rules_of(desk) == ["daily_loss"]
    assert desk.exit("BTC/USD", "1").state is IntentState.FILLED
    # At midnight the day is over, also before the first mark of the new one.
    desk.clock.seconds = DAY - 60
    desk.mark()
    desk.clock.seconds = DAY + 60
    assert desk.enter("C/USD", "1").state is IntentState.FILLED
    assert fell(desk, "80").day_start_profit < 0
    assert desk.enter("D/USD", "1").state is IntentState.FILLED


def test_a_loss_overnight_belongs_to_the_new_day(store: Store) -> None:
    desk = with_lots(store)
    desk.clock.seconds = DAY + 60
    mark = fell(desk, "79")
    assert (mark.day, mark.day_start_profit, mark.profit) == ("2026-01-02", 0, -105_000)
    assert mark.day_start_equity == 1_000_000
    assert desk.enter("A/USD", "1").state is IntentState.ABANDONED


def test_a_drawdown_lasts_over_days_until_a_person_resets_it(store: Store) -> None:
    desk = with_lots(store, replace(LIMITS, max_daily_loss_percent=None))
    fell(desk, "140")  # a peak of 200,000 more
    mark = fell(desk, "80")  # 300,000 less than that, of 1,200,000
    assert (mark.peak_profit, mark.peak_equity, mark.profit) == (200_000, 1_200_000, -100_000)
    desk.clock.seconds = 3 * DAY
    desk.mark()
    assert desk.enter("A/USD", "1").state is IntentState.ABANDONED
    assert rules_of(desk) == ["drawdown"]
    assert "300000 USD (25.00 %)" in desk.details()[0]


def test_deposits_and_withdrawals_are_no_profit_and_no_loss(store: Store) -> None:
    desk = with_lots(store)
    broker = desk.brokers[KRAKEN]
    broker.cash += 5_000_000
    assert fell(desk, "100").profit == 0
    broker.cash -= 5_400_000
    for _ in range(3):
        mark = fell(desk, "100")
    assert (mark.profit, mark.peak_profit, mark.day_start_profit) == (0, 0, 0)
    assert desk.enter("A/USD", "1").state is IntentState.FILLED


def test_percents_are_of_what_was_left_in_the_account(store: Store) -> None:
    desk = with_lots(store)
    desk.brokers[KRAKEN].cash -= 400_000
    for _ in range(2):
        mark = fell(desk, "100")
    assert (mark.day_start_equity, mark.peak_equity) == (600_000, 600_000)
    fell(desk, "88")  # 60,000 of them
    assert desk.enter("A/USD", "1").state is IntentState.ABANDONED
    assert rules_of(desk) == ["daily_loss"]


def test_cash_that_is_missing_once_is_not_taken_for_a_withdrawal(store: Store) -> None:
    desk = with_lots(store)
    broker = desk.brokers[KRAKEN]
    broker.cash -= 400_000
    fell(desk, "100")
    broker.cash += 400_000
    assert fell(desk, "100").day_start_equity == 1_000_000


def test_accounts_share_no_peak_and_no_loss(store: Store) -> None:
    desk = with_lots(store)
    desk.mark(ANN)
    desk.enter("BTC/USD", "1", account=ANN)
    fell(desk, "79")
    fell(desk, "79", ANN)
    assert desk.enter("A/USD", "1").state is IntentState.ABANDONED
    assert desk.enter("A/USD", "1", account=ANN).state is IntentState.FILLED


def test_a_lot_without_a_price_makes_the_profit_unknown_and_that_stops_entries(store: Store) -> None:
    desk = with_lots(store)
    mark = desk.mark(prices={})
    assert mark is not None
    assert (mark.profit, mark.problem) == (None, "BTC/USD has no price")
    assert desk.enter("A/USD", "1").state is IntentState.ABANDONED
    assert desk.details() == ["what the account's trades have made is not known: BTC/USD has no price"]
    assert fell(desk, "100").profit == 0
    assert desk.enter("A/USD", "1").state is IntentState.FILLED


def test_a_mark_of_long_ago_says_nothing_about_now(store: Store) -> None:
    desk = with_lots(store)
    desk.clock.seconds += 601
    assert desk.enter("A/USD", "1").state is IntentState.ABANDONED
    assert desk.details() == ["what the account's trades have made was last known 601 s ago"]


def test_sales_of_what_was_there_before_make_no_profit(store: Store) -> None:
    desk = with_lots(store, quantity="1")
    desk.brokers[KRAKEN].coins += 10
    desk.exit("BTC/USD", "6")
    desk.brokers[KRAKEN].price = Decimal(200)
    assert fell(desk, "200").profit == 0


def test_counting_goes_on_where_it_stood_after_a_restart(store: Store) -> None:
    desk = with_lots(store, quantity="10")
    desk.brokers[KRAKEN].price = Decimal(150)
    desk.exit("BTC/USD", "4")
    again = RiskDesk(store, LIMITS)
    again.clock.seconds = desk.clock.seconds
    again.brokers[KRAKEN] = desk.brokers[KRAKEN]
    mark = again.mark(prices={"BTC/USD": "150"})
    assert mark is not None
    assert (mark.realised_profit, mark.profit) == (200, 500)


def test_lots_that_the_books_have_given_up_are_not_counted_against_later_ones(store: Store) -> None:
    desk = with_lots(store, quantity="10")
    store.write(lambda connection: connection.exec_driver_sql("DELETE FROM position"))
    desk.mark()
    desk.brokers[KRAKEN].price = Decimal(200)
    desk.enter("BTC/USD", "10")
    desk.exit("BTC/USD", "10")
    mark = desk.mark()
    assert mark is not None
    assert mark.profit == 0


def test_a_mark_that_cannot_be_read_vetoes(store: Store) -> None:
    desk = with_lots(store)
    store.write(lambda connection: connection.exec_driver_sql("UPDATE risk_mark SET profit = 'NaN'"))
    assert desk.enter("A/USD", "1").state is IntentState.ABANDONED
    store.write(lambda connection: connection.exec_driver_sql("UPDATE risk_mark SET lots_json = '['"))
    assert desk.enter("B/USD", "1").state is IntentState.ABANDONED
    assert set(rules_of(desk)) == {str(VetoRule.DAILY_LOSS)}


def test_fees_are_losses_whatever_they_are_paid_in() -> None:
    def bought(currency: str, fee: str) -> BookedFill:
        return BookedFill(1, "BTC/USD", "buy", Decimal(2), Decimal(100), Decimal(fee), currency, ours=True)

    for currency, fee in (("USD", "1"), ("BTC", "0.01")):
        tally = after_fills(Tally(Decimal(0), {}), [bought(currency, fee)], currency="USD")
        assert tally.realised == -1
    assert tally.lots["BTC/USD"].quantity == Decimal("1.99")


AMOUNTS = st.decimals(min_value="0.01", max_value="1000", places=2)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.booleans(), AMOUNTS, AMOUNTS, AMOUNTS), min_size=1, max_size=25), AMOUNTS)
def test_profit_is_what_came_in_less_what_went_out_plus_what_is_left(
    trades: list[tuple[bool, Decimal, Decimal, Decimal]], last: Decimal
) -> None:
    """Never selling more than is held, the two ways to count must agree."""
    held, cash, fills = Decimal(0), Decimal(0), []
    for number, (buys, quantity, price, fee) in enumerate(trades):
        size = quantity if buys or not held else min(quantity, held)
        side = Side.BUY if buys or not held else Side.SELL
        held += size if side is Side.BUY else -size
        cash -= (size * price if side is Side.BUY else -size * price) + fee
        fills.append(BookedFill(number, "BTC/USD", str(side), size, price, fee, "USD", ours=True))
    tally = after_fills(Tally(Decimal(0), {}), fills, currency="USD")
    quotes = {"BTC/USD": Quote("BTC/USD", last, last, START)}
    profit = tally.realised + unrealised(tally.lots, quotes, currency="USD")
    assert abs(profit - (cash + held * last)) < Decimal("1e-12")


def test_a_users_own_trade_by_hand_is_not_his_accounts_profit(store: Store) -> None:
    desk = RiskDesk(store, LIMITS, accounts_=(KRAKEN, ANN))
    desk.mark(ANN)
    broker = desk.brokers[ANN]
    broker.by_hand(Side.BUY, "3")
    broker.price = Decimal(10)
    broker.by_hand(Side.SELL, "3")
    assert len(desk.recorders[ANN].note_foreign(broker.fills)) == 2
    mark = desk.mark(ANN)
    assert mark is not None
    assert mark.profit == 0
    with store.read() as connection:
        assert [fill.ours for fill in risk_marks.fills_after(connection, ANN.label, 0)] == [False, False]


@pytest.mark.parametrize("kind", [OrderKind.ENTRY, OrderKind.EXIT])
def test_every_fill_of_ours_is_in_the_ledger_in_the_order_of_booking(store: Store, kind: OrderKind) -> None:
    desk = RiskDesk(store, LimitRules())
    desk.enter("BTC/USD", "3")
    if kind is OrderKind.EXIT:
        desk.exit("BTC/USD", "1")
    with store.read() as connection:
        fills = risk_marks.fills_after(connection, KRAKEN.label, 0)
    assert [fill.ours for fill in fills] == [True] * (1 if kind is OrderKind.ENTRY else 2)
    assert [fill.sequence for fill in fills] == sorted(fill.sequence for fill in fills)

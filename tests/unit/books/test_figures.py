"""Equity at prices that have an age, drawdown net of deposits, win rates with their count."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

from bot.books.entries import Trade
from bot.books.equity import Mark, value
from bot.books.ledger import Books
from bot.books.performance import (
    EquityAt,
    ResultTally,
    fee_share,
    hold_change,
    max_drawdown,
    time_weighted_return,
)
from bot.domain.order import Side

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def line(*points: tuple[str, str]) -> list[EquityAt]:
    return [EquityAt(NOW + timedelta(days=day), D(equity), D(flow)) for day, (equity, flow) in enumerate(points)]


def test_what_has_no_fresh_price_is_listed_apart_and_not_valued() -> None:
    marks = {
        "BTC": Mark(D(100), NOW - timedelta(seconds=60)),
        "ETH": Mark(D(10), NOW - timedelta(seconds=121)),
        "ADA": Mark(D(1), NOW + timedelta(seconds=500)),
    }
    units = {"USD": D(5), "BTC": D(2), "ETH": D(3), "ADA": D(1), "DOGE": D(7), "SOL": D(0)}
    equity = value(units, marks, "USD", now=NOW, max_age_seconds=120)
    assert (equity.cash, equity.positions, equity.total) == (5, 200, 205)
    assert equity.unpriced == {"ETH": 3, "ADA": 1, "DOGE": 7}
    assert equity.oldest_price_at == NOW - timedelta(seconds=60)


def test_a_withdrawal_is_no_drawdown_and_a_deposit_hides_none() -> None:
    withdrawn = max_drawdown(line(("1000", "0"), ("500", "-500"), ("550", "0")))
    assert withdrawn.fraction == 0
    hidden = max_drawdown(line(("1000", "0"), ("900", "0"), ("2000", "1100"), ("1900", "0")))
    assert hidden.fraction == 1 - D("0.9") * D("0.95")
    assert (hidden.peak_at, hidden.trough_at) == (NOW, NOW + timedelta(days=3))


def test_an_account_that_was_empty_begins_anew_with_what_comes_in() -> None:
    assert max_drawdown(line(("0", "0"), ("100", "100"), ("100", "0"))).fraction == 0
    assert time_weighted_return(line(("0", "0"), ("100", "100"), ("110", "0"))) == D("0.1")
    assert time_weighted_return(line(("100", "0"))) is None


def test_fills_of_one_order_are_one_result_and_a_fee_can_turn_a_gain_into_a_loss() -> None:
    tally = ResultTally()
    books = Books("USD", on_close=tally)

    def fill(number: int, side: Side, order: str, price: str, fee: str = "0") -> None:
        at = NOW + timedelta(minutes=number)
        books.apply(
            Trade(
                trade_id=f"T{number}",
                symbol="BTC/USD",
                side=side,
                quantity=D(1),
                price=D(price),
                fee=D(fee),
                fee_currency="USD",
                at=at,
                order_id=order,
            )
        )

    for number in range(4):
        fill(number, Side.BUY, "in", "100")
    fill(4, Side.SELL, "first", "99")
    fill(5, Side.SELL, "first", "103")
    fill(6, Side.SELL, "second", "101", fee="1.5")
    fill(7, Side.SELL, "third", "100")
    fill(8, Side.SELL, "unknown", "100")
    wins = tally.wins()
    assert (wins.wins, wins.losses, wins.even, wins.count) == (1, 1, 1, 3)
    assert wins.rate == D(1) / 3
    assert (wins.gross_profit, wins.gross_loss) == (3, 0)
    assert fee_share(D("1.5"), wins.gross_profit) == D("0.5")
    assert fee_share(D(1), D(0)) is None


def test_holding_is_judged_at_prices_of_both_ends_only() -> None:
    units = {"BTC": D(2), "ETH": D(5)}
    assert hold_change(units, {"BTC": D(10), "ETH": D(1)}, {"BTC": D(12)}) == 4


def test_money_that_comes_into_next_to_nothing_makes_no_drawdown_of_its_own() -> None:
    assert max_drawdown(line(("0.00000003", "0"), ("9998", "10000"))).fraction < D("0.00021")


def test_who_takes_nearly_all_out_has_lost_only_what_was_lost() -> None:
    assert max_drawdown(line(("1000", "0"), ("5", "-990"))).fraction == D("0.005")

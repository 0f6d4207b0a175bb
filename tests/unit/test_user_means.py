"""What a user has to copy with when signals come quickly, what it keeps for later, and what a shadow would hold."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from bot.copy_trade_engine import Follower
from bot.domain.account import AccountRef
from bot.domain.balance import AssetBalance, Holdings
from bot.domain.order import Side
from bot.position_sizer import BelowMinimum, CopyMode, CopyRules
from bot.storage.schema import accumulation, copy_result, order_intent, signal
from bot.storage.store import Store
from tests.unit.copy_bench import KRAKEN, MASTER, Bench

PRICE = Decimal(50000)


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, {"ann": "1000"})


def rows(bench: Bench, name: str = "ann") -> list[Mapping[str, Any]]:
    """The user's copies, oldest signal first."""
    query = (
        select(copy_result, signal.c.kind)
        .join(signal, signal.c.signal_id == copy_result.c.signal_id)
        .where(copy_result.c.account_id == f"{name}_kraken")
        .order_by(signal.c.sequence)
    )
    with bench.store.read() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def with_rules(bench: Bench, rules: CopyRules, *, shadow: bool = False) -> None:
    account = AccountRef.user(KRAKEN, "ann")
    bench.followers = [Follower(account=account, name="ann", rules=rules, shadow=shadow, paper_balance=Decimal(1000))]


def kept(bench: Bench) -> Decimal:
    with bench.store.read() as connection:
        return sum(connection.execute(select(accumulation.c.quantity)).scalars(), Decimal(0))


# -- signals in quick succession --------------------------------------------------------------------------------------
def test_a_second_signal_while_the_first_copy_is_under_way_keeps_the_ratio(bench: Bench) -> None:
    """The master has 9,500 left after 500 of 10,000; a user whose 50 are not booked yet has 950, not 1,000."""
    for _ in range(3):
        bench.master_trades(Side.BUY, "0.01")
        bench.clock.seconds += 0.2
    bench.plan()
    found = rows(bench)
    assert [row["user_balance"] for row in found] == [Decimal(1000), Decimal(950), Decimal(900)]
    assert {row["ratio"] for row in found} == {Decimal("0.1")}


def test_money_that_is_on_its_way_is_never_planned_again(bench: Bench) -> None:
    """Each signal alone would take 40 % of the cash, with the fee and the price bound; four of them do not fit."""
    with_rules(bench, CopyRules(mode=CopyMode.FIXED_AMOUNT, fixed_amount_quote=Decimal(400)))
    for _ in range(4):
        bench.master_trades(Side.BUY, "0.01")
        bench.clock.seconds += 0.2
    bench.plan()
    with bench.store.read() as connection:
        orders = connection.execute(
            select(order_intent.c.quantity, order_intent.c.limit_price).where(order_intent.c.signal_id.is_not(None))
        ).all()
    most = sum((quantity * price for quantity, price in orders), Decimal(0)) * Decimal("1.004")
    assert Decimal(900) < most <= 1000
    assert [row["status"] for row in rows(bench)] == ["planned"] * 3 + ["skipped"]


def test_after_the_copies_are_booked_the_ratio_is_still_the_same(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    bench.clock.seconds += 0.2
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    first, second = rows(bench)
    assert first["status"] == "copied"
    assert abs(second["ratio"] - first["ratio"]) < Decimal("0.001")


# -- equity -----------------------------------------------------------------------------------------------------------
def holds(bench: Bench, account: AccountRef, **units: str) -> None:
    assets = {asset: AssetBalance(Decimal(amount), Decimal(0)) for asset, amount in units.items()}
    bench.brokers[account].balance_book.record(Holdings(assets, bench.clock.now()))


def test_equity_counts_what_both_sides_hold_and_is_from_before_the_masters_order(bench: Bench) -> None:
    """10,000 and a coin of 50,000 on one side, 1,000 and a tenth of a coin on the other: a tenth of it."""
    with_rules(bench, CopyRules(mode=CopyMode.EQUITY_RATIO))
    holds(bench, MASTER, USD="10000", BTC="1")
    holds(bench, AccountRef.user(KRAKEN, "ann"), USD="1000", BTC="0.1")
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    (row,) = rows(bench)
    assert (row["ratio"], row["planned_quantity"]) == (Decimal("0.1"), Decimal("0.001"))


def test_what_has_no_fresh_price_on_either_side_makes_the_equity_unknown(bench: Bench) -> None:
    with_rules(bench, CopyRules(mode=CopyMode.EQUITY_RATIO))
    for account, name in ((MASTER, "the master: DOGE"), (AccountRef.user(KRAKEN, "ann"), "DOGE")):
        bench.brokers[MASTER].balance_book.record(
            Holdings({"USD": AssetBalance(Decimal(10000), Decimal(0))}, bench.clock.now())
        )
        before = bench.balance_of(account).holdings
        assert before is not None
        holds(bench, account, USD=str(before.of("USD").total), DOGE="5")
        bench.master_trades(Side.BUY, "0.01")
        bench.plan()
        row = rows(bench)[-1]
        assert (row["reason"], row["detail"]) == ("equity_unknown", f"{name} has no price that is fresh")


# -- shares below the minimum -----------------------------------------------------------------------------------------
def small_trades(bench: Bench, times: int) -> None:
    """Each is a share of 0.00002 for a user with a tenth; the smallest order is 0.00005."""
    for _ in range(times):
        bench.master_trades(Side.BUY, "0.0002")
        bench.plan()
        bench.clock.seconds += 1


def test_shares_are_gathered_and_the_signal_that_makes_them_enough_is_copied_with_all_of_them(bench: Bench) -> None:
    with_rules(bench, CopyRules(below_minimum=BelowMinimum.ACCUMULATE))
    small_trades(bench, 3)
    first, second, third = rows(bench)
    assert [row["reason"] for row in (first, second)] == ["below_minimum"] * 2
    assert first["detail"].startswith("kept for later: 0.00002 of 0.00005")
    assert third["status"] == "planned"
    assert Decimal("0.00005") <= third["planned_quantity"] <= Decimal("0.0000601")
    assert kept(bench) == 0


def test_what_was_kept_too_long_is_forgotten(bench: Bench) -> None:
    with_rules(bench, CopyRules(below_minimum=BelowMinimum.ACCUMULATE, accumulate_hours=Decimal(1)))
    small_trades(bench, 2)
    gathered = kept(bench)
    bench.clock.seconds += timedelta(hours=1).total_seconds()
    for account in bench.brokers:
        bench.brokers[account].refresh_balance()
    small_trades(bench, 1)
    assert rows(bench)[-1]["reason"] == "below_minimum"
    assert kept(bench) < gathered


def test_a_sale_of_the_master_lowers_what_is_kept_by_the_same_fraction_and_all_of_it_clears_it(bench: Bench) -> None:
    with_rules(bench, CopyRules(below_minimum=BelowMinimum.ACCUMULATE))
    small_trades(bench, 2)
    gathered = kept(bench)
    bench.master_trades(Side.SELL, "0.0002")
    bench.plan()
    assert kept(bench) == gathered / 2
    bench.master_trades(Side.SELL, "0.0002")
    bench.plan()
    assert kept(bench) == 0
    assert [row["reason"] for row in rows(bench) if row["kind"] == "exit"] == ["nothing_held"] * 2


# -- a shadow user ----------------------------------------------------------------------------------------------------
def test_a_shadow_user_answers_entries_and_exits_from_what_it_would_hold(bench: Bench) -> None:
    with_rules(bench, CopyRules(), shadow=True)
    bench.not_ready = "not connected: it has no key"
    for side, quantity in ((Side.BUY, "0.01"), (Side.BUY, "0.01"), (Side.SELL, "0.01"), (Side.SELL, "0.01")):
        bench.master_trades(side, quantity)
        bench.plan()
    found = rows(bench)
    assert {(row["status"], row["reason"]) for row in found} == {("skipped", "shadow")}
    bought, sold = found[:2], found[2:]
    assert [row["user_balance"] for row in bought] == [1000, 950]
    assert sum(row["planned_quantity"] for row in bought) == sum(row["planned_quantity"] for row in sold)
    assert sold[0]["detail"].startswith("would have sold ")
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    assert rows(bench)[-1]["user_balance"] == 1000
    assert bench.missing() == 0


def test_a_shadow_that_would_hold_nothing_has_nothing_to_sell(bench: Bench) -> None:
    with_rules(bench, CopyRules(deny_symbols=frozenset({"BTC/USD"})), shadow=True)
    for side in (Side.BUY, Side.SELL):
        bench.master_trades(side, "0.01")
        bench.plan()
    assert [row["reason"] for row in rows(bench)] == ["symbol_not_allowed", "nothing_held"]

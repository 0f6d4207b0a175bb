"""What trickles into a master's order, or into its chain of orders, reaches users in parts that add up to one entry."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.order import OrderKind, OrderType, Side
from bot.domain.position import ExitPlan
from bot.position_sizer import BelowMinimum, CopyMode, CopyRules, EarlierParts, EntryToCopy, NoSize, PositionSizer
from bot.risk.case import LimitRules
from bot.risk.gate import NothingHalted, TradingGate
from bot.risk.limits import Limits
from bot.seams.ids import client_order_id
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from tests.memory_broker import BTC
from tests.unit.copy_bench import MASTER, Bench

ON_BOTH_DATABASES = True
COARSE = replace(BTC, lot_step=Decimal("0.0001"), minimum_quantity=Decimal("0.0004"))
FIXED = CopyRules(mode=CopyMode.FIXED_AMOUNT, fixed_amount_quote=Decimal(100))


def bench_of(store: Store, rules: CopyRules | None = None) -> Bench:
    """Ann has a tenth of what the master has; a lot is 5 USD, the smallest order 20 USD."""
    bench = Bench(store, {"ann": "1000"}, rules=rules)
    bench.instrument_of = lambda broker, symbol: COARSE  # type: ignore[method-assign]
    return bench


def chain_trades(bench: Bench, parts: Sequence[str], *, chain: str = "") -> None:
    """The master's orders of one chain, each filled and copied before the next is placed."""
    chain = chain or bench.ids.token()
    before = bench.brokers[MASTER].cash
    for step, quantity in enumerate(parts):
        name = client_order_id(
            install_id="test", decision_id=chain, account_id="kraken", leg=f"entry-step-{step}", attempt=0
        )
        bench.executors[MASTER].place(
            OrderIntent(
                client_order_id=name,
                account_id=MASTER.label,
                signal_id=None,
                decision="test",
                symbol="BTC/USD",
                side=Side.BUY,
                kind=OrderKind.ENTRY,
                order_type=OrderType.MARKET,
                quantity=Decimal(quantity),
                limit_price=None,
                balance_before=before,
                exit_plan=ExitPlan(),
                created_at=bench.clock.now(),
                chain_id=chain,
                chain_step=step,
            )
        )
        bench.plan()
        bench.copy("ann")


def bought(bench: Bench) -> list[Decimal]:
    return [request.quantity for request in bench.user("ann").received]


def test_the_copies_of_a_chain_add_up_to_the_users_share_of_all_of_it(store: Store) -> None:
    bench = bench_of(store)
    chain_trades(bench, ["0.02", "0.015", "0.025", "0.0155"])
    # What the first ones cost makes the user no smaller for the next, and what rounding left of one is in the next.
    assert bought(bench) == [Decimal("0.002"), Decimal("0.0015"), Decimal("0.0025"), Decimal("0.0015")]
    assert sum(bought(bench)) == Decimal("0.0755").quantize(Decimal("0.001"), ROUND_DOWN) / 10
    assert {status for _, status, _ in bench.rows()} == {"copied"}


def test_crumbs_of_a_chain_are_gathered_until_they_are_an_order(store: Store) -> None:
    bench = bench_of(store)
    chain_trades(bench, ["0.0015", "0.0015", "0.0015", "0.004"])
    assert bought(bench) == [Decimal("0.0004"), Decimal("0.0004")]
    assert [reason for _, _, reason in bench.rows()] == ["", "", "below_minimum", "below_minimum"]


def test_batches_of_one_order_are_parts_of_one_entry_too(store: Store) -> None:
    bench = bench_of(store, CopyRules(mode=CopyMode.FIXED_RATIO, fixed_ratio=Decimal("0.1")))
    master = bench.brokers[MASTER]
    order = master.resting(Side.BUY, "0.006")
    for _ in range(2):
        bench.clock.seconds += 1
        master._fill(order, Decimal("0.003"))
        bench.recorders[MASTER].book_history(master.fills)
        bench.plan()
        bench.copy("ann")
    assert bought(bench) == [Decimal("0.0006")]


def test_what_another_chain_has_left_over_is_no_part_of_this_one(store: Store) -> None:
    bench = bench_of(store)
    chain_trades(bench, ["0.003"])
    chain_trades(bench, ["0.003"])
    assert bought(bench) == []


def test_a_fixed_amount_is_bought_once_in_a_chain_and_again_in_the_next(store: Store) -> None:
    bench = bench_of(store, FIXED)
    chain_trades(bench, ["0.002", "0.015", "0.025"])
    assert bought(bench) == [Decimal("0.002")]
    chain_trades(bench, ["0.02"])
    assert bought(bench) == [Decimal("0.002"), Decimal("0.002")]


@pytest.mark.parametrize("together", [True, False])
def test_equal_steps_of_a_chain_are_no_repetition_and_equal_chains_are(store: Store, together: bool) -> None:
    bench = bench_of(store)
    limits = Limits(
        rules=LimitRules(duplicate_entry_seconds=5.0), clock=bench.clock, listed=lambda _account, _symbol: COARSE
    )
    bench.gate = TradingGate(halted=NothingHalted(), not_ready=lambda _label: "", limits=limits)
    for account in bench.brokers:
        if not account.is_master:
            bench.restarted(account)
    if together:
        chain_trades(bench, ["0.02", "0.02"])
        assert len(bought(bench)) == 2
    else:
        chain_trades(bench, ["0.02"])
        chain_trades(bench, ["0.02"])
        assert [reason for _, _, reason in bench.rows()] == ["limit", ""]


PARTS = st.lists(st.integers(1, 400), min_size=1, max_size=8)


@given(parts=PARTS, below=st.sampled_from([BelowMinimum.SKIP, BelowMinimum.ROUND_UP]))
@settings(max_examples=300, deadline=None)
def test_however_an_order_is_parted_a_user_gets_its_share_to_the_smallest_order(
    parts: list[int], below: BelowMinimum
) -> None:
    due, planned, ratio = Decimal(0), Decimal(0), None
    rules = CopyRules(below_minimum=below)
    for number, part in enumerate(parts):
        entry = EntryToCopy(
            symbol="BTC/USD",
            quantity=Decimal(part) / 10_000,
            price=Decimal(50_000),
            master_balance=Decimal(10_000),
            user_balance=Decimal(1000) - planned * 50_000,
            user_available=Decimal(100_000),
            reserve_percent=Decimal(1),
            user_exposure_by_symbol={},
            earlier=EarlierParts(ratio, due, planned) if number else None,
        )
        size = PositionSizer().size_entry(entry, rules, COARSE)
        ratio = size.ratio if ratio is None else ratio
        assert size.capped is not None
        due += size.capped
        planned += Decimal(0) if isinstance(size, NoSize) else size.quantity
    share = Decimal(sum(parts)) / 100_000
    smallest = COARSE.minimum_quantity
    assert due == share
    if below is BelowMinimum.SKIP:
        assert share - smallest < planned <= share
    else:
        assert abs(share - planned) < smallest, "rounded up and down, but never twice in the same direction"

"""Entries judged in one batch, on both databases: each account by its own rows, and what is let out counts at once."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from bot.domain.halt import HaltScope
from bot.domain.veto import VetoRule
from bot.risk.case import LimitRules
from bot.storage.store import Store
from tests.unit.bulk_desk import BTC_USD, USERS, Earlier, User, both_ways, lane_of, plain_user, set_up, undone
from tests.unit.copy_bench import Bench
from tests.unit.plan_bench import an_entry

ON_BOTH_DATABASES = True
PLAIN = plain_user()


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, dict.fromkeys(USERS, "1000"))


def rules_of(
    bench: Bench, users: Sequence[User], limits: LimitRules, scopes: Sequence[HaltScope] = ()
) -> dict[str, VetoRule]:
    """The rule that held back each user's entry; both ways of judging must say the same."""
    found: dict[str, VetoRule] = {}

    def work(connection: Connection) -> None:
        set_up(connection, bench, users, scopes)
        lane = lane_of(bench, limits, users)
        both_ways(connection, bench, lane, an_entry(bench))
        for entry in lane.entries:
            if entry.client_order_id in lane.vetoes:
                found[entry.account_id.removesuffix("_kraken")] = lane.vetoes[entry.client_order_id].rule

    undone(bench, work)
    return found


def sent(state: str, *, seconds_ago: int = 2, symbol: str = BTC_USD, quantity: str = "0.001") -> Earlier:
    return Earlier(symbol, state, seconds_ago, Decimal(quantity), needs_person=False)


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        (LimitRules(max_positions_all_accounts=2), VetoRule.MAX_POSITIONS_ALL),
        (LimitRules(max_total_notional_quote=Decimal(120)), VetoRule.ALL_NOTIONAL),
        (LimitRules(max_entries_per_minute_all_accounts=2), VetoRule.ORDER_RATE),
    ],
)
def test_what_is_let_out_counts_for_those_behind_it(bench: Bench, limits: LimitRules, rule: VetoRule) -> None:
    held_back = rules_of(bench, [PLAIN] * len(USERS), limits)
    assert held_back == dict.fromkeys(USERS[2:], rule)


@pytest.mark.parametrize(
    ("odd", "limits", "rule"),
    [
        (replace(PLAIN, earlier=[sent("filled")]), LimitRules(duplicate_entry_seconds=5.0), VetoRule.DUPLICATE),
        (replace(PLAIN, earlier=[sent("filled")]), LimitRules(max_entries_per_minute=1), VetoRule.ORDER_RATE),
        (
            replace(PLAIN, earlier=[sent("rejected"), sent("rejected", seconds_ago=9)]),
            LimitRules(max_rejects_in_a_row=2),
            VetoRule.REPEATED_REJECTS,
        ),
        (replace(PLAIN, holds={"C1/USD": "1"}), LimitRules(max_positions=1), VetoRule.MAX_POSITIONS),
        (replace(PLAIN, earlier=[sent("unknown", symbol="C1/USD")]), LimitRules(max_positions=1), "max_positions"),
        (replace(PLAIN, holds={BTC_USD: "0.7"}), LimitRules(max_symbol_notional_quote=Decimal(100)), "symbol_notional"),
        (replace(PLAIN, holds={"C1/USD": "1"}), LimitRules(max_account_notional_quote=Decimal(90)), "account_notional"),
        (replace(PLAIN, profit="-300"), LimitRules(max_daily_loss_percent=Decimal(10)), VetoRule.DAILY_LOSS),
        (replace(PLAIN, profit="-300"), LimitRules(max_drawdown_percent=Decimal(25)), VetoRule.DRAWDOWN),
        (replace(PLAIN, traded=True), LimitRules(max_daily_loss_percent=Decimal(10)), VetoRule.DAILY_LOSS),
        (replace(PLAIN, halted=True), LimitRules(), VetoRule.HALTED),
        (replace(PLAIN, ready=False), LimitRules(), VetoRule.NOT_READY),
    ],
)
def test_one_account_of_a_batch_is_held_back_by_its_own_rows_alone(
    bench: Bench, odd: User, limits: LimitRules, rule: str
) -> None:
    assert rules_of(bench, [PLAIN, odd, PLAIN], limits) == {"bob": rule}


@pytest.mark.parametrize("scope", [HaltScope.ALL, HaltScope.BROKER, HaltScope.SYMBOL])
def test_a_halt_holds_back_all_that_it_covers(bench: Bench, scope: HaltScope) -> None:
    assert rules_of(bench, [PLAIN] * 3, LimitRules(), [scope]) == dict.fromkeys(USERS[:3], VetoRule.HALTED)


def test_a_price_outside_the_collar_holds_back_all_entries_of_the_signal(bench: Bench) -> None:
    assert rules_of(bench, [PLAIN] * 2, LimitRules(price_collar_percent=Decimal(1))) == {}
    held_back = rules_of(bench, [PLAIN] * 2, LimitRules(price_collar_percent=Decimal("0.1")))
    assert held_back == dict.fromkeys(USERS[:2], VetoRule.PRICE_COLLAR)


def test_who_is_stopped_takes_no_place_of_those_behind_it(bench: Bench) -> None:
    users = [replace(PLAIN, halted=True), PLAIN, PLAIN]
    held_back = rules_of(bench, users, LimitRules(max_positions_all_accounts=2))
    assert held_back == {"ann": VetoRule.HALTED}

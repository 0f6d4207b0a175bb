"""Each limit: what it lets out, what it vetoes, with which numbers, and what it says when something is not known."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select

from bot.domain.account import BrokerType
from bot.domain.errors import InsufficientFunds, OrderRefused, OutcomeUnknown, RetryLater
from bot.domain.order import IntentState, OrderKind, Side
from bot.domain.signal import TradeSignal
from bot.domain.veto import BEFORE_AN_ORDER, VetoRule
from bot.risk.case import LimitRules
from bot.risk.limits import RULES
from bot.storage import signals
from bot.storage.intents import OrderIntent
from bot.storage.schema import veto
from bot.storage.store import Store
from tests.unit.risk.desk import ANN, KRAKEN, RiskDesk, listed

FILLED, ABANDONED = IntentState.FILLED, IntentState.ABANDONED


def numbers(desk: RiskDesk) -> Mapping[str, str]:
    """Of the last veto."""
    with desk.store.read() as connection:
        found: Mapping[str, str] = json.loads(
            connection.execute(select(veto.c.numbers_json).order_by(veto.c.id.desc()).limit(1)).scalar_one()
        )
    return found


def vetoed(intent: OrderIntent, rule: VetoRule) -> bool:
    return intent.state is ABANDONED and intent.reason.startswith(f"not sent: {rule}: ")


def test_every_rule_of_a_limit_is_judged() -> None:
    elsewhere = {VetoRule.HALTED, VetoRule.NOT_READY, VetoRule.MARKET_CLOSED, *BEFORE_AN_ORDER}
    assert {name for name, _ in RULES} == set(VetoRule) - elsewhere


def test_without_limits_everything_goes_out(store: Store) -> None:
    desk = RiskDesk(store, LimitRules())
    for number in range(20):
        assert desk.enter(f"C{number}/USD", "1000").state is FILLED
    assert desk.vetoes() == []


# -- positions ----------------------------------------------------------------------------------------------------
def test_a_market_that_is_held_already_takes_no_further_place(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_positions=2))
    assert [desk.enter(name).state for name in ("A/USD", "B/USD", "A/USD")] == [FILLED] * 3
    assert vetoed(desk.enter("C/USD"), VetoRule.MAX_POSITIONS)
    assert numbers(desk) == {"positions_and_open_entries": "2", "max_positions": "2"}


def test_an_entry_whose_outcome_is_unknown_takes_a_place(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_positions=1))
    desk.brokers[KRAKEN].script = [OutcomeUnknown("timed out")]
    assert desk.enter("A/USD").state is IntentState.UNKNOWN
    assert vetoed(desk.enter("B/USD"), VetoRule.MAX_POSITIONS)


def test_an_order_the_venue_did_not_take_gives_its_place_back(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_positions=1))
    desk.brokers[KRAKEN].script = [OrderRefused("no"), RetryLater("busy")]
    assert desk.enter("A/USD").state is IntentState.REJECTED
    assert desk.enter("B/USD").state is IntentState.CREATED
    assert desk.enter("C/USD").state is FILLED


def test_dust_takes_no_place_where_the_venues_minimum_is_known(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_positions=1))
    desk.enter("A/USD", "0.01")  # worth 1
    assert vetoed(desk.enter("B/USD"), VetoRule.MAX_POSITIONS)
    desk.listing["A/USD"] = listed("A/USD", minimum_notional="5")
    assert desk.enter("B/USD").state is FILLED
    # Entering what is dust until now makes it a position.
    assert vetoed(desk.enter("A/USD"), VetoRule.MAX_POSITIONS)


def test_accounts_have_a_cap_each_and_one_together(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_positions=2, max_positions_all_accounts=3), accounts_=(KRAKEN, ANN))
    for account, name in ((KRAKEN, "A/USD"), (KRAKEN, "B/USD"), (ANN, "A/USD")):
        assert desk.enter(name, account=account).state is FILLED
    assert vetoed(desk.enter("B/USD", account=ANN), VetoRule.MAX_POSITIONS_ALL)
    assert numbers(desk) == {"positions_and_open_entries": "3", "max_positions_all_accounts": "3"}
    assert desk.enter("A/USD", "2", account=ANN).state is FILLED
    assert vetoed(desk.enter("C/USD"), VetoRule.MAX_POSITIONS)


# -- notional -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("max_order_notional_quote", VetoRule.ORDER_NOTIONAL),
        ("max_symbol_notional_quote", VetoRule.SYMBOL_NOTIONAL),
        ("max_account_notional_quote", VetoRule.ACCOUNT_NOTIONAL),
        ("max_total_notional_quote", VetoRule.ALL_NOTIONAL),
    ],
)
def test_an_order_may_reach_a_notional_limit_and_not_pass_it(store: Store, name: str, rule: VetoRule) -> None:
    desk = RiskDesk(store, replace(LimitRules(), **{name: Decimal(500)}))
    assert vetoed(desk.enter("A/USD", "5.00000001"), rule)
    assert numbers(desk) == {
        "this_order_quote": "500.000001",
        "already_quote": "0",
        "together_quote": "500.000001",
        "limit_quote": "500",
        "quote_currency": "USD",
    }
    assert desk.enter("A/USD", "5").state is FILLED


def test_what_is_held_and_what_is_open_count_against_the_exposure(store: Store) -> None:
    rules = LimitRules(max_symbol_notional_quote=Decimal(500), max_account_notional_quote=Decimal(700))
    desk = RiskDesk(store, rules, accounts_=(KRAKEN, ANN))
    desk.enter("A/USD", "3")
    desk.brokers[KRAKEN].script = [OutcomeUnknown("timed out")]
    desk.enter("A/USD", "2", limit_price="100")
    assert vetoed(desk.enter("A/USD", "0.1"), VetoRule.SYMBOL_NOTIONAL)
    assert vetoed(desk.enter("B/USD", "2.1"), VetoRule.ACCOUNT_NOTIONAL)
    assert desk.enter("B/USD", "2").state is FILLED
    # Another account has its own.
    assert desk.enter("A/USD", "5", account=ANN).state is FILLED


def test_the_exposure_of_all_is_exact_to_the_last_digit_at_its_limit(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_total_notional_quote=Decimal("300.00000003")), accounts_=(KRAKEN, ANN))
    desk.enter("A/USD", "1.0000000001")
    desk.enter("A/USD", "1.0000000001", account=ANN)
    assert vetoed(desk.enter("B/USD", "1.0000000002"), VetoRule.ALL_NOTIONAL)
    assert desk.enter("B/USD", "1.0000000001").state is FILLED


def test_an_order_without_any_price_is_vetoed_where_a_limit_needs_it(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_order_notional_quote=Decimal(500)))
    assert vetoed(desk.enter("A/USD", reference_price=None), VetoRule.ORDER_NOTIONAL)
    assert numbers(desk) == {"unknown": "the price that this entry was sized at is not known"}
    assert vetoed(desk.enter("A/EUR"), VetoRule.ORDER_NOTIONAL)
    assert numbers(desk) == {"unknown": "what A/EUR is worth in USD is not known"}


@pytest.mark.parametrize("nonsense", ["NaN", "Infinity", "-Infinity", "-5", "0", "five", ""])
def test_a_row_that_is_no_amount_vetoes_and_lets_nothing_out(store: Store, nonsense: str) -> None:
    desk = RiskDesk(store, LimitRules(max_account_notional_quote=Decimal(10_000)))
    desk.enter("A/USD")
    store.write(lambda connection: connection.exec_driver_sql(f"UPDATE position SET quantity = '{nonsense}'"))
    assert desk.enter("B/USD").state is ABANDONED
    desk.limits.rules = LimitRules(max_total_notional_quote=Decimal(10_000))
    assert desk.enter("B/USD").state is ABANDONED
    assert len(desk.brokers[KRAKEN].received) == 1
    assert [rule for _, rule in desk.vetoes()] == ["account_notional", "all_notional"]


def test_an_exit_passes_whatever_is_over_its_limit(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_positions=8))
    desk.enter("A/USD", "5")
    tight = LimitRules(
        max_positions=1,
        max_order_notional_quote=Decimal(1),
        max_account_notional_quote=Decimal(1),
        max_total_notional_quote=Decimal(1),
        max_entries_per_minute=1,
        max_daily_loss_percent=Decimal("0.01"),
        price_collar_percent=Decimal("0.01"),
        duplicate_entry_seconds=3600,
    )
    desk.limits.rules = tight
    assert desk.enter("B/USD").state is ABANDONED
    assert desk.exit("A/USD", "2").state is FILLED
    assert desk.exit("A/USD", "2").state is FILLED


# -- pace, refusals, twins, price -----------------------------------------------------------------------------------
def test_entries_of_any_minute_are_counted_by_account_and_over_all(store: Store) -> None:
    rules = LimitRules(max_entries_per_minute=3, max_entries_per_minute_all_accounts=4)
    desk = RiskDesk(store, rules, accounts_=(KRAKEN, ANN))
    assert [desk.enter(f"C{number}/USD").state for number in range(3)] == [FILLED] * 3
    assert vetoed(desk.enter("D/USD"), VetoRule.ORDER_RATE)
    assert numbers(desk) == {"entries_in_last_minute": "3", "max_entries_per_minute": "3"}
    assert desk.enter("D/USD", account=ANN).state is FILLED
    assert vetoed(desk.enter("E/USD", account=ANN), VetoRule.ORDER_RATE)
    assert numbers(desk) == {"entries_in_last_minute": "4", "max_entries_per_minute_all_accounts": "4"}
    desk.clock.seconds += 61
    assert desk.enter("D/USD").state is FILLED


def refused(desk: RiskDesk, times: int, error: Exception | None = None) -> None:
    for number in range(times):
        desk.brokers[KRAKEN].script = [error or OrderRefused("EOrder:Trading agreement required")]
        assert desk.enter(f"R{number}/USD").state is IntentState.REJECTED
        desk.clock.seconds += 1


def test_refusals_in_a_row_pause_the_account_then_one_entry_is_tried(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_rejects_in_a_row=5), accounts_=(KRAKEN, ANN))
    refused(desk, 5)
    assert vetoed(desk.enter("A/USD"), VetoRule.REPEATED_REJECTS)
    assert "EOrder:Trading agreement required" in desk.details()[-1]
    assert desk.enter("A/USD", account=ANN).state is FILLED
    desk.clock.seconds += 900
    desk.brokers[KRAKEN].script = [OutcomeUnknown("timed out")]
    assert desk.enter("A/USD").state is IntentState.UNKNOWN
    assert vetoed(desk.enter("B/USD"), VetoRule.REPEATED_REJECTS)  # while that one is under way


def test_another_refusal_after_the_pause_is_another_pause_and_a_success_ends_it(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_rejects_in_a_row=2))
    refused(desk, 2, InsufficientFunds("not enough"))
    desk.clock.seconds += 900
    refused(desk, 1)
    assert vetoed(desk.enter("A/USD"), VetoRule.REPEATED_REJECTS)
    desk.clock.seconds += 900
    assert desk.enter("A/USD").state is FILLED
    assert desk.enter("B/USD").state is FILLED


def test_what_the_venue_has_not_judged_is_no_refusal(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_rejects_in_a_row=2, max_order_notional_quote=Decimal(500)))
    refused(desk, 1)
    assert vetoed(desk.enter("A/USD", "50"), VetoRule.ORDER_NOTIONAL)
    desk.brokers[KRAKEN].script = [RetryLater("busy")]
    assert desk.enter("A/USD").state is IntentState.CREATED
    assert desk.enter("B/USD").state is FILLED
    refused(desk, 1)
    assert desk.enter("C/USD").state is FILLED


def test_refusals_of_long_ago_are_forgotten(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_rejects_in_a_row=2, rejects_pause_seconds=86_400))
    refused(desk, 2)
    desk.clock.seconds += 3602
    assert desk.enter("A/USD").state is FILLED


def test_the_same_shape_again_within_seconds_is_a_twin(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(duplicate_entry_seconds=5.0), accounts_=(KRAKEN, ANN))
    first = desk.enter("A/USD", "2")
    desk.clock.seconds += 4
    assert vetoed(desk.enter("A/USD", "2.0"), VetoRule.DUPLICATE)
    assert numbers(desk)["other_order"] == first.client_order_id
    assert [desk.enter("A/USD", "2.1").state, desk.enter("B/USD", "2").state] == [FILLED, FILLED]
    assert desk.enter("A/USD", "2", account=ANN).state is FILLED
    desk.clock.seconds += 2
    assert desk.enter("A/USD", "2").state is FILLED


def test_the_same_order_that_is_sent_again_is_not_its_own_twin(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(duplicate_entry_seconds=5.0, max_entries_per_minute=1))
    desk.brokers[KRAKEN].script = [RetryLater("busy")]
    waiting = desk.enter("A/USD", "2")
    assert waiting.state is IntentState.CREATED
    assert desk.executors[KRAKEN].send(waiting).state is FILLED


@pytest.mark.parametrize(("limit", "passes"), [("105", True), ("105.01", False), ("95", True), ("94.99", False)])
def test_a_limit_price_outside_the_collar_is_not_sent(store: Store, limit: str, passes: bool) -> None:
    desk = RiskDesk(store, LimitRules(price_collar_percent=Decimal(5)))
    result = desk.enter("A/USD", "2", limit_price=limit)
    assert (not vetoed(result, VetoRule.PRICE_COLLAR)) == passes


def test_an_entry_that_was_sized_at_no_price_is_not_sent(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(price_collar_percent=Decimal(5)))
    for changes in ({}, {"limit_price": "100"}):
        assert vetoed(desk.enter("A/USD", reference_price=None, **changes), VetoRule.PRICE_COLLAR)
    assert desk.brokers[KRAKEN].received == []


def test_limits_do_not_judge_an_exit_even_when_they_are_asked(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_order_notional_quote=Decimal(1)))
    sale = desk.intent("A/USD", "50", kind=OrderKind.EXIT, side=Side.SELL)
    with store.read() as connection:
        assert desk.limits.veto(connection, sale) is None


def copied(desk: RiskDesk, signal_id: str, masters_order: str, **changes: object) -> OrderIntent:
    """Ann's copy of a trade of the master at 100, which was a part of this order of the master's."""
    signal = TradeSignal(
        signal_id=signal_id,
        broker=BrokerType.KRAKEN,
        symbol="A/USD",
        side=Side.BUY,
        kind=OrderKind.ENTRY,
        size=Decimal(200),
        quantity=Decimal(2),
        reference_price=Decimal(100),
        master_balance=None,
        executed_at=desk.clock.now(),
    )
    desk.store.write(
        lambda connection: signals.add_signal(
            connection, signal, account_id="kraken", venue_order_id=masters_order, batch=0, now=desk.clock.now()
        )
    )
    return desk.enter("A/USD", "2", account=ANN, signal_id=signal_id, **changes)


def test_parts_of_one_order_of_the_master_are_no_twins_and_two_orders_are(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(duplicate_entry_seconds=5.0), accounts_=(KRAKEN, ANN))
    assert copied(desk, "s1", "O1").state is FILLED
    assert copied(desk, "s2", "O1").state is FILLED
    assert vetoed(copied(desk, "s3", "O2"), VetoRule.DUPLICATE)


def test_a_copy_is_held_to_the_masters_own_price(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(price_collar_percent=Decimal(5)), accounts_=(KRAKEN, ANN))
    assert copied(desk, "s1", "O1", reference_price=None, limit_price="100.5").state is FILLED
    assert vetoed(copied(desk, "s2", "O2", reference_price=None, limit_price="106"), VetoRule.PRICE_COLLAR)

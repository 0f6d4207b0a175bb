"""After a loss a master pauses: in that market, and after several in a row altogether."""

import json
from decimal import Decimal

import pytest
from sqlalchemy import select

from bot.domain.order import IntentState
from bot.domain.veto import VetoRule
from bot.risk.case import LimitRules
from bot.risk.standing import anyone, standings
from bot.storage.intents import OrderIntent
from bot.storage.round_trips import round_trips_of
from bot.storage.schema import veto
from bot.storage.store import Store
from tests.unit.risk.desk import ANN, KRAKEN, RiskDesk

FILLED = IntentState.FILLED


def trade(desk: RiskDesk, symbol: str, *, bought_at: str, sold_at: str) -> None:
    broker = desk.brokers[KRAKEN]
    broker.price = Decimal(bought_at)
    assert desk.enter(symbol, "1").state is FILLED
    broker.price = Decimal(sold_at)
    assert desk.exit(symbol, "1").state is FILLED
    desk.clock.seconds += 10
    with desk.store.read() as connection:
        (last,) = round_trips_of(connection, KRAKEN.label, limit=1)
    assert last.symbol == symbol


def vetoed(intent: OrderIntent, rule: VetoRule) -> bool:
    return intent.reason.startswith(f"not sent: {rule}: ")


def numbers(desk: RiskDesk) -> dict[str, str]:
    with desk.store.read() as connection:
        found: dict[str, str] = json.loads(
            connection.execute(select(veto.c.numbers_json).order_by(veto.c.id.desc()).limit(1)).scalar_one()
        )
    return found


def test_a_market_where_something_was_lost_is_left_alone_for_a_while_and_no_other(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(cooldown_after_loss_minutes=30))
    trade(desk, "A/USD", bought_at="100", sold_at="90")
    trade(desk, "B/USD", bought_at="100", sold_at="110")
    assert vetoed(desk.enter("A/USD"), VetoRule.COOLDOWN)
    assert numbers(desk)["lost_quote"] == "10"
    assert numbers(desk)["cooldown_after_loss_minutes"] == "30"
    assert desk.enter("B/USD").state is FILLED
    desk.clock.seconds += 30 * 60 - 21
    assert vetoed(desk.enter("A/USD"), VetoRule.COOLDOWN)
    desk.clock.seconds += 2
    assert desk.enter("A/USD").state is FILLED


def test_a_gain_since_does_not_end_the_pause_after_a_loss(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(cooldown_after_loss_minutes=30))
    trade(desk, "A/USD", bought_at="100", sold_at="90")
    desk.limits.rules = LimitRules()
    trade(desk, "A/USD", bought_at="90", sold_at="95")
    desk.limits.rules = LimitRules(cooldown_after_loss_minutes=30)
    assert vetoed(desk.enter("A/USD"), VetoRule.COOLDOWN)


def test_after_so_many_losses_in_a_row_nothing_is_entered_until_the_pause_is_over(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_losses_in_a_row=2, losing_streak_pause_minutes=60))
    trade(desk, "A/USD", bought_at="100", sold_at="90")
    trade(desk, "B/USD", bought_at="100", sold_at="101")
    trade(desk, "A/USD", bought_at="100", sold_at="99")
    trade(desk, "C/USD", bought_at="100", sold_at="98")
    assert vetoed(desk.enter("D/USD"), VetoRule.LOSING_STREAK)
    assert numbers(desk)["losses_in_a_row"] == "2"
    with store.read() as connection:
        stands = standings(desk.limits.case(connection, anyone(KRAKEN.label)))
        (shown,) = [one for one in stands if one.rule is VetoRule.LOSING_STREAK]
        of_ann = {one.rule for one in standings(desk.limits.case(connection, anyone(ANN.label)))}
    assert (shown.now, shown.limit, shown.vetoes) == (2, 2, True)
    assert VetoRule.LOSING_STREAK not in of_ann
    desk.clock.seconds += 3600
    # One is tried; when it is lost too, the pause begins anew.
    trade(desk, "D/USD", bought_at="100", sold_at="97")
    assert vetoed(desk.enter("A/USD"), VetoRule.LOSING_STREAK)
    desk.clock.seconds += 3600
    trade(desk, "A/USD", bought_at="100", sold_at="120")
    assert desk.enter("A/USD").state is FILLED


@pytest.mark.parametrize(
    "rules",
    [LimitRules(cooldown_after_loss_minutes=30), LimitRules(max_losses_in_a_row=1, losing_streak_pause_minutes=30)],
)
def test_a_copy_is_not_held_back_by_the_losses_before_it_and_an_exit_neither(store: Store, rules: LimitRules) -> None:
    desk = RiskDesk(store, rules)
    desk.enter("B/USD", "1")
    trade(desk, "A/USD", bought_at="100", sold_at="90")
    copied = desk.intent("A/USD", signal_id="a signal")
    with store.read() as connection:
        assert desk.limits.veto(connection, copied) is None
        assert desk.limits.veto_all(connection, [copied]) == {}
        assert desk.limits.veto(connection, desk.intent("A/USD")) is not None
        assert len(desk.limits.veto_all(connection, [desk.intent("A/USD")])) == 1
    assert desk.exit("B/USD", "1").state is FILLED

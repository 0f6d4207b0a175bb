"""What counts one to one as a dollar is entered with only while it trades near one."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain.account import AccountRef, BrokerType
from bot.domain.order import IntentState
from bot.domain.veto import VetoRule
from bot.risk.case import LimitRules
from bot.risk.limits import Limits
from bot.storage.store import Store
from tests.unit.risk.desk import KRAKEN, RiskDesk
from tests.unit.risk.test_limits import numbers, vetoed

OKX = AccountRef.master(BrokerType.OKX)
RULES = LimitRules(max_depeg_percent=Decimal(2), at_par=frozenset({"USDT", "USDC"}))


def desk(store: Store, prices: dict[str, str], rules: LimitRules = RULES) -> RiskDesk:
    made = RiskDesk(store, rules, accounts_=(KRAKEN, OKX))
    told = {currency: Decimal(price) for currency, price in prices.items()}
    limits = Limits(rules=rules, clock=made.clock, listed=made._listed, peg_of=told.get)
    made.limits = made.gate._limits = limits
    return made


@pytest.mark.parametrize("price", ["0.9799", "1.0201", "0.5"])
def test_an_entry_paid_in_a_stablecoin_off_its_peg_is_vetoed_with_the_price(store: Store, price: str) -> None:
    at = desk(store, {"USDT": price})
    assert vetoed(at.enter("A/USDT", "1", account=OKX), VetoRule.DEPEG)
    assert numbers(at)["price_usd"] == price
    assert at.enter("A/USDC", "1", account=OKX).state is IntentState.FILLED, "another coin is another matter"
    assert at.enter("A/USD", "1").state is IntentState.FILLED


@pytest.mark.parametrize("price", ["0.98", "1.02", "1", "0.9999"])
def test_near_its_peg_it_is_entered_with(store: Store, price: str) -> None:
    assert desk(store, {"USDT": price}).enter("A/USDT", "1", account=OKX).state is IntentState.FILLED


def test_a_price_that_nobody_tells_decides_nothing(store: Store) -> None:
    assert desk(store, {}).enter("A/USDT", "1", account=OKX).state is IntentState.FILLED


def test_without_the_limit_nothing_is_asked(store: Store) -> None:
    off = replace(RULES, max_depeg_percent=None)
    assert desk(store, {"USDT": "0.5"}, off).enter("A/USDT", "1", account=OKX).state is IntentState.FILLED


def test_what_was_bought_before_is_sold_all_the_same(store: Store) -> None:
    at = desk(store, {})
    at.enter("A/USDT", "1", account=OKX)
    at.limits._peg_of = {"USDT": Decimal("0.9")}.get
    assert at.exit("A/USDT", "1", account=OKX).state is IntentState.FILLED

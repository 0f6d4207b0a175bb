"""Accounts in dollars, in stablecoins and in other currencies side by side: at par, or not known, never just added."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import AssetBalance, BalanceReading, BalanceStatus, Holdings
from bot.domain.errors import OutcomeUnknown
from bot.domain.order import IntentState
from bot.domain.quote import Quote
from bot.domain.veto import VetoRule
from bot.risk.case import LimitRules
from bot.risk.marks import AccountMarks
from bot.storage import exposure
from bot.storage.store import Store
from tests.unit.risk.desk import KRAKEN, RiskDesk
from tests.unit.risk.test_limits import numbers, vetoed

OKX = AccountRef.master(BrokerType.OKX)
ACCOUNTS = (KRAKEN, OKX)
AT_PAR = frozenset({"USD", "USDT", "USDC"})
LIMIT = Decimal(1500)


@dataclass(frozen=True)
class Step:
    """An entry at 100 a piece; `lost` leaves it open with an outcome that nobody knows."""

    account: int
    symbol: str
    quantity: Decimal
    lost: bool
    sells: bool


STEPS = st.builds(
    Step,
    account=st.integers(0, 1),
    symbol=st.sampled_from(["A/USD", "A/USDT", "B/USDC", "B/USD", "C/EUR"]),
    quantity=st.decimals(min_value="0.1", max_value="8", places=1),
    lost=st.booleans(),
    sells=st.sampled_from([False, False, True]),
)


def is_at_par(symbol: str) -> bool:
    return symbol.partition("/")[2] in AT_PAR


def take(desk: RiskDesk, step: Step) -> None:
    account = ACCOUNTS[step.account]
    if step.sells:
        held = desk.held(account).get(step.symbol, Decimal(0))
        if held:
            desk.exit(step.symbol, str(held), account=account)
        return
    spent = desk.exposure()
    known = all(is_at_par(symbol) for _, symbol in [*spent, ("", step.symbol)])
    too_much = sum(spent.values(), Decimal(0)) + step.quantity * 100 > LIMIT
    desk.brokers[account].script = [OutcomeUnknown("timed out")] if step.lost else []
    count = len(desk.vetoes())
    desk.enter(step.symbol, str(step.quantity), account=account)
    desk.brokers[account].script = []
    assert (len(desk.vetoes()) > count) == (too_much or not known)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=8), euros_before=st.booleans())
def test_currencies_at_par_add_up_and_any_other_vetoes(
    fresh_store: Callable[[], Store], steps: list[Step], euros_before: bool
) -> None:
    store = fresh_store()
    desk = RiskDesk(store, LimitRules(), accounts_=ACCOUNTS)
    if euros_before:
        desk.enter("C/EUR", "0.5", account=OKX)
    desk.limits.rules = LimitRules(max_total_notional_quote=LIMIT, at_par=AT_PAR)
    for step in steps:
        take(desk, step)
    with store.read() as connection:
        rough = exposure.rough_of_all(connection, currencies=AT_PAR)
    spent = desk.exposure()
    if all(is_at_par(symbol) for _, symbol in spent):
        assert rough.cost == pytest.approx(float(sum(spent.values(), Decimal(0))))
    else:
        assert rough.cost is None
    store.close()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("max_order_notional_quote", VetoRule.ORDER_NOTIONAL),
        ("max_symbol_notional_quote", VetoRule.SYMBOL_NOTIONAL),
        ("max_account_notional_quote", VetoRule.ACCOUNT_NOTIONAL),
        ("max_total_notional_quote", VetoRule.ALL_NOTIONAL),
    ],
)
def test_a_limit_in_dollars_holds_for_what_is_at_par_and_vetoes_what_nobody_can_compare(
    store: Store, name: str, rule: VetoRule
) -> None:
    desk = RiskDesk(store, replace(LimitRules(at_par=AT_PAR), **{name: Decimal(500)}), accounts_=ACCOUNTS)
    assert vetoed(desk.enter("A/USDT", "5.1", account=OKX), rule)
    assert desk.enter("A/USDT", "5", account=OKX).state is IntentState.FILLED
    assert vetoed(desk.enter("A/EUR", "0.1", account=KRAKEN), rule)
    assert numbers(desk) == {"unknown": "what A/EUR is worth in USD is not known"}


def test_without_a_limit_over_all_accounts_a_strange_currency_is_nobody_elses_affair(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(at_par=AT_PAR), accounts_=ACCOUNTS)
    desk.enter("A/EUR", "5", account=OKX)
    desk.limits.rules = LimitRules(max_account_notional_quote=Decimal(500), at_par=AT_PAR)
    assert desk.enter("A/USD", "5").state is IntentState.FILLED
    assert vetoed(desk.enter("A/USDT", "1", account=OKX), VetoRule.ACCOUNT_NOTIONAL)


# -- marks ------------------------------------------------------------------------------------------------------------
def tether_marks(desk: RiskDesk) -> AccountMarks:
    return AccountMarks(
        account_id=OKX.label,
        store=desk.store,
        clock=desk.clock,
        currency="USDT",
        fence=desk.executors[OKX].refuse_when_fenced,
    )


def reading(desk: RiskDesk, **amounts: str) -> BalanceReading:
    assets = {name: AssetBalance(Decimal(amount), Decimal(0)) for name, amount in amounts.items()}
    return BalanceReading(BalanceStatus.FRESH, Holdings(assets, desk.clock.now()), 0.0, 0, "")


def bids(desk: RiskDesk, **prices: str) -> dict[str, Quote]:
    named = {name.replace("_", "/"): Decimal(price) for name, price in prices.items()}
    return {name: Quote(name, price, price, desk.clock.now()) for name, price in named.items()}


def test_profit_and_worth_of_an_account_are_in_its_own_currency(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_daily_loss_percent=Decimal(10), at_par=AT_PAR), accounts_=ACCOUNTS)
    marks, cash = tether_marks(desk), reading(desk, USDT="1000", USD="70000")
    marks.mark({}, cash)
    desk.enter("A/USDT", "2", account=OKX)
    desk.enter("A/USD", "2", account=KRAKEN)
    mark = marks.mark(bids(desk, A_USDT="40", A_USD="40"), reading(desk, USDT="800", USD="70000"))
    assert mark is not None
    assert (mark.quote_currency, mark.profit, mark.equity) == ("USDT", Decimal(-120), Decimal(880))
    assert vetoed(desk.enter("B/USDT", "1", account=OKX), VetoRule.DAILY_LOSS)
    assert numbers(desk)["quote_currency"] == "USDT"
    assert "has lost 120 USDT (12.00 %)" in desk.details()[-1]


def test_a_fee_in_a_third_currency_is_valued_once_its_market_has_a_price(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(), accounts_=ACCOUNTS)
    marks, cash = tether_marks(desk), reading(desk, USDT="1000")
    marks.mark({}, cash)
    desk.enter("A/USDT", "2", account=OKX)
    store.write(lambda connection: connection.exec_driver_sql("UPDATE fill SET fee = '0.01', fee_currency = 'BNB'"))
    lacking = marks.mark(bids(desk, A_USDT="100"), cash)
    assert lacking is None or lacking.profit is None
    assert marks.wanted == "BNB/USDT"
    mark = marks.mark(bids(desk, A_USDT="100", BNB_USDT="600"), cash)
    assert mark is not None and mark.profit == Decimal(-6)
    assert marks.wanted is None


def test_an_account_that_is_counted_in_another_currency_begins_anew(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    desk = RiskDesk(store, LimitRules(), accounts_=ACCOUNTS)
    desk.enter("A/USD", "2", account=OKX)
    desk.marks[OKX].mark(bids(desk, A_USD="40"), reading(desk, USD="800"))
    mark = tether_marks(desk).mark(bids(desk, A_USD="10"), reading(desk, USDT="500"))
    assert mark is not None
    assert (mark.quote_currency, mark.profit, mark.equity, mark.peak_equity) == ("USDT", 0, 500, 500)
    assert "okx is counted in USDT now, was USD" in caplog.text

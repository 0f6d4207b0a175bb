"""A target has to pay for its own trades, at the fee of this account, and an unknown fee is the dearest one."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.brokers.fee_book import READ_AGAIN_SECONDS, TRY_AGAIN_SECONDS, FeeBook
from bot.domain.errors import UnreadableReply
from bot.domain.position import ExitPlan
from bot.domain.quote import Quote
from bot.domain.veto import VetoRule
from bot.risk.fees import TakerFee, fee_problem, taker_fee_of
from tests.memory_broker import START, MemoryBroker, TestClock
from tests.unit.risk.desk import KRAKEN

TARGET = ExitPlan(take_profit_percent=Decimal(1))


def quote(bid: str, ask: str) -> Quote:
    return Quote("BTC/USD", Decimal(bid), Decimal(ask), START)


def test_an_entry_whose_target_is_below_its_costs_is_vetoed_with_the_numbers() -> None:
    veto = fee_problem(quote("100", "100"), TARGET, TakerFee(Decimal("0.5"), True))
    assert veto is not None
    assert veto.rule is VetoRule.FEES_EXCEED_TARGET
    # By hand: 0.5 % of the purchase, and 0.5 % of a sale that is 1 % higher.
    assert veto.numbers["round_trip_cost_percent"] == "1.005"
    assert veto.numbers["taker_fee"] == "told by the venue"
    assert fee_problem(quote("100", "100"), TARGET, TakerFee(Decimal("0.49"), True)) is None


def test_the_spread_is_a_cost_and_a_plan_without_a_target_has_none_to_miss() -> None:
    cheap = TakerFee(Decimal("0.1"), True)
    assert fee_problem(quote("100", "100"), TARGET, cheap) is None
    assert fee_problem(quote("99", "100"), TARGET, cheap) is not None
    assert fee_problem(quote("99", "100"), ExitPlan(), cheap) is None


def test_a_fee_that_nobody_told_is_the_dearest_of_the_venue_and_says_so() -> None:
    broker = MemoryBroker(KRAKEN, TestClock())
    fee = taker_fee_of(broker, "BTC/USD")
    assert (fee.percent, fee.told) == (broker.dearest_taker_fee_percent, False)
    # By hand: twice 0.4 %, and 0.4 % of 0.8 % more.
    veto = fee_problem(quote("100", "100"), ExitPlan(take_profit_percent=Decimal("0.8")), fee)
    assert veto is not None
    assert "not known: the dearest tier is assumed" in veto.detail


@given(
    target=st.decimals("0.05", "50", places=2),
    fee=st.decimals("0", "3", places=3),
    bid=st.decimals("90", "100", places=2),
)
def test_what_is_let_in_gains_at_its_target_whatever_the_numbers(target: Decimal, fee: Decimal, bid: Decimal) -> None:
    seen = Quote("BTC/USD", bid, Decimal(100), START)
    if fee_problem(seen, ExitPlan(take_profit_percent=target), TakerFee(fee, True)) is None:
        paid = seen.ask * (1 + fee / 100)
        assert seen.ask * (1 + target / 100) * (1 - fee / 100) - (seen.ask - seen.bid) > paid


def test_fees_are_read_once_a_day_and_a_failure_keeps_the_last() -> None:
    clock, asked = TestClock(), 0
    answers: list[Decimal | Exception] = [UnreadableReply("away"), Decimal("0.4"), UnreadableReply("away")]
    book = FeeBook(clock, label="kraken")

    def read() -> Decimal:
        nonlocal asked
        asked += 1
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert book.taker_percent("", read) is None
    assert book.taker_percent("", read) is None
    assert asked == 1
    clock.seconds += TRY_AGAIN_SECONDS
    assert book.taker_percent("", read) == Decimal("0.4")
    clock.seconds += READ_AGAIN_SECONDS - 1
    assert book.taker_percent("", read) == Decimal("0.4")
    assert asked == 2
    clock.seconds += 1
    assert book.taker_percent("", read) == Decimal("0.4")
    assert (asked, book.known("")) == (3, Decimal("0.4"))


@pytest.mark.parametrize("symbol", ["BTC/USD", "ETH/USD"])
def test_nothing_is_known_before_anything_was_asked(symbol: str) -> None:
    assert MemoryBroker(KRAKEN, TestClock()).known_taker_fee_percent(symbol) is None

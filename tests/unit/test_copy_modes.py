"""Modes of copying, caps in their order, and what becomes of a share below the minimum."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.signal import CopyReason
from bot.position_sizer import (
    BelowMinimum,
    CopyMode,
    CopyRules,
    EntryToCopy,
    NoSize,
    PositionSizer,
    Size,
)
from tests.unit.test_position_sizer import BTC

SIZER = PositionSizer()
# The master buys for 500 of its 10,000; the user has 1,000.
ENTRY = EntryToCopy(
    symbol="BTC/USD",
    quantity=Decimal("0.01"),
    price=Decimal(50000),
    master_balance=Decimal(10000),
    user_balance=Decimal(1000),
    user_available=Decimal(1000),
    reserve_percent=Decimal("0.9"),
    user_exposure_by_symbol={},
)
# Its smallest order is 0.00005, for 2.50.
TINY = replace(ENTRY, user_balance=Decimal(20), user_available=Decimal(20))


def sized(entry: EntryToCopy, rules: CopyRules) -> Size:
    size = SIZER.size_entry(entry, rules, BTC)
    assert isinstance(size, Size), size
    return size


def refused(entry: EntryToCopy, rules: CopyRules) -> NoSize:
    size = SIZER.size_entry(entry, rules, BTC)
    assert isinstance(size, NoSize), size
    return size


# -- modes ------------------------------------------------------------------------------------------------------------
def test_equity_is_compared_with_equity_and_not_with_cash() -> None:
    entry = replace(ENTRY, master_equity=Decimal(20000), user_equity=Decimal(1000))
    assert sized(entry, CopyRules(mode=CopyMode.EQUITY_RATIO)).quantity * 50000 == 25


def test_the_risk_multiplier_is_in_every_mode() -> None:
    entry = replace(ENTRY, master_equity=Decimal(20000), user_equity=Decimal(1000))
    rules = CopyRules(risk_multiplier=Decimal("0.5"), fixed_amount_quote=Decimal(30), fixed_ratio=Decimal("0.02"))
    found = {mode: sized(entry, replace(rules, mode=mode)).quantity * 50000 for mode in CopyMode}
    assert found == {
        CopyMode.BALANCE_RATIO: Decimal(25),
        CopyMode.EQUITY_RATIO: Decimal("12.5"),
        CopyMode.FIXED_AMOUNT: Decimal(15),
        CopyMode.FIXED_RATIO: Decimal(5),
    }


@pytest.mark.parametrize(("master", "user"), [("1", None), (None, "1"), (None, None), ("0", "1")])
def test_without_either_sides_equity_nothing_is_bought(master: str | None, user: str | None) -> None:
    worths = [None if each is None else Decimal(each) for each in (master, user)]
    entry = replace(
        ENTRY, equity_problem="DOGE has no price that is fresh", master_equity=worths[0], user_equity=worths[1]
    )
    why = refused(entry, CopyRules(mode=CopyMode.EQUITY_RATIO))
    assert (why.reason, why.detail) == (CopyReason.EQUITY_UNKNOWN, "DOGE has no price that is fresh")


# -- caps -------------------------------------------------------------------------------------------------------------
def test_each_cap_that_cuts_leaves_its_word_in_the_order_of_the_caps() -> None:
    rules = CopyRules(
        max_trade_notional_quote=Decimal(40),
        max_symbol_notional_quote=Decimal(50),
        max_total_notional_quote=Decimal(60),
    )
    entry = replace(
        ENTRY,
        user_exposure_by_symbol={"BTC/USD": Decimal(20), "ETH/USD": Decimal(15)},
        user_available=Decimal("20.18"),
    )
    size = sized(entry, rules)
    assert size.words == (
        "max_trade_notional_usd cut 50.00 to 40.00",
        "max_symbol_notional_usd cut 40.00 to 30.00",
        "max_total_notional_usd cut 30.00 to 25.00",
        "available cash cut 25.00 to 20.00",
    )
    assert size.quantity * 50000 == 20


# -- below the minimum ------------------------------------------------------------------------------------------------
def test_a_share_is_rounded_up_to_the_minimum_within_the_factor_and_no_further() -> None:
    # The share is 0.00002, the minimum 0.00005: two and a half times as much.
    up = CopyRules(below_minimum=BelowMinimum.ROUND_UP, round_up_max_factor=Decimal("2.5"))
    assert sized(TINY, up).quantity == Decimal("0.00005")
    why = refused(TINY, replace(up, round_up_max_factor=Decimal("2.4")))
    assert why.reason is CopyReason.BELOW_MINIMUM
    assert "more than 2.4 times the share" in why.detail


def test_it_is_rounded_up_past_no_cap_and_no_cash() -> None:
    up = CopyRules(below_minimum=BelowMinimum.ROUND_UP, round_up_max_factor=Decimal(100))
    capped = refused(TINY, replace(up, max_trade_notional_quote=Decimal(2)))
    assert "max_trade_notional_usd" in capped.detail
    broke = refused(replace(TINY, user_available=Decimal("2.4")), up)
    assert "available cash" in broke.detail


def test_a_share_is_kept_until_it_is_enough_and_then_bought_with_what_was_kept() -> None:
    keeping = CopyRules(below_minimum=BelowMinimum.ACCUMULATE)
    first = refused(TINY, keeping)
    assert (first.reason, first.kept) == (CopyReason.BELOW_MINIMUM, Decimal("0.00002"))
    assert first.detail == "kept for later: 0.00002 of 0.00005"
    second = refused(replace(TINY, kept=Decimal("0.00002")), keeping)
    assert second.kept == Decimal("0.00004")
    third = sized(replace(TINY, kept=Decimal("0.00004")), keeping)
    assert (third.quantity, third.capped) == (Decimal("0.00006"), Decimal("0.00002"))


def test_what_a_cap_leaves_out_is_not_kept_either() -> None:
    rules = CopyRules(below_minimum=BelowMinimum.ACCUMULATE, max_trade_notional_quote=Decimal(2))
    why = refused(replace(TINY, kept=Decimal("0.00003")), rules)
    assert why.kept == Decimal("0.00004")


money = st.decimals(min_value=1, max_value=100_000, places=2)
optional = st.one_of(st.none(), st.decimals(min_value=1, max_value=500, places=2))


@given(
    balance=money,
    available=money,
    held=st.decimals(min_value=0, max_value=400, places=2),
    kept=st.decimals(min_value=0, max_value="0.0001", places=8),
    caps=st.tuples(optional, optional, optional),
    mode=st.sampled_from(CopyMode),
    below=st.sampled_from(BelowMinimum),
    factor=st.decimals(min_value=1, max_value=20, places=1),
)
def test_no_mode_and_no_rounding_goes_past_a_cap_the_cash_or_the_factor(
    balance: Decimal,
    available: Decimal,
    held: Decimal,
    kept: Decimal,
    caps: tuple[Decimal | None, Decimal | None, Decimal | None],
    mode: CopyMode,
    below: BelowMinimum,
    factor: Decimal,
) -> None:
    rules = CopyRules(
        mode=mode,
        fixed_amount_quote=Decimal(3),
        fixed_ratio=Decimal("0.004"),
        max_trade_notional_quote=caps[0],
        max_symbol_notional_quote=caps[1],
        max_total_notional_quote=caps[2],
        below_minimum=below,
        round_up_max_factor=factor,
    )
    entry = replace(
        ENTRY,
        user_balance=balance,
        user_available=available,
        user_exposure_by_symbol={"BTC/USD": held, "ETH/USD": held},
        master_equity=Decimal(12345),
        user_equity=balance,
        kept=kept,
    )
    size = SIZER.size_entry(entry, rules, BTC)
    if isinstance(size, NoSize):
        return
    notional, share = size.quantity * entry.price, entry.quantity * size.ratio
    assert BTC.below_minimum(size.quantity, entry.price) is None
    assert size.quantity % BTC.lot_step == 0
    assert notional * Decimal("1.009") <= available
    for cap, used in zip(caps, (Decimal(0), held, 2 * held), strict=True):
        assert cap is None or notional <= cap - used
    most = {BelowMinimum.SKIP: share, BelowMinimum.ROUND_UP: share * factor, BelowMinimum.ACCUMULATE: share + kept}
    assert size.quantity <= most[below]

"""The smallest balance with which entries are copied, against the very sizes that the copies get."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.position_sizer import BelowMinimum, CopyMode, CopyRules
from bot.smallest_balance import PastEntry, Terms, smallest_balances, smallest_for, would_copy
from tests.unit.test_position_sizer import BTC

TERMS = Terms(reserve_percent=Decimal("1.1"), least_funded=Decimal(10), at_par=frozenset({"USD"}))
CENT = Decimal("0.01")


def entry(quantity: str = "0.01", *, price: str = "50000", master: str | None = "10000") -> PastEntry:
    return PastEntry(
        symbol="BTC/USD",
        quantity=Decimal(quantity),
        price=Decimal(price),
        master_balance=None if master is None else Decimal(master),
        master_equity=None if master is None else Decimal(master),
        instrument=BTC,
    )


def test_the_balance_by_hand() -> None:
    # 0.00005 of 0.01 is one 200th of the master's 10,000.
    assert smallest_for(entry(), CopyRules(), TERMS) == Decimal(50)
    assert smallest_for(entry(), CopyRules(risk_multiplier=Decimal(2)), TERMS) == Decimal(25)


def test_a_fixed_amount_needs_its_cash_with_the_reserve_and_no_more() -> None:
    rules = CopyRules(mode=CopyMode.FIXED_AMOUNT, fixed_amount_quote=Decimal(30))
    # What is there may be less than the amount, as long as it is an order: 2.50 and its reserve, but funded with 10.
    assert smallest_for(entry(), rules, TERMS) == Decimal(10)
    assert smallest_for(entry(), rules, replace(TERMS, least_funded=Decimal(0))) == Decimal("2.53")


def test_what_is_not_on_the_list_no_balance_copies() -> None:
    found = smallest_balances([entry()], CopyRules(deny_symbols=frozenset({"BTC/USD"})), TERMS, present=Decimal(10**6))
    assert (found.never, found.for_90, found.for_99, found.copied_with_present) == (1, None, None, 0)


def test_ninety_of_a_hundred_and_the_ninety_ninth() -> None:
    """Entries of 1 to 100 times a size: the smaller the master's order, the larger the user has to be."""
    entries = [entry(format(Decimal("0.0001") * number, "f")) for number in range(1, 101)]
    balances = sorted(smallest_for(each, CopyRules(), TERMS) or Decimal(0) for each in entries)
    found = smallest_balances(entries, CopyRules(), TERMS, present=Decimal(100))
    assert (found.for_90, found.for_99) == (balances[89], balances[98])
    assert found.caution == ""
    assert found.copied_with_present == sum(balance <= 100 for balance in balances)


def test_it_says_when_there_is_too_little_to_go_by() -> None:
    assert "too few" in smallest_balances([entry()] * 9, CopyRules(), TERMS, present=None).caution
    assert "all of them" in smallest_balances([entry()] * 20, CopyRules(), TERMS, present=None).caution
    unknown = smallest_balances(
        [entry(master=None), replace(entry(), instrument=None)], CopyRules(), TERMS, present=None
    )
    assert (unknown.unknown, unknown.for_90, unknown.caution) == (2, None, "nothing is known of any entry")


@given(
    quantity=st.decimals(min_value="0.0001", max_value=1, places=8),
    price=st.decimals(min_value=1, max_value=100_000, places=2),
    mode=st.sampled_from([CopyMode.BALANCE_RATIO, CopyMode.EQUITY_RATIO, CopyMode.FIXED_AMOUNT, CopyMode.FIXED_RATIO]),
    below=st.sampled_from([BelowMinimum.SKIP, BelowMinimum.ROUND_UP]),
    cap=st.one_of(st.none(), st.decimals(min_value=1, max_value=100, places=2)),
    more=st.decimals(min_value=0, max_value=100_000, places=2),
)
def test_from_the_balance_found_on_every_entry_is_copied_and_a_cent_below_it_is_not(
    quantity: Decimal, price: Decimal, mode: CopyMode, below: BelowMinimum, cap: Decimal | None, more: Decimal
) -> None:
    rules = CopyRules(
        mode=mode,
        fixed_amount_quote=Decimal(20),
        fixed_ratio=Decimal("0.05"),
        max_trade_notional_quote=cap,
        below_minimum=below,
    )
    past = entry(format(quantity, "f"), price=format(price, "f"))
    found = smallest_for(past, rules, TERMS)
    if found is None:
        assert not would_copy(past, rules, Decimal(10**7) + more, TERMS)
        return
    assert would_copy(past, rules, found, TERMS)
    assert would_copy(past, rules, found + more, TERMS)
    assert not would_copy(past, rules, found - CENT, TERMS)

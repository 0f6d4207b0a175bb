"""The difference to the ideal, computed again in fractions; its parts add up to it; references are what lots bring."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bot.books.fidelity import (
    Cause,
    Copied,
    Difference,
    MasterTrade,
    difference_by_hand,
    difference_of,
    references,
    to_cents,
    total,
)
from bot.domain.order import Side
from bot.domain.signal import CopyReason
from tests.stored_bot import now

D = Decimal
PRICES = st.decimals(min_value="0.0001", max_value="99999", places=5)
QUANTITIES = st.decimals(min_value=0, max_value="9999", places=8)
FEES = st.decimals(min_value=0, max_value="99", places=8)
UNKNOWN_OR = st.none()
COPIES = st.builds(
    Copied,
    side=st.sampled_from(Side),
    ideal_quantity=QUANTITIES,
    master_price=PRICES,
    master_fee=st.none() | FEES,
    quantity=QUANTITIES,
    price=PRICES,
    fee=st.none() | FEES,
    seen_price=st.none() | PRICES,
    capped_quantity=st.none() | QUANTITIES,
    planned_quantity=st.none() | QUANTITIES,
    reason=st.sampled_from([str(reason) for reason in CopyReason]),
)


@given(copy=COPIES, reference=PRICES)
def test_the_parts_add_up_to_the_whole_and_it_is_what_both_trades_are_worth(copy: Copied, reference: Decimal) -> None:
    found = difference_of(copy, reference)
    assert copy.ideal_quantity is not None and copy.price is not None
    sign, m = (1 if copy.side is Side.BUY else -1), Fraction(reference)
    actual = sign * Fraction(copy.quantity) * (m - Fraction(copy.price)) - Fraction(copy.fee or 0)
    ideal = sign * Fraction(copy.ideal_quantity) * (m - Fraction(copy.master_price)) - Fraction(copy.master_fee or 0)
    assert found.whole is not None
    assert Fraction(found.whole) == actual - ideal
    assert sum((Fraction(part.amount) for part in found.parts), Fraction(0)) == actual - ideal
    cents = to_cents([part.amount for part in found.parts])
    assert sum(cents, D(0)) == found.whole.quantize(D("0.01"))
    assert all(abs(cent - part.amount) <= D("0.01") for cent, part in zip(cents, found.parts, strict=True))


@given(amounts=st.lists(st.decimals(min_value=-1000, max_value=1000, places=4), max_size=9))
def test_whole_cents_add_up_to_the_sum_in_whole_cents(amounts: list[Decimal]) -> None:
    cents = to_cents(amounts)
    assert sum(cents, D(0)) == total(amounts).quantize(D("0.01"))
    assert all(cent.as_tuple().exponent == -2 for cent in cents)


def _copy(**changes: object) -> Copied:
    values: dict[str, object] = {
        "side": Side.BUY,
        "ideal_quantity": D(10),
        "master_price": D(100),
        "master_fee": D(2),
        "quantity": D(10),
        "price": D(100),
        "fee": D(2),
        "planned_quantity": D(10),
    }
    return Copied(**(values | changes))  # type: ignore[arg-type]


def _named(difference: Difference) -> dict[str, Decimal]:
    return {part.name: part.amount for part in difference.parts}


def test_a_perfect_copy_makes_no_difference_whatever_it_is_worth_now() -> None:
    assert difference_of(_copy(), None) == Difference(D(0), [])


def test_latency_and_price_are_told_apart_by_the_price_that_was_seen() -> None:
    dearer = _copy(price=D(103), seen_price=D(101))
    assert _named(difference_of(dearer, D(110))) == {"latency": D(-10), "price": D(-20)}
    assert _named(difference_of(_copy(price=D(103)), D(110))) == {"price": D(-30)}
    sold_lower = _copy(side=Side.SELL, price=D(97), seen_price=D(99))
    assert _named(difference_of(sold_lower, D(90))) == {"latency": D(-10), "price": D(-20)}


def test_each_step_of_the_size_has_its_own_part() -> None:
    smaller = _copy(capped_quantity=D(8), planned_quantity=D(7), quantity=D(4), fee=D("0.8"), reason="not_filled")
    assert _named(difference_of(smaller, D(110))) == {
        "fee": D("1.2"),
        "cap": D(-20),
        "rounding or minimum": D(-10),
        "not filled": D(-30),
    }


def test_a_skip_keeps_its_reason_and_one_that_saved_money_is_above_zero() -> None:
    skipped = _copy(quantity=D(0), price=None, fee=D(0), planned_quantity=None, reason="balance_stale")
    assert _named(difference_of(skipped, D(110))) == {"fee": D(2), "skipped: balance_stale": D(-100)}
    assert _named(difference_of(skipped, D(90)))["skipped: balance_stale"] == D(100)
    too_small = _copy(
        quantity=D(0), price=None, fee=D(0), planned_quantity=None, capped_quantity=D(3), reason="below_minimum"
    )
    assert _named(difference_of(too_small, D(101))) == {"fee": D(2), "cap": D(-7), "rounding or minimum": D(-3)}
    halted = _copy(quantity=D(0), price=None, fee=D(0), reason="halted")
    assert "skipped: halted" in _named(difference_of(halted, D(110)))


def test_what_is_not_known_stays_unknown_and_says_why() -> None:
    assert difference_of(_copy(ideal_quantity=None), D(1)).whole is None
    missing = difference_of(_copy(quantity=D(9)), None)
    assert missing.whole is None and not missing.parts and "worth now" in missing.why
    by_hand = difference_by_hand(side=Side.BUY, quantity=D(1), price=D(1), fee=None, reference=None)
    assert by_hand.whole is None


def test_a_trade_by_hand_is_difference_from_the_first_to_the_last_cent() -> None:
    bought = difference_by_hand(side=Side.BUY, quantity=D(2), price=D(100), fee=D(1), reference=D(110))
    assert [(part.cause, part.amount) for part in bought.parts] == [(Cause.MANUAL, D(19))]
    sold = difference_by_hand(side=Side.SELL, quantity=D(2), price=D(100), fee=D(1), reference=D(110))
    assert sold.whole == D(-21)


FRACTIONS = st.sampled_from([None, None, D("0.5"), D("0.25"), D("0.1"), D(1)])


@given(moves=st.lists(st.tuples(PRICES, FRACTIONS), min_size=1, max_size=8), mark=PRICES)
def test_a_reference_is_what_a_unit_brings_when_it_is_sold_as_the_master_sells(
    moves: list[tuple[Decimal, Decimal | None]], mark: Decimal
) -> None:
    trades = [MasterTrade(str(number), price, fraction, now()) for number, (price, fraction) in enumerate(moves)]
    found = references(trades, mark)
    for number in range(len(trades)):
        held, brought = Fraction(1), Fraction(0)
        for trade in trades[number + 1 :]:
            sold = held * Fraction(trade.fraction or 0)
            held, brought = held - sold, brought + sold * Fraction(trade.price)
        reference = found[str(number)]
        assert reference.price is not None
        assert abs(Fraction(reference.price) - (brought + held * Fraction(mark))) < Fraction(1, 10**15)
        assert Fraction(reference.open_fraction) == held
        without = references(trades, None)[str(number)]
        assert (without.price is None) == (held != 0)


@given(
    ratio=st.sampled_from([D("0.5"), D("0.1"), D(3)]),
    bought=st.lists(st.tuples(PRICES, PRICES, st.sampled_from([D(1), D("0.5"), D(0)])), min_size=1, max_size=3),
    sold=st.lists(st.tuples(PRICES, PRICES, st.sampled_from([D("0.5"), D("0.25")])), max_size=2),
    last=st.tuples(PRICES, PRICES),
)
def test_all_lines_of_a_closed_position_add_up_to_what_the_user_made_less_its_share_of_what_the_master_made(
    ratio: Decimal,
    bought: list[tuple[Decimal, Decimal, Decimal]],
    sold: list[tuple[Decimal, Decimal, Decimal]],
    last: tuple[Decimal, Decimal],
) -> None:
    exits = [*sold, (*last, D(1))]
    trades = [MasterTrade(f"b{n}", price, None, now()) for n, (price, _, _) in enumerate(bought)]
    trades += [MasterTrade(f"s{n}", price, part, now()) for n, (price, _, part) in enumerate(exits)]
    worth = references(trades, None)
    whole = master = user = mine = theirs = Fraction(0)
    for number, (price, paid, filled) in enumerate(bought):
        ideal = ratio * 8
        copy = _copy(
            ideal_quantity=ideal, master_price=price, price=paid, quantity=ideal * filled, planned_quantity=ideal,
            fee=D(0), master_fee=D(0), reason="" if filled == 1 else "not_filled",
        )  # fmt: skip
        whole += Fraction(difference_of(copy, worth[f"b{number}"].price).whole or 0)
        theirs, mine = theirs + 8, mine + Fraction(ideal * filled)
        master, user = master - 8 * Fraction(price), user - Fraction(ideal * filled) * Fraction(paid)
    for number, (price, got, part) in enumerate(exits):
        quantity = Fraction(part) * mine
        due = D(quantity.numerator) / D(quantity.denominator)
        copy = _copy(
            side=Side.SELL, ideal_quantity=due, master_price=price, price=got, quantity=due, planned_quantity=due,
            fee=D(0), master_fee=D(0),
        )  # fmt: skip
        whole += Fraction(difference_of(copy, worth[f"s{number}"].price).whole or 0)
        master, user = master + Fraction(part) * theirs * Fraction(price), user + quantity * Fraction(got)
        theirs, mine = theirs - Fraction(part) * theirs, mine - quantity
    assert mine == theirs == 0
    assert abs(whole - (user - Fraction(ratio) * master)) < Fraction(1, 10**9)

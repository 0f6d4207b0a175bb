"""Sizes of copies: the ratio, the caps, the rounding and the minimum."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.instrument import Instrument
from bot.domain.signal import CopyReason
from bot.position_sizer import CopyMode, CopyRules, EntryToCopy, NoSize, PositionSizer, Size

BTC = Instrument(
    symbol="BTC/USD",
    venue_symbol="XXBTZUSD",
    lot_step=Decimal("0.00000001"),
    tick_size=Decimal("0.1"),
    minimum_quantity=Decimal("0.00005"),
    minimum_notional=Decimal("0.5"),
)
SIZER = PositionSizer()


def entry(user: str, *, quantity: str = "0.01", price: str = "50000", master: str | None = "10000") -> EntryToCopy:
    return EntryToCopy(
        symbol="BTC/USD",
        quantity=Decimal(quantity),
        price=Decimal(price),
        master_balance=None if master is None else Decimal(master),
        user_balance=Decimal(user),
        user_available=Decimal(user),
        reserve_percent=Decimal("0.9"),
        user_exposure_by_symbol={},
    )


def test_a_master_of_10000_who_buys_500_moves_users_of_1000_and_5000_by_50_and_250() -> None:
    for user, notional in (("1000", "50"), ("5000", "250")):
        size = SIZER.size_entry(entry(user), CopyRules(), BTC)
        assert isinstance(size, Size)
        assert size.quantity * 50000 == Decimal(notional)


def test_the_risk_multiplier_scales_the_ratio() -> None:
    size = SIZER.size_entry(entry("1000"), CopyRules(risk_multiplier=Decimal("0.5")), BTC)
    assert isinstance(size, Size)
    assert (size.ratio, size.quantity * 50000) == (Decimal("0.05"), 25)


def test_a_fixed_amount_does_not_depend_on_any_balance() -> None:
    rules = CopyRules(mode=CopyMode.FIXED_AMOUNT, fixed_amount_quote=Decimal(30))
    size = SIZER.size_entry(entry("1000", master=None), rules, BTC)
    assert isinstance(size, Size)
    assert size.quantity * 50000 == 30


def test_without_the_masters_balance_there_is_no_ratio() -> None:
    size = SIZER.size_entry(entry("1000", master=None), CopyRules(), BTC)
    assert isinstance(size, NoSize)
    assert size.reason is CopyReason.MASTER_BALANCE_UNKNOWN


def test_below_the_minimum_is_skipped_and_never_rounded_up() -> None:
    size = SIZER.size_entry(entry("15", quantity="0.001"), CopyRules(), BTC)
    assert isinstance(size, NoSize)
    assert size.reason is CopyReason.BELOW_MINIMUM


def test_a_cap_per_trade_cuts_the_size() -> None:
    size = SIZER.size_entry(entry("5000"), CopyRules(max_trade_notional_quote=Decimal(100)), BTC)
    assert isinstance(size, Size)
    assert size.quantity * 50000 == 100


def test_a_denied_symbol_is_not_entered() -> None:
    size = SIZER.size_entry(entry("5000"), CopyRules(deny_symbols=frozenset({"BTC/USD"})), BTC)
    assert isinstance(size, NoSize)
    assert size.reason is CopyReason.SYMBOL_NOT_ALLOWED


money = st.decimals(min_value=1, max_value=10_000_000, places=2)


@given(user=money, master=money, quantity=st.decimals(min_value="0.0001", max_value=10, places=8))
def test_a_copy_never_exceeds_its_share_its_cash_or_the_lot(user: Decimal, master: Decimal, quantity: Decimal) -> None:
    asked = entry(str(user), quantity=str(quantity), master=str(master))
    size = SIZER.size_entry(asked, CopyRules(), BTC)
    if isinstance(size, Size):
        assert size.quantity <= quantity * user / master
        assert size.quantity * 50000 <= user
        assert size.quantity % BTC.lot_step == 0
        assert size.quantity >= BTC.minimum_quantity


@given(
    held=st.decimals(min_value="0", max_value=10, places=10),
    fraction=st.decimals(min_value="0.0001", max_value=1, places=6),
)
def test_an_exit_never_sells_more_than_is_held_and_leaves_nothing_unsellable(held: Decimal, fraction: Decimal) -> None:
    size = SIZER.size_exit(due=held * fraction, held=held, instrument=BTC, price=Decimal(50000))
    if isinstance(size, Size):
        assert 0 < size.quantity <= held
        rest = held - size.quantity
        assert rest < BTC.lot_step or BTC.below_minimum(rest, Decimal(50000)) is None
    else:
        assert size.reason in (CopyReason.NOTHING_HELD, CopyReason.DUST, CopyReason.BELOW_MINIMUM)

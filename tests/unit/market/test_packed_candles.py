"""Packed candles are exactly the candles that were put in."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.quote import Candle
from bot.market.packed_candles import PackedCandles
from tests.unit.candles import START

AMOUNTS = st.decimals(min_value="1e-12", max_value="1e15", allow_nan=False, allow_infinity=False)


@st.composite
def rows(draw: st.DrawFn) -> list[Candle]:
    minutes = sorted(draw(st.sets(st.integers(0, 20), max_size=8)))
    return [Candle(START + timedelta(minutes=at), *(draw(AMOUNTS) for _ in range(5))) for at in minutes]


@settings(max_examples=40)
@given(candles=rows(), begin=st.integers(-10, 10), end=st.integers(-10, 10), step=st.sampled_from([1, 2, -1]))
def test_every_slice_is_that_of_the_candles_themselves(candles: list[Candle], begin: int, end: int, step: int) -> None:
    packed = PackedCandles(candles)
    assert list(packed) == candles
    assert list(packed[begin:end:step]) == candles[begin:end:step]
    assert list(packed[-3:]) == candles[-3:]
    assert packed.newest == (candles[-1].opened_at if candles else None)
    if candles:
        assert (packed[-1], packed[0]) == (candles[-1], candles[0])


@settings(max_examples=40)
@given(known=rows(), answer=rows(), capacity=st.integers(1, 12))
def test_the_answers_word_counts_from_its_first_candle_to_its_last(
    known: list[Candle], answer: list[Candle], capacity: int
) -> None:
    merged = PackedCandles(known).merged(answer, capacity=capacity)
    if not answer:
        assert list(merged) == known
        return
    first, last = answer[0].opened_at, answer[-1].opened_at
    older = [one for one in known if one.opened_at < first]
    newer = [one for one in known if one.opened_at > last]
    assert list(merged) == [*older, *answer, *newer][-capacity:]


def test_amounts_keep_every_digit_however_large_or_small() -> None:
    amounts = [Decimal("0.000000000000000001"), Decimal("123456789012345678901234567890.5"), Decimal("1E+3")]
    candle = Candle(START, amounts[0], amounts[1], amounts[0], amounts[1], amounts[2])
    assert list(PackedCandles([candle])) == [candle]

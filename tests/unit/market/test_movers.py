"""Who is promoted to a mover, who stays one, and who is not one any more."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.market.movers import Movement, Mover, MoverRules, next_movers
from bot.market.price_history import MOST_POINTS, POINT_SECONDS, PriceHistory

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = MoverRules(
    momentum_percent=Decimal(3),
    volume_ratio=Decimal(2),
    max_spread_percent=Decimal("0.5"),
    hold=timedelta(minutes=30),
    most=2,
)
MOVES = Movement(
    momentum_percent=Decimal("3.5"),
    volume_ratio=Decimal(4),
    spread_percent=Decimal("0.1"),
    window_seconds=3600,
)
ALL = {"A/USD", "B/USD", "C/USD"}


def look(
    movers: dict[str, Mover], at: datetime = NOW, tradable: set[str] = ALL, **movements: Movement
) -> dict[str, Mover]:
    by_symbol = {f"{name}/USD": movement for name, movement in movements.items()}
    return next_movers(movers, by_symbol, tradable=tradable, rules=RULES, now=at)


@pytest.mark.parametrize(
    "calm",
    [
        replace(MOVES, momentum_percent=Decimal("2.99")),
        replace(MOVES, volume_ratio=Decimal("1.9")),
        replace(MOVES, spread_percent=Decimal("0.51")),
        replace(MOVES, window_seconds=600),
    ],
    ids=["too little", "on usual volume", "too wide", "too short to say"],
)
def test_only_who_meets_every_rule_is_promoted(calm: Movement) -> None:
    assert set(look({}, A=MOVES, B=calm)) == {"A/USD"}


def test_a_fall_is_a_move_too() -> None:
    assert set(look({}, A=replace(MOVES, momentum_percent=Decimal(-4)))) == {"A/USD"}


def test_a_mover_stays_one_for_its_time_and_no_longer() -> None:
    calm = replace(MOVES, momentum_percent=Decimal(1))
    movers = look({}, A=MOVES)
    movers = look(movers, NOW + timedelta(minutes=29), A=calm)
    assert movers["A/USD"].movement == calm
    assert movers["A/USD"].promoted_at == movers["A/USD"].met_at == NOW
    assert look(movers, NOW + timedelta(minutes=30), A=calm) == {}


def test_meeting_the_rules_again_prolongs_it_and_keeps_its_beginning() -> None:
    later = NOW + timedelta(minutes=20)
    mover = look(look({}, A=MOVES), later, A=MOVES)["A/USD"]
    assert (mover.promoted_at, mover.met_at) == (NOW, later)


def test_a_market_that_cannot_be_traded_any_more_leaves_at_once() -> None:
    movers = look({}, A=MOVES)
    assert look(movers, NOW + timedelta(seconds=1), {"B/USD"}, A=MOVES) == {}


def test_of_too_many_the_strongest_stay() -> None:
    strong, weak = replace(MOVES, momentum_percent=Decimal(-9)), replace(MOVES, momentum_percent=Decimal(5))
    assert list(look({}, A=MOVES, B=strong, C=weak)) == ["B/USD", "C/USD"]


# -- the line behind it ----------------------------------------------------------------------------------------------
def test_momentum_is_against_the_price_an_hour_ago() -> None:
    history = PriceHistory([(minute * 60.0, 100.0 + minute, 2400.0) for minute in range(0, 121, 2)])
    assert history.momentum_percent(220.0, now=7200.0) == pytest.approx((100 * (220 / 160 - 1), 3600.0))


def test_with_less_known_momentum_says_over_how_long_it_is() -> None:
    history = PriceHistory([(0.0, 100.0, 2400.0)])
    assert history.momentum_percent(110.0, now=600.0) == pytest.approx((10.0, 600.0))
    assert PriceHistory().momentum_percent(110.0, now=600.0) is None


def test_usual_volume_is_a_ratio_of_one_and_a_burst_is_more() -> None:
    history = PriceHistory([(0.0, 100.0, 2400.0)])
    assert history.volume_ratio(2400.0, now=3600.0) == pytest.approx(1.0)
    assert history.volume_ratio(2700.0, now=3600.0) == pytest.approx(4.0)
    assert PriceHistory([(0.0, 100.0, 0.0)]).volume_ratio(10.0, now=3600.0) is None


def test_the_line_is_bounded_and_a_clock_set_back_begins_it_anew() -> None:
    history = PriceHistory()
    kept = [history.add(second, 100.0, 1.0) for second in range(0, 20_000, 30)]
    assert len(history) == MOST_POINTS
    assert sum(kept) == 20_000 // POINT_SECONDS + 1
    assert not history.add(19_900, 1.0, 1.0)
    assert history.add(5_000, 1.0, 1.0)
    assert len(history) == 1


def test_a_line_that_was_written_down_goes_on_after_a_restart() -> None:
    history = PriceHistory([(second, 1.5, 2.0) for second in range(0, 3600, 120)])
    assert PriceHistory(history.points()).points() == history.points()

"""A stop rests at the venue for each position, and whoever sells for another reason takes it back first."""

import random
from collections.abc import Callable
from decimal import Decimal

import pytest

from bot.brokers.capabilities import UNSTATED
from bot.domain.errors import OrderRefused, OutcomeUnknown, RetryLater
from bot.domain.order import OrderType
from bot.domain.position import ExitPlan
from bot.protective_stops import ProtectiveStops
from bot.stop_levels import ProtectiveStopRules
from bot.storage.debts import own_exits
from bot.storage.exposure import has_open_orders
from bot.storage.store import Store
from bot.storage.watch import waiting_exits
from tests.unit.stop_bench import OWNED, StopBench

# Bought at 50,200, the bot sells 2 % below that and the venue 1 % below the bot, on the tick of 0.1.
LEVEL = Decimal("48704.0")


@pytest.fixture
def bench(store: Store) -> StopBench:
    """At a venue where stops hold what they would sell; elsewhere the random lives go as well."""
    return StopBench(store)


def test_a_position_gets_one_stop_below_the_bots_own(bench: StopBench) -> None:
    bench.buys("1")
    for _ in range(3):
        bench.cycle()
    assert (bench.resting(), bench.levels()) == ([1], [LEVEL])
    row = bench.unfinished()[0]
    assert (row.order_type, row.stop_price, row.limit_price) == (OrderType.STOP, LEVEL, None)
    assert len(bench.venue.received) == 2, "the purchase and one stop"


def test_while_it_is_off_nothing_is_sent_and_what_an_earlier_life_left_is_taken_back(bench: StopBench) -> None:
    bench.buys("1")
    bench.cycle()
    bench.stop_rules = ProtectiveStopRules(enabled=False, default_stop_percent=Decimal(2))
    bench.restart()
    bench.cycle()
    assert (bench.resting(), bench.lots(), bench.unfinished()) == ([], 1, [])
    bench.cycle()
    assert len(bench.venue.received) == 2


def test_a_venue_without_stops_gets_none(bench: StopBench) -> None:
    others = {each: each.value for each in OrderType if each is not OrderType.STOP}
    bench.venue.capabilities = type(UNSTATED)(**{**vars(UNSTATED), "order_types": others})
    bench.restart()
    bench.buys("1")
    bench.cycle()
    assert len(bench.venue.received) == 1


def test_it_follows_the_size_of_the_position_both_ways(bench: StopBench) -> None:
    bench.buys("1")
    bench.cycle()
    bench.buys("0.5")
    bench.cycle()
    assert bench.resting() == [Decimal("1.5")]
    assert bench.sells("0.4") is not None
    bench.cycle()
    assert bench.resting() == [Decimal("0.9")] and bench.lots() == Decimal("0.9")


def test_it_is_moved_when_its_level_has_moved_by_more_than_a_step(bench: StopBench) -> None:
    bench.buys("1")
    bench.plans(ExitPlan(trailing_stop_percent=Decimal(3)))
    bench.cycle()
    first = bench.levels()
    bench.venue.moves_to("50300", "50400")
    bench.cycle()
    assert bench.levels() == first, "not for a tenth of a percent"
    bench.venue.moves_to("53000", "53100")
    bench.cycle()
    bench.cycle()
    assert len(bench.resting()) == 1
    (moved,) = bench.levels()
    assert moved == Decimal("53000") * Decimal("0.97") * Decimal("0.99")


def test_an_exit_takes_it_back_first_and_sells_everything_once(bench: StopBench) -> None:
    bench.buys("1")
    bench.cycle()
    bench.venue.moves_to("49000", "49100")
    bench.cycle()
    assert (bench.resting(), bench.lots(), bench.sold()) == ([], 0, 1)
    assert bench.venue.coins == OWNED


@pytest.mark.parametrize("fault", [Decimal(1), Decimal("0.3"), "reply lost"])
def test_what_the_stop_sells_while_it_is_taken_back_is_not_sold_again(bench: StopBench, fault: str | Decimal) -> None:
    bench.buys("1")
    bench.cycle()
    bench.venue.cancel_faults = [fault]
    bench.venue.moves_to("49000", "49100")
    bench.cycle()
    bench.cycle()
    assert (bench.sold(), bench.lots(), bench.resting()) == (1, 0, [])


def test_while_its_end_is_not_known_nothing_else_is_sold(bench: StopBench) -> None:
    bench.buys("1")
    bench.cycle()
    bench.venue.cancel_seconds = 60
    bench.venue.moves_to("49000", "49100")
    bench.cycle()
    assert (bench.sold(), len(bench.venue.received)) == (0, 2)
    bench.cycle(60)
    assert (bench.sold(), bench.lots()) == (1, 0)


def test_a_stop_that_the_venue_filled_while_nobody_watched_is_booked_by_the_next_life(bench: StopBench) -> None:
    bench.buys("1")
    bench.cycle()
    bench.venue.moves_to("48000", "48100")
    bench.restart()
    bench.cycle()
    assert (bench.lots(), bench.sold(), len(bench.venue.received)) == (0, 1, 2)


def test_a_stop_whose_placing_had_no_answer_is_found_out_and_never_doubled(bench: StopBench) -> None:
    bench.buys("1")
    bench.venue.script = [(OutcomeUnknown("no answer"), True)]
    for _ in range(4):
        bench.cycle()
    assert (bench.resting(), len(bench.unfinished())) == ([1], 1)


def test_an_exit_waits_for_the_fate_of_a_stop_without_an_answer(bench: StopBench) -> None:
    bench.buys("1")
    bench.venue.script = [OutcomeUnknown("no answer")]
    bench.cycle()
    assert bench.sells("1") is None
    for _ in range(8):
        bench.cycle()
    assert bench.sells("1") is not None
    assert (bench.sold(), bench.lots(), bench.resting()) == (1, 0, [])


@pytest.mark.parametrize("refusal", [OrderRefused("no stops for this market"), RetryLater("busy")])
def test_a_stop_that_is_not_taken_is_tried_again_later_and_later(bench: StopBench, refusal: Exception) -> None:
    bench.buys("1")
    bench.venue.script = [refusal] * 4
    for _ in range(10):
        bench.cycle(2)
    assert 3 <= len(bench.venue.received) <= 4
    bench.cycle(300)
    bench.cycle(300)
    bench.cycle(300)
    assert bench.resting() == [1]


def test_a_stop_that_somebody_cancelled_is_placed_again(bench: StopBench) -> None:
    bench.buys("1")
    bench.cycle()
    bench.venue.cancel_order(bench.venue.stops()[0].venue_order_id)
    bench.cycle()
    assert bench.resting() == [1]


def test_what_is_too_small_to_be_sold_has_no_stop(bench: StopBench) -> None:
    bench.buys("1")
    bench.cycle()
    bench.sells("0.99999")
    bench.cycle()
    assert bench.resting() == []


@pytest.mark.parametrize("place", ["stop_replacing", "stop_placed", "cancel_committed", "cancel_sent", "ack_received"])
def test_a_process_that_dies_while_a_stop_is_moved_leaves_one_of_the_right_size(bench: StopBench, place: str) -> None:
    bench.buys("1")
    bench.cycle()
    bench.enter("0.5")
    with bench.dying_at(place):
        bench.cycle()
    for _ in range(4):
        bench.cycle()
    assert bench.resting() == [Decimal("1.5")]


def test_a_flatten_takes_the_stop_back_sells_once_and_no_stop_comes_back(bench: StopBench) -> None:
    bench.buys("1")
    bench.cycle()
    bench.presses_flatten()
    flattening = bench.flattening()
    for _ in range(5):
        bench.clock.seconds += 1
        flattening.step()
        bench.stops.look()
    assert (bench.sold(), bench.lots(), bench.resting()) == (1, 0, [])
    bench.buys("1")
    bench.cycle()
    assert bench.resting() == [], "a flatten in force sells what comes in"


def test_a_stop_that_waits_is_no_debt_and_keeps_no_books_open_and_one_that_has_sold_is_and_does(
    bench: StopBench,
) -> None:
    bench.buys("1")
    bench.cycle()
    label = bench.account.label
    with bench.store.read() as connection:
        assert not has_open_orders(connection, label)
        assert own_exits(connection) == []
        assert waiting_exits(connection) == []
    bench.venue.part = Decimal("0.5")
    bench.venue.moves_to("48000", "48100")
    bench.executor.settle(bench.unfinished()[0])
    with bench.store.read() as connection:
        assert has_open_orders(connection, label)
        assert len(own_exits(connection)) == len(waiting_exits(connection)) == 1


# -- whatever happens -------------------------------------------------------------------------------------------------
PLACES = ("stop_replacing", "stop_placed", "cancel_sent", "submitted_committed", "ack_received")


class Oversold(AssertionError):
    """More was sold than the bot has bought, or two stops could."""


def drive(bench: StopBench, seed: int, *, steps: int = 40) -> None:
    """A random life; raises `Oversold`. Ends with everything settled and the stop as large as the books."""
    dice = random.Random(seed)
    for _ in range(steps):
        _step(bench, dice)
        _check(bench)
    bench.venue.script, bench.venue.cancel_faults, bench.venue.cancel_seconds = [], [], 0.0
    bench.venue.part = Decimal(1)
    bench.venue.moves_to("50000", "50200")
    for _ in range(12):
        bench.cycle(60)
        _check(bench)
    held = bench.bought() - bench.sold()
    if bench.lots() != held:
        raise Oversold(f"the books have {bench.lots()}, the venue {held}")
    if sum(bench.resting()) != (held if held >= Decimal("0.00005") else 0):
        raise Oversold(f"{held} is guarded by {bench.resting()}")


def _step(bench: StopBench, dice: random.Random) -> None:
    venue = bench.venue
    what = dice.choice(["buy", "sell", "move", "fall", "cycle", "cycle", "cycle", "fault", "lost", "die", "slow"])
    if what == "buy":
        bench.enter(dice.choice(["0.3", "1", "0.07"]))
    elif what == "sell":
        bench.sells(dice.choice(["0.3", "0.5", "1"]))
    elif what == "move":
        bid = dice.randrange(49_600, 52_000)
        venue.moves_to(str(bid), str(bid + 100))
    elif what == "fall":
        venue.part = Decimal(dice.choice(["1", "0.4"]))
        venue.moves_to("48000", "48100")
    elif what == "fault":
        venue.cancel_faults = [dice.choice(["request lost", "reply lost", Decimal("0.5"), Decimal(1)])]
    elif what == "lost":
        venue.script = [dice.choice([OutcomeUnknown("no answer"), (OutcomeUnknown("no answer"), True)])]
    elif what == "slow":
        venue.cancel_seconds = dice.choice([0.0, 2.0, 30.0])
    elif what == "die":
        with bench.dying_at(dice.choice(PLACES)):
            bench.cycle(dice.choice([1, 10]))
    else:
        bench.cycle(dice.choice([1, 10, 60]))


def _check(bench: StopBench) -> None:
    held = bench.bought() - bench.sold()
    if held < 0:
        raise Oversold(f"{-held} of its owner's coins were sold")
    if len(bench.resting()) > 1:
        raise Oversold(f"stops of {bench.resting()} rest at once")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("stops_hold", [True, False])
def test_never_more_is_sold_than_was_bought_whenever_stops_exits_and_crashes_come(
    store: Store, seed: int, stops_hold: bool
) -> None:
    drive(StopBench(store, stops_hold=stops_hold), seed)


def _sells_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProtectiveStops, "clear", lambda *_: True)


def _trusts_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancel that was asked for counts as an end."""
    real = ProtectiveStops._end_all
    monkeypatch.setattr(ProtectiveStops, "_end_all", lambda self, stops, **more: real(self, stops, **more) or True)


def _never_resizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProtectiveStops, "_fits", lambda _self, stops, wish: wish is not None)


@pytest.mark.parametrize("mutant", [_sells_beside_it, _trusts_the_request, _never_resizes])
def test_the_random_lives_catch_a_wrong_program(
    store: Store, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    mutant(monkeypatch)
    caught = False
    bench = StopBench(store, stops_hold=False)
    for seed in range(12):
        try:
            drive(bench, seed)
        except AssertionError:
            caught = True
            break
    assert caught

"""An order that rests is cancelled, confirmed, and placed anew: never two at a time, never more than was ordered."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from bot.brokers.capabilities import UNSTATED
from bot.domain.errors import OutcomeUnknown, RetryLater
from bot.domain.order import IntentState, OrderType
from bot.domain.veto import Veto, VetoRule
from bot.execution.entry_gate import OpenGate
from bot.execution.repositioner import OrderRules, Policy
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from tests.unit.execution.chain_bench import ChainBench

RESTING = OrderRules(entry=Policy.RESTING, exit=Policy.RESTING)
MARKETABLE = OrderRules(entry=Policy.MARKETABLE, exit=Policy.MARKETABLE)


def test_an_entry_rests_at_the_best_bid_and_moves_towards_the_ask_until_it_is_given_up(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    first = bench.enter()
    assert (first.state, first.order_type, first.limit_price) == (
        IntentState.ACKNOWLEDGED,
        OrderType.LIMIT_GTC,
        Decimal(50_000),
    )
    bench.look(59)
    assert len(bench.steps()) == 1
    for _ in range(5):
        bench.look(60)
    # 5 basis points of the bid a move.
    assert bench.venue.limits() == [Decimal(price) for price in ("50000", "50025", "50050", "50075")]
    assert (bench.venue.live(), bench.chains.due_at) == ([], None)
    assert bench.steps()[-1].chain_end == "not all of it was to be had in 4 tries"


def test_a_move_that_crosses_the_other_side_is_filled_and_the_chain_ends(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.venue.moves_to("50000", "50020")
    bench.enter()
    bench.look(60)
    assert bench.venue.limits() == [Decimal(50_000), Decimal("50025.0")]
    bench.until_quiet()
    assert bench.lots() == 1
    assert bench.steps()[-1].chain_end == "all of it is traded"


def test_no_move_goes_further_across_than_the_bound(store: Store) -> None:
    bench = ChainBench(store, replace(RESTING, reprice_step_bps=Decimal(500), cancel_above_spread_percent=Decimal(50)))
    bench.venue.fillable = Decimal(0)
    bench.enter()
    bench.look(60)
    assert bench.venue.limits()[-1] == Decimal("50300.4"), "20 basis points above the ask of 50200"


def test_what_was_filled_meanwhile_is_not_ordered_again(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.enter("1")
    bench.venue.fill_part(Decimal("0.25"))
    bench.venue.cancel_faults = [Decimal("0.5")]
    bench.venue.fillable = Decimal(0)
    bench.look(60)
    assert [step.quantity for step in bench.steps()] == [Decimal(1), Decimal("0.375")]
    assert bench.lots() == Decimal("0.625")
    assert all(step.balance_before == 1000 for step in bench.steps()), "users' shares come from the same balance"


def test_an_entry_filled_altogether_while_it_is_cancelled_is_followed_by_nothing(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.enter("1")
    bench.venue.cancel_faults = [Decimal(1)]
    bench.look(60)
    bench.until_quiet()
    assert (len(bench.venue.received), bench.lots()) == (1, 1)


def test_a_wide_spread_ends_an_entry_and_not_an_exit(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.holds("1")
    bench.exit("1")
    bench.venue.moves_to("49000", "50200")
    bench.look(6)
    assert len(bench.venue.live()) == 1
    bench.venue.fill_part(Decimal(1))
    bench.until_quiet()
    bench.venue.moves_to("50000", "50200")
    bench.enter("1")
    bench.venue.moves_to("49000", "50200")
    bench.look(6)
    assert bench.venue.live() == []
    assert "spread" in str(bench.steps()[-1].chain_end)
    bench.venue.moves_to("50000", "50200")
    bench.look(120)
    assert len(bench.steps()) == 1


def test_an_exit_moves_three_times_and_then_goes_at_the_market(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.holds("1")
    bench.exit("1")
    for _ in range(4):
        bench.look(30)
    types = [step.order_type for step in bench.steps()]
    assert types == [OrderType.LIMIT_GTC] * 4 + [OrderType.MARKET]
    limits = [step.limit_price for step in bench.steps()][:4]
    assert limits == [Decimal("50200.0"), Decimal("50174.9"), Decimal("50149.8"), Decimal("50124.7")]
    assert bench.lots() == 0
    bench.until_quiet()


@pytest.mark.parametrize("rule", ["hard_stop", "trailing_stop", "break_even"])
def test_a_stop_never_rests(store: Store, rule: str) -> None:
    bench = ChainBench(store, RESTING)
    bench.holds("1")
    assert bench.exit("1", rule).order_type is OrderType.MARKET
    assert bench.lots() == 0


def test_a_stop_overtakes_an_exit_that_rests(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.holds("1")
    bench.exit("1", "target")
    bench.venue.fill_part(Decimal("0.5"))
    assert not bench.orders.may_sell(bench.desk, "BTC/USD", "target")
    assert len(bench.venue.live()) == 1
    bench.orders.may_sell(bench.desk, "BTC/USD", "hard_stop")
    assert (bench.lots(), bench.venue.live()) == (0, [])


def test_a_sale_gives_up_the_entry_that_still_rests(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.enter("1")
    bench.venue.fill_part(Decimal("0.5"))
    bench.look(6)
    assert bench.orders.may_sell(bench.desk, "BTC/USD", "hard_stop")
    assert (bench.venue.live(), bench.lots()) == ([], Decimal("0.5"))
    bench.look(120)
    assert len(bench.steps()) == 1


def test_a_marketable_order_is_capped_and_what_an_exit_leaves_goes_out_again(store: Store) -> None:
    bench = ChainBench(store, MARKETABLE)
    entry = bench.enter("1")
    assert (entry.order_type, entry.limit_price, entry.chain_id) == (OrderType.LIMIT_IOC, Decimal("50451.0"), None)
    bench.venue.fillable = Decimal("0.4")
    bench.exit("1", "hard_stop")
    bench.until_quiet()
    assert [step.order_type for step in bench.steps()][:2] == [OrderType.LIMIT_IOC] * 2
    assert bench.lots() == 0


def test_an_exit_that_gets_nothing_within_its_cap_goes_at_the_market_in_the_end(store: Store) -> None:
    bench = ChainBench(store, replace(MARKETABLE, max_reprices=2))
    bench.holds("1")
    quote_bid = bench.venue.bid
    bench.venue.on_place = lambda request: setattr(
        bench.venue, "bid", quote_bid * Decimal("0.9") if request.limit_price else quote_bid
    )
    bench.exit("1")
    bench.venue.on_place = lambda _request: None
    bench.until_quiet()
    assert bench.lots() == 0


def test_where_a_brokerage_has_no_resting_orders_an_exit_goes_at_the_market_and_an_entry_not_at_all(
    store: Store,
) -> None:
    only_market = replace(UNSTATED, order_types={OrderType.MARKET: "market"})
    bench = ChainBench(store, RESTING, capabilities=only_market)
    bench.holds("1")
    assert bench.exit("1").order_type is OrderType.MARKET
    assert bench.lots() == 0
    entry = bench.enter("1")
    assert (entry.state, bench.lots()) == (IntentState.ABANDONED, 0)
    bench.look()
    assert bench.steps()[-1].chain_end is not None


def test_a_cancel_that_takes_its_time_is_waited_for(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.enter("1")
    bench.venue.cancel_seconds = 7.0
    bench.look(60)
    assert (len(bench.venue.received), len(bench.venue.live())) == (1, 1)
    bench.look(1)
    assert len(bench.venue.received) == 1
    bench.look(7)
    assert (len(bench.venue.received), len(bench.venue.live())) == (2, 1)


@pytest.mark.parametrize("place", ["intent_committed", "submitted_committed", "ack_received", "ack_committed"])
@pytest.mark.parametrize("kind", ["entry", "exit"])
def test_a_process_killed_while_it_places_a_step_goes_on_from_its_rows(store: Store, place: str, kind: str) -> None:
    bench = ChainBench(store, RESTING)
    if kind == "exit":
        bench.holds("1")
    bench.enter("1") if kind == "entry" else bench.exit("1")
    with bench.dying_at(place):
        bench.look(60)
    assert len(bench.venue.live()) <= 1
    _ends_well(bench, kind)


@pytest.mark.parametrize("place", ["cancel_committed", "cancel_sent", "chain_confirmed", "chain_ended"])
@pytest.mark.parametrize("kind", ["entry", "exit"])
def test_a_process_killed_between_cancel_and_the_next_order_goes_on_from_its_rows(
    store: Store, place: str, kind: str
) -> None:
    bench = ChainBench(store, replace(RESTING, max_reprices=1))
    if kind == "exit":
        bench.holds("1")
    bench.enter("1") if kind == "entry" else bench.exit("1")
    bench.venue.fill_part(Decimal("0.3"))
    for _ in range(3):
        with bench.dying_at(place):
            bench.look(60)
        assert len(bench.venue.live()) <= 1
    _ends_well(bench, kind)


def _ends_well(bench: ChainBench, kind: str) -> None:
    for _ in range(12):
        bench.look(61)
        assert len(bench.venue.live()) <= 1
    bench.until_quiet()
    assert bench.venue.live() == []
    bought = sum(one.filled_quantity for one in bench.venue.orders.values() if one.side == "buy")
    assert bought <= 1
    assert bench.lots() == bench.venue.coins
    if kind == "exit":
        assert bench.lots() == 0
    assert all(step.chain_end for step in bench.steps())


def test_an_order_whose_outcome_is_not_known_is_waited_for(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.venue.script = [(OutcomeUnknown("no answer"), True)]
    bench.venue.lookups_fail = True
    bench.enter("1")
    bench.look(120)
    assert len(bench.venue.received) == 1
    bench.venue.lookups_fail = False
    bench.look(10)
    assert (len(bench.venue.received), len(bench.venue.live())) == (2, 1), "its time was over: it is placed anew"


def test_an_exit_that_the_venue_does_not_take_is_tried_again_later_each_time(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.holds("1")
    bench.venue.script = [RetryLater("slow down")] * 4
    bench.exit("1")
    bench.until_quiet()
    assert bench.lots() == 0
    assert bench.clock.seconds >= 1 + 2 + 4


def test_an_order_cancelled_by_its_owner_ends_an_entry_and_an_exit_goes_on(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.enter("1")
    bench.venue.cancel_order(bench.venue.live()[0].venue_order_id)
    bench.look(6)
    assert (bench.venue.live(), bench.chains.due_at) == ([], None)
    bench.holds("1")
    bench.exit("1")
    bench.venue.cancel_order(bench.venue.live()[0].venue_order_id)
    bench.look(6)
    assert len(bench.venue.live()) == 1


def test_a_rest_below_the_minimum_is_not_placed(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.holds("1")
    bench.exit("1")
    bench.venue.fill(bench.venue.live()[0], Decimal("0.99997"))
    bench.look(30)
    bench.until_quiet()
    assert len(bench.steps()) == 1
    assert "minimum" in str(bench.steps()[-1].chain_end)


def test_an_entry_is_busy_until_its_chain_has_ended(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.enter("1")
    assert bench.orders.busy(bench.desk, "BTC/USD")
    with bench.dying_at("chain_confirmed"):
        bench.look(60)
    assert bench.venue.live() == []
    assert bench.orders.busy(bench.desk, "BTC/USD"), "between two orders nothing else is bought"


class _Halted(OpenGate):
    halted = False
    recovering = False

    def still(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        if self.recovering:
            return Veto(VetoRule.NOT_READY, "comparing the books with the venue", {})
        return Veto(VetoRule.HALTED, "stopped by hand", {}) if self.halted else None


def test_the_rest_of_an_entry_waits_until_the_account_is_ready_again_but_not_for_ever(store: Store) -> None:
    gate = _Halted()
    bench = ChainBench(store, RESTING, gate=gate)
    bench.enter("1")
    gate.recovering = True
    bench.look(60)
    bench.look(30)
    assert len(bench.steps()) == 1
    gate.recovering = False
    bench.look(2)
    assert len(bench.venue.live()) == 1
    gate.recovering = True
    bench.look(60)
    bench.look(60)
    bench.until_quiet()
    assert (bench.venue.live(), len(bench.venue.received)) == ([], 2)


def test_a_halt_cancels_what_rests_and_an_exit_goes_on(store: Store) -> None:
    gate = _Halted()
    bench = ChainBench(store, RESTING, gate=gate)
    bench.enter("1")
    bench.venue.fill_part(Decimal("0.5"))
    gate.halted = True
    bench.look(2)
    assert bench.venue.live() == []
    bench.exit("0.5")
    bench.look(2)
    assert len(bench.venue.live()) == 1


@pytest.mark.parametrize("cancel_at_stop", [True, False])
def test_at_the_end_entries_are_cancelled_if_that_is_set_and_what_stays_is_taken_over(
    store: Store, cancel_at_stop: bool
) -> None:
    bench = ChainBench(store, replace(RESTING, cancel_at_stop=cancel_at_stop))
    bench.enter("1")
    bench.stop.set()
    bench.chains.at_stop()
    assert len(bench.venue.live()) == (0 if cancel_at_stop else 1)
    bench.restart()
    bench.look(60)
    assert len(bench.venue.received) == (1 if cancel_at_stop else 2)

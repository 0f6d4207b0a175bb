"""What may go wrong between a master's fill and its copies, with everything real but the brokerage, which is in memory.

Each fault happens once, at a chosen moment, and the brokerage's own list of orders is the judge.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bot.domain.account import BrokerType
from bot.domain.errors import Fenced, InsufficientFunds, OrderRefused, OutcomeUnknown
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import IntentState, Side, VenueOrderStatus
from bot.seams import failpoints
from bot.storage import intents, leases, migrations, positions
from bot.storage.intents import OrderIntent
from bot.storage.store import Store, sqlite_url
from tests.memory_broker import BTC, MemoryBroker
from tests.unit.copy_bench import MASTER, Bench


class MovingRules(Bench):
    """A venue that changes a market's rules, which are `rules` from then on; users copy while it is `armed`."""

    rules: Instrument | None = BTC
    armed = True

    def copying_armed(self, broker: BrokerType) -> bool:
        return self.armed

    def instrument_of(self, broker: BrokerType, symbol: str) -> Instrument | None:
        return self.rules if symbol == "BTC/USD" else None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = sqlite_url(tmp_path / "nija.db")
    migrations.upgrade(url)
    opened = Store(url)
    opened.start()
    yield opened
    opened.close()


@pytest.fixture
def bench(store: Store) -> MovingRules:
    return MovingRules(store, {"ann": "1000"})


@pytest.fixture(autouse=True)
def no_failpoints() -> Iterator[None]:
    yield
    failpoints.install("")


def bought(bench: Bench, quantity: str = "0.01") -> MemoryBroker:
    bench.master_trades(Side.BUY, quantity)
    bench.plan()
    assert bench.copy("ann") is None
    return bench.user("ann")


def answer(bench: Bench) -> tuple[str, str]:
    """The newest answer of the only user."""
    (_, status, reason), *_ = bench.rows()
    return status, reason


def held(bench: Bench) -> Decimal:
    with bench.store.read() as connection:
        position = positions.find_position(connection, "ann_kraken", "BTC/USD")
    return Decimal(0) if position is None else position.quantity


def entry_of(bench: Bench) -> OrderIntent:
    (request, *_) = bench.user("ann").received
    with bench.store.read() as connection:
        intent = intents.find_intent(connection, request.client_order_id)
    assert intent is not None
    return intent


# -- the process ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("failpoint", ["cancel_committed", "cancel_sent"])
def test_a_crash_around_a_cancel_leaves_the_word_to_the_venue_and_a_late_fill_is_booked(
    bench: Bench, failpoint: str
) -> None:
    ann = bench.user("ann")
    ann.fillable, ann.stays_open = Decimal("0.0004"), True
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    assert bench.copy("ann") is not None
    failpoints.install(f"{failpoint}:raise")
    with pytest.raises(failpoints.FailpointRaised):
        bench.executors[ann.account].cancel(entry_of(bench))
    failpoints.install("")
    (order,) = ann.orders.values()
    if failpoint == "cancel_sent":
        # What the venue still filled before the cancel reached it.
        late = Fill(
            trade_id="late", venue_order_id=order.venue_order_id, symbol="BTC/USD", side=Side.BUY,
            quantity=Decimal("0.0002"), price=ann.price, fee=Decimal(0), fee_currency="USD",
            executed_at=bench.clock.now(),
        )  # fmt: skip
        ann.fills.append(late)
        ann.orders[order.venue_order_id] = replace(
            order, status=VenueOrderStatus.CANCELLED, filled_quantity=Decimal("0.0006")
        )
    bench.clock.seconds += 11
    after = bench.restarted(ann.account).settle(entry_of(bench))
    if failpoint == "cancel_committed":
        assert (after.state, held(bench)) == (IntentState.PARTLY_FILLED, Decimal("0.0004"))
    else:
        assert (after.state, held(bench)) == (IntentState.CANCELLED, Decimal("0.0006"))
    assert len(ann.received) == 1


@pytest.mark.parametrize("failpoint", ["plan_signal", "signal_planned"])
def test_a_crash_around_the_planning_of_a_signal_that_waited_makes_one_copy(bench: MovingRules, failpoint: str) -> None:
    bench.armed = False  # users are still being connected when the master trades
    bench.master_trades(Side.BUY, "0.01")
    bench.armed = True
    failpoints.install(f"{failpoint}:raise")
    with pytest.raises(failpoints.FailpointRaised):
        bench.plan()
    failpoints.install("")
    bench.plan()
    assert bench.copy("ann") is None
    assert bench.rows() == [("ann", "copied", "")]
    assert len(bench.user("ann").received) == 1


def test_memory_that_runs_out_after_an_order_was_sent_leaves_it_to_be_asked_about(bench: Bench) -> None:
    bench.brokers[MASTER].script = [(MemoryError(), True)]
    with pytest.raises(MemoryError):
        bench.master_trades(Side.BUY, "0.01")
    (request,) = bench.brokers[MASTER].received
    with bench.store.read() as connection:
        intent = intents.find_intent(connection, request.client_order_id)
    assert intent is not None
    assert intent.state is IntentState.SUBMITTED
    after = bench.restarted(MASTER).settle(intent)
    assert (after.state, after.filled_quantity) == (IntentState.FILLED, Decimal("0.01"))
    assert len(bench.brokers[MASTER].received) == 1
    assert bench.plan() == 1


# -- the market -------------------------------------------------------------------------------------------------------
def test_a_minimum_raised_above_what_is_held_makes_dust_and_no_further_tries(bench: MovingRules) -> None:
    ann = bought(bench)
    bench.rules = replace(BTC, minimum_quantity=Decimal("0.5"))
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    assert bench.copy("ann") is None
    assert answer(bench) == ("skipped", "dust")
    assert held(bench) == 0
    assert [request.side for request in ann.received] == [Side.BUY]
    assert bench.copy("ann") is None


def test_a_market_the_venue_no_longer_lists_takes_no_entry_and_keeps_the_exit_owing(bench: MovingRules) -> None:
    ann = bought(bench)
    bench.rules = None
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    assert answer(bench) == ("skipped", "symbol_unknown")
    bench.master_trades(Side.SELL, "0.02")
    bench.plan()
    assert bench.copy("ann") is not None
    assert answer(bench) == ("planned", "")
    bench.rules = BTC
    bench.clock.seconds += 60
    assert bench.copy("ann") is None
    assert ann.coins == 0


def test_an_exit_refused_for_a_lot_step_that_changed_is_rounded_anew(bench: MovingRules) -> None:
    ann = bought(bench, "0.0123")
    bench.master_trades(Side.SELL, "0.0123")
    bench.plan()
    ann.script = [OrderRefused("EGeneral:Invalid arguments:volume")]
    assert bench.copy("ann") is not None
    bench.rules = replace(BTC, lot_step=Decimal("0.0001"))
    bench.clock.seconds += 60
    bench.copy("ann")
    sales = [request.quantity for request in ann.received if request.side is Side.SELL]
    assert sales == [Decimal("0.00123"), Decimal("0.0012")]
    assert len({request.client_order_id for request in ann.received}) == 3


def test_an_entry_that_got_less_than_it_asked_for_is_not_chased(bench: Bench) -> None:
    ann = bench.user("ann")
    ann.fillable = Decimal("0.0004")
    bought(bench)
    assert answer(bench)[0] == "partly_copied"
    assert (len(ann.received), held(bench)) == (1, Decimal("0.0004"))


# -- the copies -------------------------------------------------------------------------------------------------------
def test_in_and_out_and_in_again_before_the_user_had_its_turn(bench: Bench) -> None:
    for side in (Side.BUY, Side.SELL, Side.BUY):
        bench.master_trades(side, "0.01")
    bench.plan()
    while bench.copy("ann") is not None:
        bench.clock.seconds += 1
    ann = bench.user("ann")
    assert [request.side for request in ann.received] == [Side.BUY]
    # The first entry was still under way when the second was sized: 950 of the 1,000 beside the master's 10,000.
    assert ann.coins == held(bench) == Decimal("0.00095")
    assert bench.missing() == 0


def test_of_an_entry_that_was_refused_there_is_nothing_to_exit(bench: Bench) -> None:
    ann = bench.user("ann")
    ann.script = [InsufficientFunds("EOrder:Insufficient funds")]
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    assert answer(bench) == ("failed", "insufficient_funds")
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    bench.copy("ann")
    assert answer(bench) == ("skipped", "nothing_held")
    assert len(ann.received) == 1


def test_an_exit_waits_while_nobody_knows_whether_the_entry_was_taken_and_then_sells_what_it_got(bench: Bench) -> None:
    ann = bench.user("ann")
    ann.fillable = Decimal("0.0007")
    ann.script = [(OutcomeUnknown("timed out"), True)]
    ann.lookups_fail = True
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    for _ in range(3):
        bench.clock.seconds += 10
        bench.copy("ann")
    assert [request.side for request in ann.received] == [Side.BUY]
    ann.lookups_fail = False
    for _ in range(3):
        bench.clock.seconds += 10
        bench.copy("ann")
    sales = [request.quantity for request in ann.received if request.side is Side.SELL]
    assert (sales, ann.coins) == ([Decimal("0.0007")], Decimal(0))


def test_a_master_order_filled_in_forty_pieces_is_copied_as_one(bench: Bench) -> None:
    broker = bench.brokers[MASTER]
    intent = bench.master_trades(Side.BUY, "0.02")
    whole = broker.fills[0]
    assert bench.plan() == 1
    pieces = [
        replace(whole, trade_id=f"P{number}", venue_order_id="O40", quantity=Decimal("0.0005")) for number in range(40)
    ]
    order = replace(broker.orders[whole.venue_order_id], venue_order_id="O40", client_order_id="f" * 32)
    by_hand = replace(
        intent,
        client_order_id="f" * 32,
        state=IntentState.UNKNOWN,
        venue_order_id=None,
        balance_before=Decimal(9000),
    )
    bench.store.write(lambda connection: intents.add_intent(connection, by_hand))
    bench.recorders[MASTER].book_order(by_hand, order, pieces)
    assert bench.plan() == 1
    bench.copy("ann")
    quantities = [request.quantity for request in bench.user("ann").received]
    assert quantities == [Decimal("0.002"), Decimal("0.002")]


def test_the_last_of_many_users_is_judged_by_the_age_at_its_own_turn(store: Store) -> None:
    bench = Bench(store, {f"user{number}": "1000" for number in range(20)})
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    for number in range(20):
        bench.clock.seconds += 4
        bench.user(f"user{number}").refresh_balance(max_age_seconds=0)
        bench.copy(f"user{number}")
    sent = [bool(bench.user(f"user{number}").received) for number in range(20)]
    assert sent == [True] * 15 + [False] * 5
    assert {reason for _, status, reason in bench.rows() if status == "skipped"} == {"too_old"}
    assert bench.missing() == 0


def test_a_user_who_took_money_out_buys_only_what_the_rest_pays_for(bench: Bench) -> None:
    ann = bench.user("ann")
    ann.cash = Decimal(3)
    ann.refresh_balance(max_age_seconds=0)
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    assert ann.received == []
    assert answer(bench)[0] == "skipped"
    ann.cash = Decimal(1000)
    ann.refresh_balance(max_age_seconds=0)
    bench.clock.seconds += 1
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    assert len(ann.received) == 1


def test_a_deposit_and_a_present_of_coins_are_no_trades(bench: Bench) -> None:
    bought(bench)
    broker = bench.brokers[MASTER]
    broker.cash += 5000
    broker.coins += 3
    broker.refresh_balance(max_age_seconds=0)
    assert bench.plan() == 0
    ann = bench.user("ann")
    ann.coins += 2
    ann.refresh_balance(max_age_seconds=0)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    bench.copy("ann")
    assert ann.coins == 2, "only what was copied is sold"


def test_a_ratio_changed_while_a_position_is_held_counts_for_new_entries_only(bench: Bench) -> None:
    ann = bought(bench)
    bench.followers[:] = [
        replace(each, rules=replace(each.rules, risk_multiplier=Decimal("0.5"))) for each in bench.followers
    ]
    bench.master_trades(Side.SELL, "0.005")
    bench.plan()
    bench.copy("ann")
    assert held(bench) == Decimal("0.0005"), "half of the lots, whatever the ratio is now"
    bench.clock.seconds += 1
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    assert ann.received[-1].quantity < Decimal("0.001")


# -- the clock --------------------------------------------------------------------------------------------------------
def test_an_age_is_counted_from_the_trade_and_not_from_when_it_was_heard_of(bench: Bench) -> None:
    """A fill that comes late, as after an outage, is old already when it is first seen."""
    intent = bench.master_trades(Side.BUY, "0.01")
    broker = bench.brokers[MASTER]
    late = replace(
        broker.fills[0], trade_id="L1", venue_order_id="OL", executed_at=bench.clock.now() - timedelta(minutes=5)
    )
    order = replace(broker.orders["O1"], venue_order_id="OL", client_order_id="e" * 32)
    unheard = replace(intent, client_order_id="e" * 32, state=IntentState.UNKNOWN, venue_order_id=None)
    bench.store.write(lambda connection: intents.add_intent(connection, unheard))
    bench.recorders[MASTER].book_order(unheard, order, [late])
    bench.plan()
    bench.copy("ann")
    assert ("ann", "skipped", "too_old") in [(user.partition("_")[0], *rest) for user, *rest in bench.rows()]
    assert len(bench.user("ann").received) == 1


# -- what the venue shows ---------------------------------------------------------------------------------------------
def test_an_order_that_was_accepted_and_is_never_shown_stays_open_and_alarms(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    ann = bench.user("ann")
    ann.script = [(OutcomeUnknown("timed out"), True)]
    ann.lookups_fail = True
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    executor = bench.executors[ann.account]
    for _ in range(20):
        bench.clock.seconds += 60
        executor.settle(entry_of(bench))
    assert entry_of(bench).state is IntentState.UNKNOWN, "a look-up that fails proves nothing, however often"
    assert "has had no outcome for" in caplog.text
    assert len(ann.received) == 1


def test_each_opening_of_an_account_raises_its_epoch_whatever_became_of_the_one_before(bench: Bench) -> None:
    ann = bench.user("ann").account

    def open_it(*, dies: bool) -> int:
        def take(connection: Connection) -> int:
            epoch = leases.take_lease(connection, ann.label, owner="test", now=bench.clock.now())
            if dies:
                raise failpoints.FailpointRaised("here")
            return epoch

        return bench.store.write(take)

    first = open_it(dies=False)
    with pytest.raises(failpoints.FailpointRaised):
        open_it(dies=True)
    assert open_it(dies=False) > first
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    with pytest.raises(Fenced):
        bench.copy("ann")
    assert bench.user("ann").received == []


def test_what_the_user_has_sold_altogether_by_hand_is_not_sold_again(bench: Bench) -> None:
    ann = bought(bench)
    ann.coins = Decimal(0)
    ann.refresh_balance(max_age_seconds=0)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    for _ in range(5):
        bench.clock.seconds += bench.copy("ann") or 0
    assert [request.side for request in ann.received] == [Side.BUY]
    assert answer(bench)[0] == "skipped"
    assert bench.missing() == 0

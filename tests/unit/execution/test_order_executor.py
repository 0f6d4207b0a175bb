"""An order leaves once, under its account's lease, and after it nothing is believed but what the venue shows."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select

from bot.domain.errors import Fenced, OutcomeUnknown, RetryLater
from bot.domain.order import IntentState, OrderRequest, Side, VenueOrder
from bot.storage import intents, leases
from bot.storage.intents import OrderIntent
from bot.storage.schema import order_event, order_intent
from bot.storage.store import Store
from tests.memory_broker import MemoryBroker
from tests.unit.copy_bench import MASTER, Bench

ON_BOTH_DATABASES = True


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, {"ann": "1000"})


def _stored(bench: Bench, client_order_id: str) -> OrderIntent:
    with bench.store.read() as connection:
        intent = intents.find_intent(connection, client_order_id)
    assert intent is not None
    return intent


def _lost(bench: Bench, *, accepted: bool) -> OrderIntent:
    """A master's buy without a reply."""
    lost = OutcomeUnknown("timed out")
    bench.brokers[MASTER].script = [(lost, True) if accepted else lost]
    return bench.master_trades(Side.BUY, "0.01")


def test_when_the_venue_gets_an_order_it_is_written_down_with_the_same_contents(bench: Bench) -> None:
    seen: list[tuple[IntentState, str | None, str]] = []

    def look(request: OrderRequest) -> None:
        stored = _stored(bench, request.client_order_id)
        seen.append((stored.state, stored.payload_sha256, request.payload_sha256))

    bench.brokers[MASTER].on_place = look
    bench.user("ann").on_place = look
    bench.master_trades(Side.BUY, "0.01")
    bench.copy("ann")
    assert len(seen) == 2
    for state, written, arrived in seen:
        assert (state, written) == (IntentState.SUBMITTED, arrived)


def test_the_digest_is_that_of_the_numbers_and_not_of_their_spelling() -> None:
    one = OrderRequest(
        client_order_id="a" * 32, symbol="BTC/USD", side=Side.BUY, kind="entry", order_type="limit_ioc",
        quantity=Decimal("0.10"), limit_price=Decimal("50000.0"),
    )  # type: ignore[arg-type]  # fmt: skip
    same = replace(one, quantity=Decimal("0.1"), limit_price=Decimal("5E+4"))
    assert one.payload_sha256 == same.payload_sha256
    assert one.payload_sha256 != replace(one, quantity=Decimal("0.2")).payload_sha256


def test_a_thread_whose_account_was_opened_anew_sends_nothing(bench: Bench) -> None:
    bench.store.write(
        lambda connection: leases.take_lease(connection, MASTER.label, owner="another", now=bench.clock.now())
    )
    with pytest.raises(Fenced):
        bench.master_trades(Side.BUY, "0.01")
    assert bench.brokers[MASTER].received == []


def test_a_thread_held_up_between_commit_and_wire_sends_nothing_when_it_was_replaced_meanwhile(bench: Bench) -> None:
    executor = bench.executors[MASTER]

    def replaced_here() -> str:
        bench.store.write(
            lambda connection: leases.take_lease(connection, MASTER.label, owner="another", now=bench.clock.now())
        )
        return ""

    intent = replace(_stored(bench, bench.master_trades(Side.BUY, "0.01").client_order_id))
    fresh = replace(
        intent, client_order_id="b" * 32, state=IntentState.CREATED, venue_order_id=None, filled_quantity=Decimal(0)
    )
    with pytest.raises(Fenced):
        executor.place(fresh, gate=replaced_here)
    assert len(bench.brokers[MASTER].received) == 1
    assert _stored(bench, "b" * 32).state is IntentState.SUBMITTED  # whoever has the account now asks about it


def test_what_a_replaced_thread_still_hears_of_its_order_changes_nothing(bench: Bench) -> None:
    broker = bench.brokers[MASTER]

    def replaced_while_waiting(_request: OrderRequest) -> None:
        bench.store.write(
            lambda connection: leases.take_lease(connection, MASTER.label, owner="another", now=bench.clock.now())
        )

    broker.on_place = replaced_while_waiting
    broker.script = [RetryLater("busy")]
    with pytest.raises(Fenced):
        bench.master_trades(Side.BUY, "0.01")
    with bench.store.read() as connection:
        assert connection.execute(select(order_intent.c.state)).scalar_one() == "submitted"


def test_the_gate_is_asked_after_the_commit_and_its_reason_is_kept(bench: Bench) -> None:
    intent = _stored(bench, bench.master_trades(Side.BUY, "0.01").client_order_id)
    fresh = replace(intent, client_order_id="b" * 32, state=IntentState.CREATED, venue_order_id=None)
    result = bench.executors[MASTER].place(fresh, gate=lambda: "too_old: it took 70 s to write down")
    assert (result.state, result.reason) == (IntentState.ABANDONED, "not sent: too_old: it took 70 s to write down")
    assert len(bench.brokers[MASTER].received) == 1


def test_a_wall_clock_set_forward_proves_nothing(bench: Bench) -> None:
    intent = _lost(bench, accepted=False)
    executor = bench.executors[MASTER]
    bench.clock.wall_offset = 86_400.0
    for _ in range(2):
        bench.clock.seconds += 11
        intent = executor.settle(intent)
    assert intent.state is IntentState.UNKNOWN
    bench.clock.seconds += 11
    assert executor.settle(intent).state is IntentState.ABANDONED


def test_a_restarted_process_gives_what_was_under_way_its_full_time_again(bench: Bench) -> None:
    intent = _lost(bench, accepted=False)
    bench.clock.seconds += 25
    restarted = bench.restarted(MASTER)
    for seconds, state in ((0, "unknown"), (11, "unknown"), (11, "unknown"), (11, "abandoned")):
        bench.clock.seconds += seconds
        assert restarted.settle(intent).state == state


def _shown_differently(broker: MemoryBroker) -> VenueOrder:
    (order,) = broker.orders.values()
    changed = replace(order, quantity=order.quantity * 2)
    broker.orders[order.venue_order_id] = changed
    return changed


def test_contradictory_evidence_is_left_to_a_person_and_asked_about_no_more(bench: Bench) -> None:
    intent = _lost(bench, accepted=True)
    _shown_differently(bench.brokers[MASTER])
    executor = bench.executors[MASTER]
    asked = executor.settle(intent)
    assert asked.state is IntentState.UNKNOWN
    assert "0.02" in asked.needs_person
    assert executor.settle(asked) == asked
    with bench.store.read() as connection:
        assert intents.symbols_needing_a_person(connection, MASTER.label) == {"BTC/USD"}
        assert intents.symbols_needing_a_person(connection, "ann_kraken") == frozenset()


@pytest.mark.parametrize(("word", "state"), [("accepted:O1", IntentState.FILLED), ("absent", IntentState.ABANDONED)])
def test_a_persons_word_is_carried_out_by_the_accounts_own_thread(bench: Bench, word: str, state: IntentState) -> None:
    intent = _lost(bench, accepted=True)
    order = _shown_differently(bench.brokers[MASTER])
    executor = bench.executors[MASTER]
    intent = executor.settle(intent)
    bench.store.write(
        lambda connection: intents.change(connection, intent.client_order_id, resolution=word, resolved_by="eve")
    )
    settled = executor.settle(executor.reload(intent))
    assert (settled.state, settled.needs_person) == (state, "")
    if state is IntentState.FILLED:
        assert (settled.venue_order_id, settled.filled_quantity) == (order.venue_order_id, Decimal("0.01"))
        assert bench.plan() == 1
    else:
        assert "eve" in settled.reason


def test_a_person_cannot_give_an_order_of_another_market_to_an_intent(bench: Bench) -> None:
    intent = _lost(bench, accepted=True)
    broker, executor = bench.brokers[MASTER], bench.executors[MASTER]
    order = _shown_differently(broker)
    broker.orders["O9"] = replace(order, venue_order_id="O9", symbol="ETH/USD")
    intent = executor.settle(intent)
    bench.store.write(lambda connection: intents.change(connection, intent.client_order_id, resolution="accepted:O9"))
    again = executor.settle(executor.reload(intent))
    assert again.state is IntentState.UNKNOWN
    assert "ETH/USD" in again.needs_person


def test_what_the_venue_shows_of_an_order_given_up_is_booked_late_and_loudly(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    broker = bench.brokers[MASTER]
    intent = _lost(bench, accepted=True)
    broker.hidden_orders.add(intent.client_order_id)
    executor = bench.executors[MASTER]
    for _ in range(5):
        bench.clock.seconds += 11
        intent = executor.settle(intent)
    assert intent.state is IntentState.ABANDONED
    (order,) = broker.orders.values()
    bench.recorders[MASTER].book_order(intent, order, broker.fills)
    late = executor.reload(intent)
    assert (late.state, late.filled_quantity) == (IntentState.FILLED, Decimal("0.01"))
    assert "the venue now shows" in caplog.text
    bench.recorders[MASTER].book_order(intent, order, broker.fills)
    assert bench.plan() == 1


def test_fills_signal_and_the_intents_of_all_users_are_one_commit(bench: Bench) -> None:
    """Whatever a second reader sees, it sees all of it or nothing: the engine has not run at all."""
    bench.master_trades(Side.BUY, "0.01")
    with bench.store.read() as connection:
        states = connection.execute(select(order_intent.c.account_id, order_intent.c.state)).all()
    assert sorted(tuple(row) for row in states) == [("ann_kraken", "created"), ("kraken", "filled")]


def test_a_user_whose_copy_cannot_be_planned_costs_neither_the_master_nor_the_others(store: Store) -> None:
    bench = Bench(store, {"ann": "1000", "bob": "5000"})
    real = bench.balance_of

    def broken(account: object) -> object:
        if account == bench.user("ann").account:
            raise ZeroDivisionError("nonsense in the rules")
        return real(account)  # type: ignore[arg-type]

    bench.balance_of = broken  # type: ignore[assignment]
    bench.master_trades(Side.BUY, "0.01")
    bench.balance_of = real  # type: ignore[method-assign]
    bench.plan()
    bench.copy("bob")
    assert set(bench.rows()) == {("ann", "failed", "planning_failed"), ("bob", "copied", "")}


def test_each_time_an_order_leaves_its_times_are_set_anew(bench: Bench) -> None:
    ann = bench.user("ann")
    bench.master_trades(Side.BUY, "0.01")
    ann.script = [RetryLater("too many requests")]
    bench.copy("ann")
    first = _stored(bench, ann.received[0].client_order_id)
    bench.clock.seconds += 7
    bench.copy("ann")
    second = _stored(bench, ann.received[0].client_order_id)
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.settle_at is not None and second.settle_at is not None
    assert (second.settle_at - first.settle_at).total_seconds() == 7
    with bench.store.read() as connection:
        events = connection.execute(select(order_event.c.new).order_by(order_event.c.id)).scalars().all()
    assert events.count("submitted") == 3


def test_a_trade_listed_twice_does_not_stand_in_for_one_that_is_missing(bench: Bench) -> None:
    broker = bench.brokers[MASTER]
    intent = _lost(bench, accepted=True)
    (whole,) = broker.fills
    halves = [replace(whole, trade_id=f"T{number}", quantity=whole.quantity / 2) for number in (1, 2)]
    broker.fills[:] = [halves[0], halves[0]]
    executor = bench.executors[MASTER]
    assert executor.settle(intent).state is IntentState.UNKNOWN
    broker.fills[:] = [halves[0], *halves]
    settled = executor.settle(intent)
    assert (settled.state, settled.filled_quantity) == (IntentState.FILLED, Decimal("0.01"))


def test_a_trade_that_the_history_shows_after_an_orders_end_is_counted_to_it(bench: Bench) -> None:
    broker = bench.brokers[MASTER]
    intent = _stored(bench, bench.master_trades(Side.BUY, "0.01").client_order_id)
    late = replace(broker.fills[0], trade_id="T9", quantity=Decimal("0.002"))
    bench.recorders[MASTER].book_history([late])
    assert _stored(bench, intent.client_order_id).filled_quantity == Decimal("0.012")


def test_a_row_that_cannot_be_read_blocks_its_market_and_stops_nothing_else(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    intent = _lost(bench, accepted=False)
    other = replace(intent, client_order_id="c" * 32, symbol="ETH/USD", state=IntentState.CREATED)
    bench.store.write(lambda connection: intents.add_intent(connection, other))
    bench.store.write(lambda connection: intents.change(connection, intent.client_order_id, side="sideways"))
    with bench.store.read() as connection:
        blocked, free = intents.unfinished(connection, MASTER.label)
    assert (blocked.symbol, blocked.state, free.client_order_id) == ("BTC/USD", IntentState.UNKNOWN, "c" * 32)
    assert "sideways" in blocked.needs_person
    assert "cannot be read" in caplog.text


def test_a_copy_planned_anew_in_older_books_takes_over_the_size_that_had_been_sent(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    ann = bench.user("ann")
    with bench.store.read() as connection:
        (planned,) = intents.unfinished(connection, ann.account.label)
    request = replace(planned.request(), quantity=planned.quantity / 2)
    ann.place_order(request)  # by the part of the books that is lost
    bench.restored_at = bench.clock.now()
    bench.restarted(ann.account)
    assert bench.copy("ann") is None
    settled = _stored(bench, planned.client_order_id)
    assert (settled.state, settled.quantity, settled.needs_person) == (IntentState.FILLED, request.quantity, "")
    assert ann.received == [request]

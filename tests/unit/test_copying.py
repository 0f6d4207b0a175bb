"""From a master's fill to one answer per user, in memory and stepped by hand."""

from decimal import Decimal

import pytest
from sqlalchemy import select

from bot.domain.errors import InsufficientFunds, OrderRefused, OutcomeUnknown, RetryLater
from bot.domain.order import IntentState, OrderKind, OrderRequest, OrderType, Side
from bot.domain.position import ExitPlan
from bot.position_sizer import CopyRules
from bot.storage import accounts
from bot.storage.intents import OrderIntent, unfinished
from bot.storage.schema import signal
from bot.storage.store import Store
from tests.memory_broker import MemoryBroker
from tests.unit.copy_bench import KRAKEN, MASTER, Bench

ON_BOTH_DATABASES = True


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, {"ann": "1000", "bob": "5000"})


def test_users_buy_their_share_of_what_the_master_bought(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    assert bench.plan() == 1
    for name, quantity in (("ann", "0.001"), ("bob", "0.005")):
        assert bench.copy(name) is None
        (request,) = bench.user(name).received
        assert (request.side, request.quantity) == (Side.BUY, Decimal(quantity))
        assert request.order_type is OrderType.LIMIT_IOC
        assert request.limit_price == Decimal("50250")
    assert {status for _, status, _ in bench.rows()} == {"copied"}
    assert bench.missing() == 0


def test_a_signal_is_planned_once_however_often_the_engine_looks(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    assert [bench.plan(), bench.plan()] == [1, 0]
    for _ in range(3):
        bench.copy("ann")
    assert len(bench.user("ann").received) == 1


def test_the_same_report_of_fills_ten_times_makes_one_signal(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    for _ in range(10):
        bench.recorders[MASTER].book_history(bench.brokers[MASTER].fills)
    assert bench.plan() == 1
    assert len(bench.rows()) == 2


def test_a_trade_the_masters_owner_made_by_hand_is_copied_too(bench: Bench) -> None:
    bench.clock.seconds += 5
    master = bench.brokers[MASTER]
    master.place_order(
        OrderRequest(
            client_order_id="f" * 32,
            symbol="BTC/USD",
            side=Side.BUY,
            kind=OrderKind.ENTRY,
            order_type=OrderType.MARKET,
            quantity=Decimal("0.01"),
        )
    )
    bench.recorders[MASTER].book_history(master.fills)
    bench.plan()
    # No balance row from before the trade exists here, so the ratio is not known and nobody guesses it.
    assert {reason for _, _, reason in bench.rows()} == {"master_balance_unknown"}


def test_the_masters_balance_before_a_trade_by_hand_counts_what_it_traded_since_the_last_reading(bench: Bench) -> None:
    master = bench.brokers[MASTER]
    read = {"quote_currency": "USD", "cash_available": Decimal(10_000), "cash_held": Decimal(0)}
    bench.store.write(
        lambda connection: accounts.add_balance_snapshot(
            connection, MASTER.label, {**read, "taken_at": bench.clock.now()}
        )
    )
    for number, side in enumerate((Side.BUY, Side.BUY, Side.SELL)):
        bench.clock.seconds += 1
        master.place_order(
            OrderRequest(
                client_order_id=f"{number}" * 32,
                symbol="BTC/USD",
                side=side,
                kind=OrderKind.ENTRY,
                order_type=OrderType.MARKET,
                quantity=Decimal("0.01"),
            )
        )
    bench.recorders[MASTER].book_history(master.fills)
    with bench.store.read() as connection:
        balances = [row.master_balance for row in connection.execute(select(signal).order_by(signal.c.sequence))]
    fee = master.fills[0].fee
    assert balances == [Decimal(10_000), 9_500 - fee, 9_000 - 2 * fee]


def test_a_users_fill_never_makes_a_signal(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    assert bench.plan() == 0


def test_an_exit_sells_the_fraction_the_master_sold(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    bench.master_trades(Side.SELL, "0.0025")
    bench.plan()
    assert bench.copy("ann") is None
    sold = bench.user("ann").received[-1]
    assert (sold.side, sold.quantity, sold.order_type) == (Side.SELL, Decimal("0.00025"), OrderType.MARKET)


def test_three_partial_exits_and_the_rest_leave_every_user_flat(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann"), bench.copy("bob")
    for quantity in ("0.003", "0.0033", "0.0017", "0.002"):
        bench.master_trades(Side.SELL, quantity)
        bench.plan()
        bench.copy("ann"), bench.copy("bob")
    assert (bench.user("ann").coins, bench.user("bob").coins) == (0, 0)
    assert bench.missing() == 0


def test_an_exit_runs_without_a_known_balance(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    for _ in range(4):
        bench.user("ann").balance_error = "no answer"
        bench.user("ann").refresh_balance(max_age_seconds=0)
    bench.clock.seconds += 3600
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    bench.copy("ann")
    assert bench.user("ann").coins == 0


def test_a_refused_exit_is_tried_again_until_it_is_done(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    bench.user("ann").script = [OrderRefused("EOrder:Insufficient funds"), RetryLater("busy")]
    for _ in range(6):
        wait = bench.copy("ann")
        if wait is None:
            break
        bench.clock.seconds += wait
    assert bench.user("ann").coins == 0
    assert bench.missing() == 2  # bob has not run yet: his entry and his exit
    ids = [request.client_order_id for request in bench.user("ann").received]
    # A retry of what was certainly not taken keeps its id; a leg after a refusal has its own.
    assert len(set(ids)) == len(ids) - 1


def test_an_unknown_balance_skips_the_entry_and_says_why(store: Store) -> None:
    bench = Bench(store, {"ann": "1000"})
    bench.clock.seconds += 61
    bench.brokers[MASTER].refresh_balance(max_age_seconds=0)
    bench.user("ann").balance_error = "connection reset"
    bench.user("ann").refresh_balance(max_age_seconds=0)
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    assert bench.rows() == [("ann", "skipped", "balance_stale")]
    assert bench.user("ann").received == []


def test_an_entry_older_than_the_limit_is_never_sent(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.clock.seconds += 61
    bench.copy("ann")
    assert ("ann", "skipped", "too_old") in bench.rows()
    assert bench.user("ann").received == []


def test_a_price_that_ran_away_buys_nothing(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.user("ann").price = Decimal("50300")
    bench.copy("ann")
    assert ("ann", "skipped", "price_moved") in bench.rows()


def test_a_lost_reply_is_asked_about_and_never_sent_again(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.user("ann").script = [(OutcomeUnknown("timed out"), True)]
    assert bench.copy("ann") is not None
    bench.clock.seconds += 5
    assert bench.copy("ann") is None
    assert len(bench.user("ann").received) == 1
    assert ("ann", "copied", "") in bench.rows()


def test_not_found_proves_absence_only_after_the_settle_time_and_two_looks(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.user("ann").script = [OutcomeUnknown("reset")]
    bench.copy("ann")
    for seconds, answered in ((11, False), (11, False), (11, True)):
        bench.clock.seconds += seconds
        bench.copy("ann")
        assert (("ann", "failed", "proven_absent") in bench.rows()) is answered
    assert len(bench.user("ann").received) == 1


def test_an_order_that_shows_up_late_is_booked(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    ann = bench.user("ann")
    ann.script = [(OutcomeUnknown("timed out"), True)]
    ann.on_place = lambda request: ann.hidden_orders.add(request.client_order_id)
    bench.copy("ann")
    bench.clock.seconds += 25
    bench.copy("ann")
    ann.hidden_orders.clear()
    bench.clock.seconds += 15
    bench.copy("ann")
    assert ("ann", "copied", "") in bench.rows()


def test_one_users_failure_leaves_the_others_copies_alone(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.user("ann").script = [InsufficientFunds("EOrder:Insufficient funds")]
    bench.copy("ann")
    bench.copy("bob")
    assert set(bench.rows()) == {("ann", "failed", "insufficient_funds"), ("bob", "copied", "")}


def test_a_master_order_with_a_lost_reply_is_signalled_once_when_it_is_found(bench: Bench) -> None:
    bench.brokers[MASTER].script = [(OutcomeUnknown("timed out"), True)]
    intent = bench.master_trades(Side.BUY, "0.01")
    assert intent.state is IntentState.UNKNOWN
    assert bench.plan() == 0
    assert bench.executors[MASTER].settle(intent).state is IntentState.FILLED
    assert [bench.plan(), bench.plan()] == [1, 0]


def test_a_signal_given_by_hand_is_copied_with_the_same_rule(bench: Bench) -> None:
    for _ in range(2):
        bench.emitter.emit_trade_signal(
            KRAKEN, "BTC-USD", "buy", Decimal(500), Decimal(10000), price=Decimal(50000), signal_id="hand-1"
        )
    bench.plan()
    bench.copy("ann")
    (request,) = bench.user("ann").received
    assert request.quantity * 50000 == 50


def test_a_users_broker_cannot_emit(bench: Bench) -> None:
    with pytest.raises(ValueError, match="only a master's trades are copied"):
        bench.emitter.emit_trade_signal(bench.user("ann"), "BTC/USD", "buy", Decimal(1), None, price=Decimal(1))


def test_an_exit_waits_for_the_entry_of_the_same_lots(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    ann = bench.user("ann")
    ann.script = [(OutcomeUnknown("timed out"), True)]
    ann.on_place = lambda request: ann.hidden_orders.add(request.client_order_id)
    bench.copy("ann")
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    bench.clock.seconds += 5
    bench.copy("ann")
    assert len(ann.received) == 1
    ann.hidden_orders.clear()
    bench.clock.seconds += 11
    bench.copy("ann")
    assert ann.coins == 0
    assert ("ann", "copied", "") in bench.rows()


def test_caps_of_a_user_are_kept(store: Store) -> None:
    bench = Bench(store, {"ann": "5000"}, rules=CopyRules(max_trade_notional_quote=Decimal(100)))
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    assert bench.user("ann").received[0].quantity * 50000 == 100


def test_an_account_that_is_not_funded_is_skipped_and_says_so(store: Store) -> None:
    bench = Bench(store, {"ann": "9.99"})
    bench.master_trades(Side.BUY, "0.1")
    bench.plan()
    assert bench.rows() == [("ann", "skipped", "account_not_ready")]


def test_a_second_exit_waits_until_the_first_is_known_to_have_sold_its_share(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    ann = bench.user("ann")
    ann.script = [(OutcomeUnknown("timed out"), True)]
    ann.on_place = lambda request: ann.hidden_orders.add(request.client_order_id)
    for quantity in ("0.005", "0.0025"):
        bench.master_trades(Side.SELL, quantity)
        bench.plan()
    bench.copy("ann")
    assert ann.coins == Decimal("0.0005")
    ann.hidden_orders.clear()
    bench.clock.seconds += 11
    bench.copy("ann")
    assert ann.coins == Decimal("0.00025")


def _lose_the_reply(broker: MemoryBroker) -> None:
    """The next order is accepted, its reply lost, and look-ups do not show it yet."""
    broker.script = [(OutcomeUnknown("timed out"), True)]
    broker.on_place = lambda request: broker.hidden_orders.add(request.client_order_id)


def _show_orders(broker: MemoryBroker) -> None:
    broker.hidden_orders.clear()
    broker.on_place = lambda _request: None


def _stop_out(bench: Bench, name: str, quantity: str) -> OrderIntent:
    """The user's own stop sells, as a cycle of its account does it."""
    account = bench.user(name).account
    intent = OrderIntent(
        client_order_id="a" * 32,
        account_id=account.label,
        signal_id=None,
        decision="stop",
        symbol="BTC/USD",
        side=Side.SELL,
        kind=OrderKind.EXIT,
        order_type=OrderType.MARKET,
        quantity=Decimal(quantity),
        limit_price=None,
        balance_before=None,
        exit_plan=ExitPlan(),
        created_at=bench.clock.now(),
    )
    return bench.executors[account].place(intent)


def test_a_sale_that_the_last_balance_reading_already_had_does_not_hide_what_is_still_held(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    ann = bench.user("ann")
    bench.master_trades(Side.SELL, "0.005")
    bench.plan()
    _lose_the_reply(ann)
    bench.copy("ann")
    bench.clock.seconds += 6
    ann.refresh_balance(max_age_seconds=0)
    _show_orders(ann)
    bench.clock.seconds += 6
    bench.copy("ann")
    bench.master_trades(Side.SELL, "0.005")
    bench.plan()
    bench.copy("ann")
    assert ann.coins == 0


def test_a_mirrored_exit_waits_for_the_users_own_stop_and_never_sells_coins_of_its_own(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    ann = bench.user("ann")
    ann.coins += 1
    ann.refresh_balance(max_age_seconds=0)
    _lose_the_reply(ann)
    stop = _stop_out(bench, "ann", "0.001")
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    assert bench.copy("ann") is not None
    _show_orders(ann)
    bench.clock.seconds += 6
    bench.executors[ann.account].settle(stop)
    assert bench.copy("ann") is None
    assert ann.coins == 1


def test_an_exit_written_down_and_overtaken_by_the_users_stop_is_given_up(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    bench.user("ann").script = [RetryLater("busy")]
    bench.copy("ann")
    _stop_out(bench, "ann", "0.001")
    bench.clock.seconds += 10
    assert bench.copy("ann") is None
    with bench.store.read() as connection:
        assert unfinished(connection, bench.user("ann").account.label) == []


def test_a_clock_set_back_between_two_legs_of_an_exit_does_not_make_a_third(bench: Bench) -> None:
    bench.clock.seconds += 7200
    for broker in bench.brokers.values():
        broker.refresh_balance(max_age_seconds=0)
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.copy("ann")
    ann = bench.user("ann")
    ann.coins += 1
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    ann.script = [OrderRefused("not now")]
    bench.copy("ann")
    bench.clock.seconds -= 3600
    _lose_the_reply(ann)
    for _ in range(3):
        bench.copy("ann")
    assert [request.side for request in ann.received] == [Side.BUY, Side.SELL, Side.SELL]
    assert ann.coins == 1


def test_an_entry_from_ahead_of_the_clock_is_not_taken_for_a_fresh_one(bench: Bench) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.clock.seconds -= 1800
    bench.copy("ann")
    assert ("ann", "skipped", "too_old") in bench.rows()
    assert bench.user("ann").received == []


@pytest.mark.parametrize("minutes", [-50, 50])
def test_the_age_of_a_trade_is_judged_by_the_venues_clock(bench: Bench, minutes: int) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    bench.clock.wall_offset = minutes * 60.0
    bench.copy("ann")
    assert ("ann", "copied", "") in bench.rows()
    bench.clock.seconds += 61
    bench.user("bob").refresh_balance(max_age_seconds=0)
    bench.copy("bob")
    assert ("bob", "skipped", "too_old") in bench.rows()


def test_a_slow_clock_does_not_keep_a_waiting_entry_fresh(bench: Bench) -> None:
    for broker in bench.brokers.values():
        broker.tells_time = False
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    ann, copier = bench.user("ann"), bench.copier("ann")
    ann.script = [RetryLater("busy")]
    copier.run()
    bench.clock.wall_offset = -50.0
    bench.clock.seconds += 61
    ann.refresh_balance(max_age_seconds=0)
    copier.run()
    assert ("ann", "skipped", "too_old") in bench.rows()
    assert len(ann.received) == 1

"""Kraken's private stream and orders over it, against the real exchange and its faults."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from bot.brokers.kraken.broker import NEEDED_PERMISSIONS
from bot.brokers.socket_lane import LaneOutcome
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceStatus
from bot.domain.errors import InsufficientFunds, OrderRefused, OutcomeUnknown, RetryLater
from bot.domain.order import OrderType, Side, VenueOrderStatus
from bot.seams import failpoints
from bot.seams.clock import SystemClock
from bot.supervision.watchdog import Watchdog, WatchdogTimes
from tests.bot_process import wait_until
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.streamed import DEADLINE_SECONDS, Streamed, StreamedAccount


@pytest.fixture
def streamed(wiring: Wiring) -> Iterator[Streamed]:
    made = Streamed(wiring)
    yield made
    for broker in wiring.brokers:
        broker.close()
    made.close()


@pytest.fixture
def user(streamed: Streamed, request: pytest.FixtureRequest) -> StreamedAccount:
    name = f"s{abs(hash(request.node.name)) % 10**9}"
    return streamed.account(AccountRef.user(BrokerType.KRAKEN, name))


def test_an_order_goes_over_the_socket_and_is_followed_without_a_call(user: StreamedAccount) -> None:
    user.live()
    before = len(user.rest_calls())
    ack = user.broker.place_order(user.request())
    order = user.broker.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.FILLED
    fills = user.broker.get_order_fills(ack.venue_order_id, since=user.broker.venue_clock.now())
    assert sum(fill.quantity for fill in fills) == order.filled_quantity == Decimal("0.01")
    assert user.rest_calls()[before:] == []
    assert user.streamed.seen.orders == [("websocket", "ok")]


def test_what_the_stream_shows_is_what_the_readings_show(user: StreamedAccount) -> None:
    user.live()
    ack = user.broker.place_order(user.request())
    shown = user.broker.get_order(ack.venue_order_id)
    fills = user.broker.get_order_fills(ack.venue_order_id, since=user.broker.venue_clock.now())
    read = user.by_rest().get_order(ack.venue_order_id)
    assert shown is not None and read is not None
    for name in ("symbol", "side", "quantity", "filled_quantity", "fee_quote", "client_order_id", "status"):
        assert getattr(shown, name) == getattr(read, name), name
    listed = user.by_rest().get_order_fills(ack.venue_order_id, since=user.broker.venue_clock.now())
    for one, other in zip(fills, listed, strict=True):
        assert replace(one, executed_at=other.executed_at) == other
        assert abs(one.executed_at - other.executed_at) < timedelta(milliseconds=1)


def test_a_trade_by_hand_wakes_the_account_and_is_told_once(user: StreamedAccount) -> None:
    user.live()
    user.woken.clear()
    ack = user.by_rest().place_order(user.request())
    wait_until(lambda: user.tend() and user.fills, seconds=10, what="the trade is told")
    assert user.woken.is_set()
    for _ in range(3):
        user.tend()
    assert {fill.venue_order_id for fill in user.fills} == {ack.venue_order_id}
    assert sum(fill.quantity for fill in user.fills) == Decimal("0.01")
    assert len({fill.trade_id for fill in user.fills}) == len(user.fills)


def test_balances_are_those_of_now_without_a_call(user: StreamedAccount) -> None:
    user.live()
    before = len(user.rest_calls())
    user.broker.place_order(user.request(side=Side.SELL))
    wait_until(
        lambda: user.broker.refresh_balance().holdings.of("BTC").total == Decimal("0.49"),  # type: ignore[union-attr]
        seconds=10,
        what="the balance is that after the sale",
    )
    reading = user.broker.refresh_balance()
    assert (reading.status, reading.error_count) == (BalanceStatus.FRESH, 0)
    assert reading.age_seconds is not None and reading.age_seconds < 1
    assert user.rest_calls()[before:] == []
    assert reading.holdings is not None
    assert reading.holdings.of("USD").total == user.by_rest().fetch_holdings().of("USD").total


def test_open_orders_hold_their_money(user: StreamedAccount) -> None:
    user.live()
    price = Decimal(10_000)
    request = user.request("0.1", order_type=OrderType.LIMIT_GTC, limit_price=price)
    ack = user.broker.place_order(request)
    wait_until(
        lambda: user.broker.refresh_balance().holdings.of("USD").held > 0,  # type: ignore[union-attr]
        seconds=10,
        what="the hold is known",
    )
    held = user.broker.refresh_balance().holdings.of("USD")  # type: ignore[union-attr]
    read = user.by_rest().fetch_holdings().of("USD")
    assert (held.held, held.total) == (Decimal(1000), read.total)
    assert user.broker.cancel_order(ack.venue_order_id)
    wait_until(
        lambda: user.broker.refresh_balance().holdings.of("USD").held == 0,  # type: ignore[union-attr]
        seconds=10,
        what="the hold is gone",
    )
    order = user.broker.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.CANCELLED


def test_an_ack_that_is_lost_leaves_the_order_unknown_and_the_stream_finds_it(user: StreamedAccount) -> None:
    user.live()
    user.fault("drop_response", "ws/add_order")
    request = user.request()
    with pytest.raises(OutcomeUnknown):
        user.broker.place_order(request)
    before = len(user.rest_calls())
    found = user.broker.find_order(request.client_order_id, symbol="BTC/USD", sent_at=user.broker.venue_clock.now())
    assert found is not None and found.filled_quantity == request.quantity
    assert user.rest_calls()[before:] == []
    assert len(user.accepted()) == 1


def test_an_answer_that_comes_late_changes_nothing_any_more(user: StreamedAccount) -> None:
    user.live()
    user.fault({"kind": "delay", "seconds": DEADLINE_SECONDS + 0.5, "part": "answer"}, "ws/add_order")
    with pytest.raises(OutcomeUnknown):
        user.broker.place_order(user.request())
    ack = user.broker.place_order(user.request())  # the late answer comes meanwhile, or afterwards
    order = user.broker.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.FILLED
    assert len(user.accepted()) == 2


def test_a_socket_that_closes_between_order_and_ack_leaves_it_unknown_and_comes_back(user: StreamedAccount) -> None:
    user.live()
    user.fault("close", "ws/add_order")
    with pytest.raises(OutcomeUnknown):
        user.broker.place_order(user.request())
    user.until_live()
    assert len(user.accepted()) == 1
    assert user.broker.place_order(user.request()).venue_order_id in {line["order_id"] for line in user.accepted()}


def test_a_refusal_over_the_socket_is_the_same_as_over_rest(user: StreamedAccount) -> None:
    user.live()
    with pytest.raises(InsufficientFunds):
        user.broker.place_order(user.request("100"))
    with pytest.raises(OrderRefused):
        user.broker.place_order(user.request("0.00000001"))
    assert user.accepted() == []


def test_a_doubtful_answer_leaves_the_order_unknown(user: StreamedAccount) -> None:
    user.live()
    user.fault("api_error EService:Busy", "ws/add_order")
    with pytest.raises(OutcomeUnknown):
        user.broker.place_order(user.request())


def test_a_token_that_is_not_good_any_more_is_replaced_and_the_order_was_not_taken(user: StreamedAccount) -> None:
    user.live()
    user.fault("stale_token", "ws/add_order")
    with pytest.raises(RetryLater):
        user.broker.place_order(user.request())
    user.until_live()
    user.broker.place_order(user.request())
    assert len(user.accepted()) == 1


@pytest.mark.parametrize("kind", ["gap", "duplicate", "reorder"])
@pytest.mark.parametrize("channel", ["ws/executions", "ws/balances"])
def test_trades_are_told_once_and_balances_are_right_whatever_happens_to_a_message(
    user: StreamedAccount, kind: str, channel: str
) -> None:
    user.live()
    missed = user.missed
    user.fault(kind, channel)
    hand = user.by_rest()
    acks = [hand.place_order(user.request()), hand.place_order(user.request())]

    def told() -> bool:
        user.tend()
        return {fill.venue_order_id for fill in user.fills} == {ack.venue_order_id for ack in acks} and user.tend()

    wait_until(told, seconds=20, what="both trades are told, and the stream is live")
    assert len({fill.trade_id for fill in user.fills}) == len(user.fills)
    if channel == "ws/executions" and kind != "duplicate":
        assert user.missed > missed
    truth = hand.fetch_holdings()
    wait_until(
        lambda: user.broker.refresh_balance().holdings.of("USD").total == truth.of("USD").total,  # type: ignore[union-attr]
        seconds=20,
        what="the balance is the exchange's",
    )


def test_a_last_message_that_is_lost_is_found_out_by_the_other_channel(user: StreamedAccount) -> None:
    user.live()
    missed = user.missed
    # pending_new, new, trade, filled: the two that tell of the trade, with none after them.
    for nth in (3, 4):
        user.fault({"kind": "gap"}, "ws/executions", nth=nth)
    user.by_rest().place_order(user.request())
    wait_until(lambda: user.tend() and user.missed > missed, seconds=20, what="the account is told to read")


def test_a_silent_stream_is_not_believed_and_orders_go_over_rest(user: StreamedAccount) -> None:
    user.live()
    user.fault({"kind": "silence", "seconds": 4}, "ws/executions")
    traded = user.by_rest().place_order(user.request())  # what is told of it is the first that is not heard
    wait_until(lambda: not user.broker.tend_stream().up, seconds=20, what="the stream is not live")
    assert "over REST" in user.broker.order_way
    before = len(user.rest_calls())
    user.broker.place_order(user.request())
    assert "AddOrder" in user.rest_calls()[before:]
    user.until_live(seconds=30)
    assert "over WebSocket" in user.broker.order_way
    assert traded.venue_order_id in {fill.venue_order_id for fill in user.fills}


def test_a_master_and_its_history_miss_nothing_that_was_traded_while_disconnected(streamed: Streamed) -> None:
    master = streamed.account(AccountRef.master(BrokerType.KRAKEN)).live()
    missed, ups = master.missed, streamed.seen.ups
    master.fault("close", "ws/executions")
    hand = master.by_rest()
    acks = {hand.place_order(master.request()).venue_order_id for _ in range(3)}
    wait_until(lambda: streamed.seen.ups > ups and master.tend(), seconds=20, what="it is connected again")
    wait_until(
        lambda: master.tend() and acks <= {fill.venue_order_id for fill in master.fills}, seconds=20, what="told"
    )
    assert master.missed > missed


def test_nothing_leaves_once_the_broker_is_closed(user: StreamedAccount) -> None:
    user.live()
    socket = user.broker._live.stream.socket  # type: ignore[union-attr]
    user.broker.close()
    assert not socket.send(b'{"method":"ping"}')
    assert user.broker.lane() is not None and not user.broker.lane().ready("BTC/USD")  # type: ignore[union-attr]


def test_a_loop_that_hangs_costs_nothing_but_the_way(user: StreamedAccount) -> None:
    user.live()
    go = threading.Event()
    try:
        user.streamed.feed.call(lambda: go.wait(30) and None)
        wait_until(lambda: not user.broker.tend_stream().up, seconds=20, what="the stream is not believed")
        before = len(user.rest_calls())
        user.broker.place_order(user.request())
        assert "AddOrder" in user.rest_calls()[before:]
        user.broker.close()
        assert len(user.accepted()) == 1
    finally:
        go.set()


def test_an_order_that_a_hanging_loop_has_not_written_goes_over_rest_and_never_over_the_socket(
    user: StreamedAccount,
) -> None:
    user.live()
    go = threading.Event()
    try:
        user.streamed.feed.call(lambda: go.wait(30) and None)
        assert user.broker.place_order(user.request()).venue_order_id
    finally:
        go.set()
    user.until_live()
    user.broker.place_order(user.request())  # whatever waited on the loop has had its turn before this one
    assert len(user.accepted()) == 2


def test_a_batch_over_the_lane_gets_one_outcome_for_each_order(streamed: Streamed) -> None:
    users = [streamed.account(AccountRef.user(BrokerType.KRAKEN, f"lane{n}")).live() for n in range(3)]
    outcomes: dict[str, list[LaneOutcome]] = {one.account.label: [] for one in users}
    done = threading.Event()

    def answered(label: str, outcome: LaneOutcome) -> None:
        outcomes[label].append(outcome)
        if all(outcomes.values()):
            done.set()

    frames = []
    for one, quantity in zip(users, ("0.01", "0.02", "100"), strict=True):
        lane = one.broker.lane()
        assert lane is not None and lane.ready("BTC/USD") and not lane.ready("NO/SUCH")
        frame = lane.frame(one.request(quantity))
        assert frame is not None
        frames.append((frame, one.account.label))

    def send_all() -> None:
        for frame, label in frames:
            frame.send(partial(answered, label))

    streamed.feed.call(send_all)
    assert done.wait(10)
    (first,), (second,), (third,) = outcomes.values()
    assert first.ack is not None and second.ack is not None and isinstance(third.error, InsufficientFunds)


def test_a_loop_that_hangs_is_replaced_and_the_streams_come_back_on_it(user: StreamedAccount) -> None:
    watchdog = Watchdog(
        clock=SystemClock(),
        times=WatchdogTimes(suspect_after_seconds=0.2, quarantine_after_seconds=0.2),
        on_fatal=lambda why: pytest.fail(why),
    )
    user.streamed.feed.watched_by(watchdog)
    user.live()
    old = user.broker._live.stream.socket._connection  # type: ignore[union-attr]
    watchdog.start()
    go = threading.Event()
    try:
        user.streamed.feed.call(lambda: go.wait(60) and None)
        wait_until(
            lambda: user.tend() and user.broker._live.stream.socket._connection is not old,  # type: ignore[union-attr]
            seconds=40,
            what="the stream is live on another loop",
        )
        ack = user.broker.place_order(user.request())
        go.set()
        wait_until(lambda: user.tend() and user.fills, seconds=10, what="the trade is told")
        assert {fill.venue_order_id for fill in user.fills} == {ack.venue_order_id}
        assert user.until_live() and len(user.accepted()) == 1
    finally:
        go.set()
        watchdog.stop()


def test_a_key_without_the_right_to_a_token_trades_over_rest_and_asks_rarely(
    streamed: Streamed,
) -> None:
    account = AccountRef.user(BrokerType.KRAKEN, "noright")
    access = streamed.access(account, permissions=[*NEEDED_PERMISSIONS])
    user = StreamedAccount(streamed, account, access)
    user.broker.connect()
    user.broker.get_trading_pairs()
    user.broker.listen(user.woken.set)
    assert user.woken.wait(10)
    for _ in range(5):
        assert not user.tend()
    assert user.rest_calls().count("GetWebSocketsToken") == 1
    user.broker.place_order(user.request())
    assert "AddOrder" in user.rest_calls() and "over REST" in user.broker.order_way
    assert not user.broker._live.stream.socket.is_up  # type: ignore[union-attr]


@pytest.mark.parametrize(("place", "gone"), [("kraken.before_CancelOrder", False), ("kraken.after_CancelOrder", True)])
def test_a_cancel_that_breaks_off_is_unknown_and_asking_tells(user: StreamedAccount, place: str, gone: bool) -> None:
    user.live()
    request = user.request(order_type=OrderType.LIMIT_GTC, limit_price=Decimal(10_000))
    ack = user.broker.place_order(request)
    failpoints.install(f"{place}:raise")
    try:
        with pytest.raises(OutcomeUnknown):
            user.broker.cancel_order(ack.venue_order_id)
    finally:
        failpoints.install("")
    order = user.by_rest().get_order(ack.venue_order_id)
    assert order is not None and order.status.ended is gone
    assert user.broker.cancel_order(ack.venue_order_id) is not gone
    assert not user.broker.cancel_order(ack.venue_order_id), "it is gone, says the venue"

"""A flatten sells what the bot holds in an account, once, and says what the venue has left."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.errors import Fenced, OrderRefused, OutcomeUnknown, RetryLater
from bot.domain.halt import Halt, HaltScope, HaltSource, HaltStrength
from bot.domain.order import IntentState, OrderRequest, Side
from bot.flattening import Flattening
from bot.position_sizer import PositionSizer
from bot.storage import accounts, flatten_results, halts
from bot.storage.flatten_results import ACCOUNT, FlattenResult, FlattenState
from bot.storage.store import Store
from tests.memory_broker import MemoryBroker
from tests.unit.copy_bench import KRAKEN, MASTER
from tests.unit.execution.reconciler_bench import ANN, ReconcilerBench

BTC = "BTC/USD"
COPIED = Decimal("0.005")


class Flat:
    """A master with 0.01 BTC and ann with half of it, copied."""

    def __init__(self, store: Store) -> None:
        self.books = ReconcilerBench(store)
        self.store, self.clock = store, self.books.clock
        self.ann: MemoryBroker = self.books.ann
        self.copy = self.books.copied("0.01")
        self.ann.received.clear()
        self.halt = self.press()
        self.flattening = self.restarted()

    def press(self, scope: HaltScope = HaltScope.ALL, target: str = "") -> Halt:
        halt, _ = self.store.write(
            lambda connection: halts.set_halt(
                connection,
                scope=scope,
                target=target,
                strength=HaltStrength.FLATTEN,
                reason="news",
                set_by="anna",
                source=HaltSource.COMMAND,
                now=self.clock.now(),
            )
        )
        return halt

    def lift(self) -> None:
        self.store.write(
            lambda connection: halts.lift(connection, [self.halt.id], by="x", reason="x", now=self.clock.now())
        )

    def restarted(self, account: AccountRef = ANN, *, kept_by_owner: bool = False) -> Flattening:
        """Of a new process: a new epoch, nothing in memory."""
        broker: BaseBroker = self.books.bench.brokers[account]
        self.flattening = Flattening(
            broker=broker,
            store=self.store,
            clock=self.clock,
            install_id="test",
            executor=self.books.bench.restarted(account),
            sizer=PositionSizer(),
            kept_by_owner=kept_by_owner,
        )
        return self.flattening

    def step(self) -> float | None:
        self.clock.seconds += 1
        return self.flattening.step()

    def until_done(self, *, most: int = 30) -> None:
        for _ in range(most):
            wait = self.flattening.step()
            if wait is None:
                return
            self.clock.seconds += wait
        raise AssertionError(f"not done after {most} steps: {self.row(BTC)}")

    def row(self, symbol: str = BTC, account: AccountRef = ANN, halt: Halt | None = None) -> FlattenResult:
        with self.store.read() as connection:
            rows = flatten_results.results_of(connection, (halt or self.halt).id, account.label)
        return next(row for row in rows if row.symbol == symbol)

    def sold(self) -> Decimal:
        return sum((fill.quantity for fill in self.ann.fills if fill.side is Side.SELL), Decimal(0))


@pytest.fixture
def flat(store: Store) -> Flat:
    return Flat(store)


def test_what_was_copied_is_sold_and_the_venue_says_that_nothing_is_left(flat: Flat) -> None:
    assert flat.step() is None
    assert (flat.ann.coins, flat.books.lots()) == (0, 0)
    row = flat.row()
    assert (row.state, row.sold_quantity, row.left_quantity, row.why) == (FlattenState.DONE, COPIED, 0, "")
    assert flat.row(ACCOUNT).state is FlattenState.DONE


def test_an_account_without_a_flatten_does_nothing(flat: Flat) -> None:
    flat.lift()
    assert flat.step() is None
    assert flat.ann.received == []


def test_pressed_twice_and_looked_at_often_it_sells_once(flat: Flat) -> None:
    """O7."""
    flat.step()
    assert flat.press().id == flat.halt.id
    for _ in range(3):
        flat.restarted()
        assert flat.step() is None
    assert len(flat.ann.received) == 1


def test_two_flattens_of_the_same_lots_sell_them_once(flat: Flat) -> None:
    narrower = flat.press(HaltScope.SYMBOL, BTC)
    flat.step()
    assert flat.sold() == COPIED
    assert flat.row(ACCOUNT, halt=narrower).state is FlattenState.DONE


def test_while_the_venue_takes_nothing_it_goes_on_until_it_does(flat: Flat) -> None:
    """O7: pressed while the venue is down."""
    flat.ann.script = [RetryLater("Service: Unavailable") for _ in range(4)]
    flat.ann.balance_error = "no answer"
    assert flat.step() == 1.0
    row = flat.row()
    assert (row.state, row.left_quantity, row.sold_quantity) == (FlattenState.WORKING, None, 0)
    assert "Service: Unavailable" in row.why
    for _ in range(3):
        flat.step()
    flat.ann.balance_error = None
    flat.until_done()
    assert flat.sold() == COPIED
    assert flat.row().state is FlattenState.DONE


def test_waits_grow_and_have_a_bound(flat: Flat) -> None:
    flat.ann.script = [RetryLater("down") for _ in range(10)]
    waits = [flat.step() for _ in range(10)]
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == 15.0


def test_sold_but_not_proven_is_not_done(flat: Flat) -> None:
    """Unknown stays unknown: what the venue has left is a reading, not a conclusion."""
    flat.ann.balance_error = "no answer"
    assert flat.step() is not None
    row = flat.row()
    assert (row.sold_quantity, row.left_quantity, row.state) == (COPIED, None, FlattenState.WORKING)
    assert "not known" in row.why
    flat.ann.balance_error = None
    flat.until_done()
    assert (flat.row().state, flat.row().left_quantity) == (FlattenState.DONE, 0)
    assert len(flat.ann.received) == 1


def test_a_sale_whose_outcome_is_unknown_is_asked_about_and_not_doubled(flat: Flat) -> None:
    flat.ann.script = [(OutcomeUnknown("connection lost"), True)]
    assert flat.step() is not None
    assert "no end yet" in flat.row().why or "unknown" in flat.row().why
    flat.restarted()
    flat.until_done()
    assert (len(flat.ann.received), flat.sold(), flat.row().sold_quantity) == (1, COPIED, COPIED)


def test_a_sale_that_never_arrived_is_made_again_once_that_is_proven(flat: Flat) -> None:
    flat.ann.script = [OutcomeUnknown("connection lost")]
    flat.until_done()
    assert (len(flat.ann.received), flat.sold()) == (2, COPIED)
    assert flat.clock.seconds > flat.ann.settle_seconds


def test_a_refused_sale_is_tried_again_and_named(flat: Flat) -> None:
    flat.ann.script = [OrderRefused("EOrder:Market in cancel_only mode")]
    flat.step()
    assert "cancel_only" in flat.row().why
    flat.until_done()
    assert flat.sold() == COPIED


def test_a_sale_that_was_filled_in_part_is_followed_by_the_rest(flat: Flat) -> None:
    flat.ann.fillable = Decimal("0.002")
    flat.step()
    assert "0.003 still to be sold" in flat.row().why
    flat.ann.fillable = None
    flat.until_done()
    assert flat.row().sold_quantity == COPIED


@pytest.mark.parametrize("failpoint", ["flatten_placed", "flatten_sold"])
def test_a_kill_between_the_sale_and_its_row_sells_nothing_twice(
    flat: Flat, monkeypatch: pytest.MonkeyPatch, failpoint: str
) -> None:
    def die(name: str) -> None:
        if name == failpoint:
            raise KeyboardInterrupt

    monkeypatch.setattr("bot.flattening.failpoint", die)
    with pytest.raises(KeyboardInterrupt):
        flat.step()
    monkeypatch.undo()
    flat.restarted()
    flat.until_done()
    assert (len(flat.ann.received), flat.row().sold_quantity) == (1, COPIED)


def test_an_entry_of_ours_that_is_still_open_is_cancelled_and_what_it_got_is_sold(store: Store) -> None:
    flat = Flat(store)
    flat.step()
    flat.lift()
    flat.ann.fillable, flat.ann.stays_open = Decimal("0.002"), True
    entry = flat.books.copied("0.01")
    assert entry.state in (IntentState.PARTLY_FILLED, IntentState.ACKNOWLEDGED)
    flat.ann.fillable, flat.ann.stays_open = None, False
    flat.halt = flat.press()
    flat.until_done()
    assert (flat.row().cancelled_orders, flat.row(ACCOUNT).cancelled_orders) == (1, 1)
    assert (flat.row().sold_quantity, flat.ann.coins) == (Decimal("0.002"), 0)
    assert flat.ann.get_open_orders() == []


def test_coins_and_orders_of_the_owner_are_named_and_not_touched(flat: Flat) -> None:
    flat.ann.coins += Decimal("0.7")
    resting = flat.ann.resting(Side.SELL, "0.1")
    flat.until_done()
    assert flat.ann.coins == Decimal("0.7")
    assert [order.venue_order_id for order in flat.ann.get_open_orders()] == [resting.venue_order_id]
    why = flat.row(ACCOUNT).why
    assert f"sell 0.1 BTC/USD ({resting.venue_order_id})" in why
    assert "not bought by the bot, not touched: 0.7 BTC" in why
    assert (flat.row().state, flat.row().left_quantity) == (FlattenState.DONE, Decimal("0.7"))


def test_lots_that_an_order_of_the_owner_ties_up_are_waited_for(flat: Flat) -> None:
    flat.ann.held_coins = COPIED
    flat.ann.refresh_balance(max_age_seconds=0)
    assert flat.step() is not None
    assert "tied up" in flat.row().why
    assert flat.row(ACCOUNT).state is FlattenState.WORKING
    flat.ann.held_coins = Decimal(0)
    flat.until_done()
    assert flat.sold() == COPIED


def test_what_is_too_small_to_be_sold_is_named_as_left(store: Store) -> None:
    flat = Flat(store)
    flat.ann.fillable = COPIED - Decimal("0.00001")
    flat.until_done()
    row = flat.row()
    assert (row.state, row.left_quantity) == (FlattenState.LEFT, Decimal("0.00001"))
    assert "below the venue's minimum" in row.why
    assert flat.row(ACCOUNT).state is FlattenState.LEFT
    assert flat.books.lots() == 0, "dust is no position"
    assert flat.step() is None


def test_lots_that_the_venue_does_not_have_are_named_as_left(flat: Flat) -> None:
    flat.ann.by_hand(Side.SELL, str(COPIED))
    flat.ann.refresh_balance(max_age_seconds=0)
    assert flat.step() is None
    assert (flat.row().state, flat.row().left_quantity) == (FlattenState.LEFT, 0)
    assert flat.ann.received == []


@pytest.mark.parametrize(
    ("scope", "target", "sells"),
    [
        (HaltScope.SYMBOL, BTC, True),
        (HaltScope.SYMBOL, "ETH/USD", False),
        (HaltScope.ACCOUNT, "ann_kraken", True),
        (HaltScope.ACCOUNT, "kraken", False),
        (HaltScope.BROKER, "kraken", True),
        (HaltScope.BROKER, "coinbase", False),
    ],
)
def test_only_what_is_covered_is_sold(flat: Flat, scope: HaltScope, target: str, sells: bool) -> None:
    flat.lift()
    flat.press(scope, target)
    flat.step()
    assert (flat.sold() == COPIED) is sells


def test_one_who_left_and_keeps_his_coins_keeps_them(flat: Flat) -> None:
    flat.restarted(kept_by_owner=True)
    assert flat.step() is None
    assert flat.ann.received == []
    assert flat.row(ACCOUNT).state is FlattenState.LEFT


def test_what_comes_in_while_it_is_in_force_is_sold_too(flat: Flat) -> None:
    flat.step()
    flat.books.copied("0.004")
    assert flat.books.lots() > 0
    flat.until_done()
    assert flat.books.lots() == 0


def test_a_flatten_that_is_lifted_sells_no_more(flat: Flat) -> None:
    flat.ann.script = [RetryLater("down")]
    flat.step()
    flat.lift()
    assert flat.step() is None
    assert flat.sold() == 0


def test_a_mirrored_exit_that_is_owed_ends_by_itself_when_nothing_is_left_to_sell(flat: Flat) -> None:
    flat.books.bench.master_trades(Side.SELL, "0.01")
    flat.books.bench.plan()
    flat.step()
    assert flat.sold() == COPIED
    flat.books.bench.copy("ann")
    assert flat.books.bench.missing() == 0
    assert flat.sold() == COPIED


def test_a_mirrored_exit_that_was_begun_ends_by_itself_too(flat: Flat) -> None:
    flat.books.bench.master_trades(Side.SELL, "0.01")
    flat.books.bench.plan()
    flat.ann.script = [RetryLater("down")]
    flat.books.bench.copy("ann")
    flat.until_done()
    for _ in range(5):
        flat.clock.seconds += 70
        flat.books.bench.copy("ann")
    assert flat.books.bench.missing() == 0
    assert flat.sold() == COPIED


def test_a_master_that_is_flattened_takes_its_users_with_it(flat: Flat) -> None:
    """A master's sale is a signal like any other, so no user is left behind with what the master has sold."""
    flat.lift()
    flat.press(HaltScope.ACCOUNT, "kraken")
    flat.restarted(MASTER)
    flat.until_done()
    flat.books.bench.plan()
    flat.books.bench.copy("ann")
    assert flat.sold() == COPIED


def test_an_account_that_was_opened_anew_is_left_to_whoever_has_it_now(flat: Flat) -> None:
    old = flat.flattening
    flat.restarted()
    with pytest.raises(Fenced):
        old.step()
    assert flat.ann.received == []


def test_trouble_with_one_market_does_not_keep_the_others(flat: Flat) -> None:
    request: Callable[[OrderRequest], None] = flat.ann.on_place

    def explode(_request: OrderRequest) -> None:
        raise ZeroDivisionError("poison")

    flat.ann.on_place = explode
    assert flat.step() is not None
    assert "ZeroDivisionError" in flat.row().why
    flat.ann.on_place = request
    flat.until_done()
    assert flat.sold() == COPIED


def test_every_covered_account_is_known_by_its_brokerage(flat: Flat) -> None:
    bob = AccountRef.user(KRAKEN, "bob")
    flat.store.write(
        lambda connection: accounts.remember_account(connection, bob, name="b", enabled=True, now=flat.clock.now())
    )
    halt = flat.press(HaltScope.BROKER, "kraken")
    with flat.store.read() as connection:
        found = [one.id for one in halts.flattens_of(connection, bob.label)]
    assert found == [flat.halt.id, halt.id]

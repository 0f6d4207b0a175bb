"""Whatever the market, the connection and the process do: one live order, never more than ordered, exits to the end."""

import os
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import OutcomeUnknown, RetryLater
from bot.domain.order import Side
from bot.execution import order_chains
from bot.execution.repositioner import OrderRules, Policy
from bot.storage.intents import IllegalMove
from bot.storage.store import Store
from tests.memory_broker import BTC
from tests.unit.execution.chain_bench import ChainBench

PLACES = (
    "intent_committed",
    "submitted_committed",
    "ack_received",
    "ack_committed",
    "fills_booked",
    "cancel_committed",
    "cancel_sent",
    "chain_confirmed",
    "chain_ended",
)
ORDERED = Decimal(1)
SENDING: Mapping[str, Any] = {
    "never arrives": OutcomeUnknown("no connection"),
    "no answer": (OutcomeUnknown("no answer"), True),
    "not now": RetryLater("slow down"),
}
_numbers = count(1)

part = st.decimals(min_value="0", max_value="1", places=3)
happening = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([1, 7, 31, 61])),
    st.tuples(st.just("crash"), st.sampled_from(PLACES)),
    st.tuples(st.just("fill"), part),
    st.tuples(st.just("price"), st.tuples(st.integers(48_000, 52_000), st.integers(0, 600))),
    st.tuples(st.just("prices fail"), st.booleans()),
    st.tuples(st.just("cancel"), st.one_of(st.sampled_from(["request lost", "reply lost"]), part)),
    st.tuples(st.just("slow cancels"), st.sampled_from([0.0, 3.0, 12.0])),
    st.tuples(st.just("send"), st.sampled_from(sorted(SENDING))),
    st.tuples(st.just("look-ups fail"), st.booleans()),
    st.tuples(st.just("thin book"), st.one_of(st.none(), part)),
)


def _happens(bench: ChainBench, what: str, value: Any) -> None:
    venue = bench.venue
    doing: Mapping[str, Callable[[], object]] = {
        "wait": lambda: bench.look(value),
        "crash": lambda: _crashes(bench, value),
        "fill": lambda: venue.fill_part(value),
        "price": lambda: venue.moves_to(value[0], value[0] + value[1]),
        "prices fail": lambda: setattr(venue, "price_error", value),
        "cancel": lambda: setattr(venue, "cancel_faults", [value]),
        "slow cancels": lambda: setattr(venue, "cancel_seconds", value),
        "send": lambda: setattr(venue, "script", [SENDING[value]]),
        "look-ups fail": lambda: setattr(venue, "lookups_fail", value),
        "thin book": lambda: setattr(venue, "fillable", None if value is None else BTC.floor_quantity(value)),
    }
    doing[what]()


def _crashes(bench: ChainBench, place: str) -> None:
    with bench.dying_at(place):
        bench.look(61)


def _heals(bench: ChainBench) -> None:
    venue = bench.venue
    venue.price_error = venue.lookups_fail = False
    venue.cancel_faults, venue.script, venue.fillable = [], [], None
    venue.cancel_seconds = 0.0
    bench.until_quiet()


def _holds_true(bench: ChainBench, side: Side) -> None:
    """By the venue's own books."""
    ours = [order for order in bench.venue.orders.values() if order.side is side]
    rests = [order.quantity - order.filled_quantity for order in bench.venue.live()]
    assert len(rests) <= 1, "two orders are live"
    assert sum((order.filled_quantity for order in ours), Decimal(0)) + sum(rests, Decimal(0)) <= ORDERED


def _lives_through(store: Store, side: Side, policy: Policy, story: Sequence[tuple[str, Any]]) -> ChainBench:
    account = AccountRef.user(BrokerType.KRAKEN, f"u{next(_numbers)}")
    bench = ChainBench(store, OrderRules(entry=policy, exit=policy), account=account)
    if side is Side.SELL:
        bench.holds("1")
    begin = partial(bench.exit, "1") if side is Side.SELL else partial(bench.enter, "1")
    if story[0][0] == "crash":
        with bench.dying_at(story[0][1]):
            begin()
    else:
        if story[0][0] == "send":
            _happens(bench, *story[0])
        begin()
    for what, value in story:
        _happens(bench, what, value)
        _holds_true(bench, side)
    _heals(bench)
    _holds_true(bench, side)
    return bench


many = settings(
    max_examples=int(os.environ.get("NIJA_STORIES", "20")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
stories = st.lists(happening, min_size=1, max_size=25)


@many
@given(story=stories, policy=st.sampled_from([Policy.RESTING, Policy.MARKETABLE]))
def test_an_exit_ends_flat_or_as_dust_by_one_order_at_a_time(
    store: Store, story: Sequence[tuple[str, Any]], policy: Policy
) -> None:
    bench = _lives_through(store, Side.SELL, policy, story)
    if bench.steps():
        assert BTC.below_minimum(bench.lots(), bench.venue.bid) is not None
    assert bench.lots() == bench.venue.coins


@many
@given(story=stories)
def test_an_entry_never_buys_more_than_was_ordered_and_leaves_nothing_behind(
    store: Store, story: Sequence[tuple[str, Any]]
) -> None:
    bench = _lives_through(store, Side.BUY, Policy.RESTING, story)
    assert bench.venue.live() == []
    assert bench.lots() == bench.venue.coins
    assert all(step.chain_end for step in bench.steps())


SLOW: Sequence[tuple[str, Any]] = [("fill", Decimal("0.5")), ("slow cancels", 12.0), *[("wait", 31)] * 6]
has_ended = order_chains.has_ended


@pytest.mark.parametrize(
    ("side", "name", "mutant"),
    [
        (Side.BUY, "filled_of", lambda _steps: Decimal(0)),
        (Side.SELL, "has_ended", lambda intent: has_ended(intent) or intent.cancel_requested_at is not None),
        (Side.SELL, "judge", lambda *_args, **_others: order_chains.GiveUp("it is too hard")),
    ],
    ids=["forgets what was filled", "takes a cancel for an end", "gives an exit up"],
)
def test_what_is_judged_here_notices_a_mistake(
    store: Store, monkeypatch: pytest.MonkeyPatch, side: Side, name: str, mutant: object
) -> None:
    monkeypatch.setattr(order_chains, name, mutant)
    with pytest.raises((AssertionError, IllegalMove)):
        bench = _lives_through(store, side, Policy.RESTING, SLOW)
        assert side is Side.BUY or bench.lots() == 0

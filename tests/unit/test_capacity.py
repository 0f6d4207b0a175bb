"""Who could follow an entry, and what a master may buy when all of them together are too much for the book."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from bot.account_desk import AccountDesk
from bot.brokers.kraken.market_data import asked_within
from bot.capacity import CapacityMode, CapacityOutcome, CapacityRules, CapacityVerdict, preview
from bot.domain.account import AccountRef
from bot.domain.errors import RetryLater, UnreadableReply
from bot.domain.signal import CopyReason
from bot.entry_capacity import EntryCapacity
from bot.execution.entry_gate import OpenGate
from bot.storage.capacity_previews import StoredPreview, latest_previews
from bot.storage.copies import PlannedCopy
from bot.storage.market_rows import listed_instruments
from bot.storage.store import Store
from tests.memory_broker import START, MemoryBroker
from tests.unit.copy_bench import KRAKEN, MASTER, Bench

PRICE = Decimal(50000)
REFUSING = CapacityRules(mode=CapacityMode.REFUSE, min_able_percent=Decimal(50))


def copies(able: int, unable: int) -> list[PlannedCopy]:
    good = [
        PlannedCopy("S", f"a{n}", START, client_order_id=f"O{n}", planned_quantity=Decimal("0.002"))
        for n in range(able)
    ]
    return good + [PlannedCopy("S", f"u{n}", START, reason=CopyReason.BELOW_MINIMUM) for n in range(unable)]


def judged(able: int, unable: int, rules: CapacityRules, *, depth: str | None = None) -> CapacityVerdict:
    found = preview(
        copies(able, unable),
        quantity=Decimal("0.01"),
        price=PRICE,
        depth_notional=None if depth is None else Decimal(depth),
        rules=rules,
    )
    assert found.followers == found.able + sum(found.unable.values()) == able + unable
    assert found.flow_notional == (Decimal("0.01") + able * Decimal("0.002")) * PRICE
    return found.verdict


# -- the verdict ------------------------------------------------------------------------------------------------------
def test_a_preview_alone_holds_nothing_back_and_says_what_is_too_much() -> None:
    verdict = judged(5, 5, CapacityRules(), depth="2000")
    assert (verdict.outcome, verdict.quantity) == (CapacityOutcome.ALLOWED, Decimal("0.01"))
    assert verdict.sentence == "master and users together would buy for 1000.00; 25 % of the book's depth is 500.00"


def test_with_refuse_too_few_who_could_follow_or_too_shallow_a_book_is_no_entry() -> None:
    assert judged(5, 5, REFUSING).outcome is CapacityOutcome.ALLOWED
    few = judged(4, 6, REFUSING)
    assert (few.outcome, few.quantity) == (CapacityOutcome.REFUSED, Decimal(0))
    assert few.sentence == "only 4 of 10 users could follow, 50 % must be able to (6 below_minimum)"
    assert judged(5, 0, REFUSING, depth="3999").outcome is CapacityOutcome.REFUSED
    assert judged(5, 0, REFUSING, depth="4000").outcome is CapacityOutcome.ALLOWED


def test_a_depth_that_nobody_knows_and_users_that_are_not_there_refuse_nothing() -> None:
    assert judged(5, 0, REFUSING, depth=None).outcome is CapacityOutcome.ALLOWED
    assert judged(0, 0, REFUSING).outcome is CapacityOutcome.ALLOWED


# -- before an order --------------------------------------------------------------------------------------------------
class DeepBroker(MemoryBroker):
    """A master's, with a book."""

    depth: Decimal | None = None
    fault: Exception | None = None

    def get_depth(self, symbol: str, *, within_percent: Decimal) -> Decimal | None:
        if self.fault is not None:
            raise self.fault
        return self.depth


@dataclass
class Desk:
    """As much of an account's desk as is looked at."""

    broker: DeepBroker
    account: AccountRef = MASTER


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, {"ann": "1000", "bob": "4000", "poor": "12"})


@pytest.fixture
def desk(bench: Bench) -> Desk:
    broker = DeepBroker(MASTER, bench.clock, cash="10000")
    broker.refresh_balance()
    return Desk(broker)


def ask(bench: Bench, desk: Any, quantity: str = "0.01", **rules: Any) -> CapacityVerdict:
    capacity = EntryCapacity(
        store=bench.store,
        clock=bench.clock,
        planner=bench.engine.planner,
        followers=bench,
        gate=OpenGate(),
        rules=CapacityRules(**rules),
        within_percent=Decimal("0.5"),
    )
    whole_desk: AccountDesk = desk
    return capacity(whole_desk, "BTC/USD", Decimal(quantity), PRICE)


def written(bench: Bench) -> StoredPreview:
    with bench.store.read() as connection:
        return latest_previews(connection, MASTER.label, most=1)[0]


def test_the_preview_is_the_plan_that_the_copies_would_get_and_plans_nothing(bench: Bench, desk: Desk) -> None:
    """Ann follows with 50 and Bob with 200; 60 cents are too little for the third."""
    desk.broker.depth = Decimal(10**6)
    assert ask(bench, desk, quantity="0.0101").quantity == Decimal("0.0101")
    row = written(bench)
    assert (row.followers, row.able, row.unable) == (3, 2, {"below_minimum": 1})
    assert row.flow_notional == Decimal("0.0101") * PRICE * Decimal("1.5")
    assert (row.depth_notional, row.outcome) == (Decimal(10**6), "allowed")
    assert bench.rows() == []
    with bench.store.read() as connection:
        assert "BTC/USD" in listed_instruments(connection, str(KRAKEN))


def test_with_cap_the_master_buys_so_much_less_that_all_together_stay_inside_the_bound(
    bench: Bench, desk: Desk
) -> None:
    desk.broker.depth = Decimal(1500)
    verdict = ask(bench, desk, mode=CapacityMode.CAP)
    assert verdict.outcome is CapacityOutcome.CAPPED
    assert Decimal("0.0049") < verdict.quantity <= Decimal("0.005")
    assert written(bench).flow_notional <= Decimal(375)
    assert ask(bench, desk, quantity=str(verdict.quantity), mode=CapacityMode.CAP).outcome is CapacityOutcome.ALLOWED


@pytest.mark.parametrize("fault", [RetryLater("no answer within 1 s"), UnreadableReply("no JSON"), KeyError("b")])
def test_a_book_that_cannot_be_read_is_unknown_and_holds_nobody_up(bench: Bench, desk: Desk, fault: Exception) -> None:
    desk.broker.fault = fault
    verdict = ask(bench, desk, mode=CapacityMode.CAP)
    assert (verdict.outcome, verdict.quantity) == (CapacityOutcome.ALLOWED, Decimal("0.01"))
    if not isinstance(fault, KeyError):
        assert written(bench).depth_notional is None


def test_a_book_without_any_offer_has_no_depth_that_is_known_and_none_is_ever_zero(bench: Bench, desk: Desk) -> None:
    assert ask(bench, desk, mode=CapacityMode.REFUSE, min_able_percent=Decimal(50)).quantity == Decimal("0.01")
    assert ask(bench, desk, mode=CapacityMode.REFUSE, min_able_percent=Decimal(70)).quantity == 0
    assert asked_within({"XXBTZUSD": {"asks": [], "bids": []}}, within_percent=Decimal(1), where="x") is None


def test_what_is_switched_off_asks_no_venue_and_writes_nothing(bench: Bench, desk: Desk) -> None:
    desk.broker.fault = AssertionError("nobody should ask")
    assert ask(bench, desk, mode=CapacityMode.OFF).quantity == Decimal("0.01")
    with bench.store.read() as connection:
        assert latest_previews(connection, MASTER.label, most=1) == []


# -- Kraken's book ----------------------------------------------------------------------------------------------------
def test_a_depth_is_what_is_for_sale_up_to_the_bound_above_the_best_price() -> None:
    asks = [["100.0", "2.5", 1], ["100.5", "1", 1], ["100.51", "9", 1]]
    book = {"XXBTZUSD": {"asks": asks, "bids": [["99", "1", 1]]}}
    assert asked_within(book, within_percent=Decimal("0.5"), where="x") == Decimal("350.5")


@pytest.mark.parametrize("book", [{}, {"A": {"asks": [["1"]]}}, {"A": {"asks": [["x", "1", 1]]}}, {"A": {}}, []])
def test_a_book_that_makes_no_sense_is_unreadable(book: object) -> None:
    with pytest.raises(UnreadableReply):
        asked_within(book, within_percent=Decimal(1), where="x")

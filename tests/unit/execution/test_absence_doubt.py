"""Where a look-up by our id proves nothing, an order that is not found is left to a person and never sent again."""

import pytest

from bot.domain.errors import OutcomeUnknown
from bot.domain.order import IntentState, Side
from bot.storage import intents
from bot.storage.store import Store
from tests.memory_broker import MemoryBroker
from tests.unit.copy_bench import MASTER, Bench

DOUBT = "this exchange has never shown an order by an id of ours"


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, {"ann": "1000"})


@pytest.mark.parametrize("doubt", [DOUBT, ""])
def test_an_order_that_is_not_found_is_given_up_only_where_not_finding_it_proves_something(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, doubt: str
) -> None:
    monkeypatch.setattr(MemoryBroker, "absence_doubt", doubt)
    bench.brokers[MASTER].script = [OutcomeUnknown("timed out")]
    intent = bench.master_trades(Side.BUY, "0.01")
    executor = bench.executors[MASTER]
    for _ in range(20):
        bench.clock.seconds += 11
        intent = executor.settle(intent)
    assert (intent.state, intent.needs_person) == (IntentState.UNKNOWN if doubt else IntentState.ABANDONED, doubt)
    assert len(bench.brokers[MASTER].received) == 1
    with bench.store.read() as connection:
        waiting = intents.symbols_needing_a_person(connection, MASTER.label)
    assert waiting == (frozenset({intent.symbol}) if doubt else frozenset())


def test_what_turns_up_before_that_is_booked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryBroker, "absence_doubt", DOUBT)
    bench.brokers[MASTER].script = [(OutcomeUnknown("timed out"), True)]
    intent = bench.executors[MASTER].settle(bench.master_trades(Side.BUY, "0.01"))
    assert (intent.state, intent.needs_person) == (IntentState.FILLED, "")


def test_after_older_books_were_put_back_no_copy_is_sent_where_nobody_can_say_that_it_was_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryBroker, "absence_doubt", DOUBT)
    bench.master_trades(Side.BUY, "0.01")
    bench.restored_at = bench.clock.now()
    bench.restarted(bench.user("ann").account)
    bench.copy("ann")
    assert bench.user("ann").received == []
    with bench.store.read() as connection:
        assert intents.unfinished(connection, bench.user("ann").account.label) == []

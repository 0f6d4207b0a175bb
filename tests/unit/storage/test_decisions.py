"""Rows of decisions: what is written comes back, on both databases, and changes alone are kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.domain.account import AccountRef, BrokerType
from bot.domain.decision import EntryOutcome, ExitStatus
from bot.storage import accounts
from bot.storage.entry_decisions import EntryDecision, add_entry_decisions, decisions_of
from bot.storage.exit_states import (
    ExitState,
    exit_decisions_of,
    exit_states_of,
    forget_exit_states,
    save_exit_state,
)
from bot.storage.market_words import MarketWord, forget_words, save_words, word_of, words_of
from bot.storage.round_trips import RoundTrip, add_round_trip, round_trips_of
from bot.storage.scan_cycles import ScanCycle, add_scan, last_scan, scans_of
from bot.storage.store import Store

ON_BOTH_DATABASES = True
D = Decimal
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
KRAKEN = AccountRef.master(BrokerType.KRAKEN)
COUNTS = {
    "filtered": {"spread": 5, "volume": 2},
    "held": {"held": 1},
    "missing": {"too_few": 2},
    "no_entry": {"no_signal": 8},
    "vetoed": {"order_rate": 1},
}
SCAN = ScanCycle(
    account_id="kraken", at=NOW, strategy="rsi", seconds=D("0.25"), listed=20, passed=12, ready=10, signals=2,
    ordered=1, counts=COUNTS,
)  # fmt: skip
STATE = ExitState(
    account_id="kraken", symbol="BTC/USD", at=NOW, cycle=4, status=ExitStatus.ARMED, reason="kept", bid=D("100.5"),
    rules={"hard_stop": {"level": "97", "distance_percent": "3.4", "armed": True}},
)  # fmt: skip


def with_account(store: Store) -> Store:
    store.write(lambda c: accounts.remember_account(c, KRAKEN, name="kraken", enabled=True, now=NOW))
    return store


def test_a_scan_comes_back_as_it_was_with_its_number(store: Store) -> None:
    with_account(store)
    first = store.write(lambda c: add_scan(c, SCAN))
    waited = ScanCycle(account_id="kraken", at=NOW + timedelta(seconds=1), waiting="halted")
    second = store.write(lambda c: add_scan(c, waited))
    assert second == first + 1
    with store.read() as connection:
        assert scans_of(connection, "kraken") == [replace(waited, id=second), replace(SCAN, id=first)]
        assert last_scan(connection, "kraken") == replace(waited, id=second)
        assert scans_of(connection, "kraken", since=waited.at) == [replace(waited, id=second)]
        assert last_scan(connection, "coinbase") is None


def test_each_step_of_a_scan_must_add_up_to_the_one_above_it() -> None:
    assert SCAN.mismatch == ""
    assert ScanCycle(account_id="kraken", at=NOW, waiting="halted").mismatch == ""
    assert replace(SCAN, listed=21).mismatch == "listed 21, but filtered + held + passed are 20"
    assert "asked 11" in replace(SCAN, ready=11).mismatch
    assert "signals 2, but vetoed + ordered are 1" in replace(SCAN, ordered=0).mismatch


def test_words_on_many_markets_are_overwritten_and_forgotten(store: Store) -> None:
    with_account(store)
    words = [
        MarketWord(symbol=f"C{n}/USD", stage="filtered", rule="spread", detail="wide", since=NOW) for n in range(250)
    ]
    store.write(lambda c: save_words(c, "kraken", words))
    changed = MarketWord(symbol="C7/USD", stage="no_entry", rule="no_signal", detail="RSI 40", since=NOW, scan_id=3)
    store.write(lambda c: save_words(c, "kraken", [changed]))
    store.write(lambda c: forget_words(c, "kraken", [f"C{n}/USD" for n in range(120, 250)]))
    with store.read() as connection:
        found = words_of(connection, "kraken")
        assert len(found) == 120 and found["C7/USD"] == changed and found["C8/USD"] == words[8]
        assert word_of(connection, "kraken", "C7/USD") == changed
        assert word_of(connection, "kraken", "C200/USD") is None


def test_wishes_come_back_the_newest_first_with_their_numbers(store: Store) -> None:
    with_account(store)
    ordered = EntryDecision(
        account_id="kraken", at=NOW, symbol="BTC/USD", strategy="rsi", confidence=D("0.7"), reason="RSI 21", scan_id=1,
        outcome=EntryOutcome(True, client_order_id="abc"),
    )  # fmt: skip
    refusal = EntryOutcome(False, "order_rate", "4 entries", {"entries": "4"})
    vetoed = replace(ordered, symbol="ETH/USD", at=NOW + timedelta(seconds=1), outcome=refusal)
    store.write(lambda c: add_entry_decisions(c, [ordered, vetoed]))
    with store.read() as connection:
        assert decisions_of(connection, "kraken") == [vetoed, ordered]
        assert decisions_of(connection, "kraken", symbol="BTC/USD") == [ordered]
        assert decisions_of(connection, "kraken", since=vetoed.at, limit=5) == [vetoed]


def test_an_exit_is_overwritten_each_cycle_and_kept_when_it_says_something_else(store: Store) -> None:
    with_account(store)
    moved = replace(STATE, cycle=5, bid=D(101), at=NOW + timedelta(seconds=1))
    sells = replace(STATE, cycle=6, status=ExitStatus.SELLING, rule="hard_stop", reason="bid 96", bid=D(96))
    assert store.write(lambda c: save_exit_state(c, STATE))
    assert not store.write(lambda c: save_exit_state(c, moved))
    assert store.write(lambda c: save_exit_state(c, sells))
    assert store.write(lambda c: save_exit_state(c, sells, client_order_id="abc"))
    assert store.write(lambda c: save_exit_state(c, replace(sells, faults="target: 0 is no percent")))
    with store.read() as connection:
        (state,) = exit_states_of(connection, "kraken").values()
        assert (state.status, state.bid, state.cycle) == (ExitStatus.SELLING, D(96), 6)
        decisions = exit_decisions_of(connection, "kraken", symbol="BTC/USD")
        assert [(one.status, one.client_order_id) for one in decisions] == [
            (ExitStatus.SELLING, None), (ExitStatus.SELLING, "abc"),
            (ExitStatus.SELLING, None), (ExitStatus.ARMED, None),
        ]  # fmt: skip
        assert "target: 0 is no percent" in decisions[0].reason
        assert decisions[-1].rules == STATE.rules


def test_a_state_vanishes_with_its_position_and_its_history_stays(store: Store) -> None:
    with_account(store)
    for symbol in ("BTC/USD", "ETH/USD"):
        store.write(lambda c, symbol=symbol: save_exit_state(c, replace(STATE, symbol=symbol)))  # type: ignore[misc]
    store.write(lambda c: forget_exit_states(c, "kraken", still=["ETH/USD"]))
    with store.read() as connection:
        assert list(exit_states_of(connection, "kraken")) == ["ETH/USD"]
        assert len(exit_decisions_of(connection, "kraken")) == 2


def test_a_round_trip_knows_its_result_only_when_its_fees_are_known(store: Store) -> None:
    with_account(store)
    trip = RoundTrip(
        account_id="kraken", symbol="BTC/USD", opened_at=NOW, closed_at=NOW + timedelta(hours=1), bought_quantity=D(2),
        bought_quote=D(100), sold_quote=D("100.5"), fees_quote=D("0.6"), exit_rule="target",
    )  # fmt: skip
    store.write(lambda c: add_round_trip(c, trip))
    store.write(lambda c: add_round_trip(c, replace(trip, symbol="ETH/USD", fees_quote=None)))
    with store.read() as connection:
        assert round_trips_of(connection, "kraken", symbol="BTC/USD") == [trip]
        unknown = round_trips_of(connection, "kraken", limit=1)[0]
    assert (trip.result_quote, trip.is_loss) == (D("-0.1"), True)
    assert (unknown.symbol, unknown.result_quote, unknown.is_loss) == ("ETH/USD", None, False)

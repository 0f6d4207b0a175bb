"""What is written of each look: what is new at once, what is the same now and then."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from bot.domain.account import AccountRef, BrokerType
from bot.domain.decision import EntryOutcome
from bot.market.funnel import Stage, Word
from bot.market.scan_record import ScanRecord
from bot.storage import accounts
from bot.storage.entry_decisions import EntryDecision, decisions_of
from bot.storage.market_words import MarketWord, words_of
from bot.storage.scan_cycles import ScanCycle, scans_of
from bot.storage.store import Store
from tests.memory_broker import TestClock

ON_BOTH_DATABASES = True
KRAKEN = AccountRef.master(BrokerType.KRAKEN)
THIN = Word(Stage.FILTERED, "volume", "12.00 in 24 h is below 100000")
NO = Word(Stage.NO_ENTRY, "no_fresh_cross", "RSI 40 against 45")


class Rig:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = TestClock()
        self.record = ScanRecord(store, self.clock)
        store.write(lambda c: accounts.remember_account(c, KRAKEN, name="kraken", enabled=True, now=self.clock.now()))

    def look(self, words: Mapping[str, Word], *wishes: EntryDecision) -> None:
        counts: dict[str, dict[str, int]] = {}
        for word in words.values():
            rules = counts.setdefault(str(word.stage), {})
            rules[word.rule] = rules.get(word.rule, 0) + 1
        passed = sum(word.stage is not Stage.FILTERED for word in words.values())
        row = ScanCycle(
            account_id="kraken",
            at=self.clock.now(),
            strategy="rsi",
            listed=len(words),
            passed=passed,
            ready=passed,
            signals=len(wishes),
            ordered=sum(wish.outcome.ordered for wish in wishes),
            counts=counts,
        )
        self.record.looked(row, words, wishes)

    def wish(self, rule: str = "spread", client_order_id: str | None = None) -> EntryDecision:
        outcome = EntryOutcome(client_order_id is not None, rule, client_order_id=client_order_id)
        return EntryDecision(
            account_id="kraken",
            at=self.clock.now(),
            symbol="BTC/USD",
            strategy="rsi",
            confidence=Decimal(1),
            reason="up",
            outcome=outcome,
        )

    def scans(self) -> list[ScanCycle]:
        with self.store.read() as connection:
            return list(scans_of(connection, "kraken"))

    def words(self) -> Mapping[str, MarketWord]:
        with self.store.read() as connection:
            return words_of(connection, "kraken")

    def decisions(self) -> list[EntryDecision]:
        with self.store.read() as connection:
            return list(decisions_of(connection, "kraken"))


@pytest.fixture
def rig(store: Store) -> Rig:
    return Rig(store)


def test_the_same_look_is_written_once_a_minute_and_another_one_at_once(rig: Rig) -> None:
    for _ in range(59):
        rig.look({"BTC/USD": NO})
        rig.clock.seconds += 1
    assert len(rig.scans()) == 1
    rig.look({"BTC/USD": THIN})
    assert len(rig.scans()) == 2
    rig.clock.seconds += 60
    rig.look({"BTC/USD": THIN})
    assert len(rig.scans()) == 3


def test_a_word_keeps_its_beginning_until_it_changes_also_over_a_restart(rig: Rig) -> None:
    began = rig.clock.now()
    rig.look({"BTC/USD": NO, "ETH/USD": THIN})
    rig.clock.seconds += 100
    rig.record = ScanRecord(rig.store, rig.clock)
    rig.look({"BTC/USD": Word(NO.stage, NO.rule, "RSI 41 against 45"), "ETH/USD": NO})
    words = rig.words()
    assert (words["BTC/USD"].since, words["BTC/USD"].detail) == (began, "RSI 40 against 45")
    assert (words["ETH/USD"].since, words["ETH/USD"].rule) == (rig.clock.now(), "no_fresh_cross")


def test_the_words_of_a_whole_catalogue_are_written_and_those_of_delisted_markets_go(rig: Rig) -> None:
    many = {f"S{number}/USD": THIN for number in range(350)}
    rig.look(many)
    assert rig.words().keys() == many.keys()
    rig.look({symbol: word for symbol, word in many.items() if symbol != "S7/USD"})
    assert rig.words().keys() == many.keys() - {"S7/USD"}


def test_a_wish_that_is_vetoed_again_and_again_is_written_now_and_then_and_each_order_always(rig: Rig) -> None:
    vetoed = Word(Stage.VETOED, "spread")
    for _ in range(30):
        rig.look({"BTC/USD": vetoed}, rig.wish())
        rig.clock.seconds += 1
    assert len(rig.decisions()) == 1
    ordered = Word(Stage.ORDERED, "ordered")
    rig.look({"BTC/USD": ordered}, rig.wish(rule="", client_order_id="one"))
    rig.look({"BTC/USD": ordered}, rig.wish(rule="", client_order_id="two"))
    assert [wish.outcome.client_order_id for wish in rig.decisions()] == ["two", "one", None]
    assert {wish.scan_id for wish in rig.decisions()} == {scan.id for scan in rig.scans()}


def test_waiting_is_written_when_its_reason_changes_and_not_when_its_numbers_do(rig: Rig) -> None:
    for age in range(61, 100):
        rig.record.waited("kraken", f"balance stale: {age}.5 s old", strategy="rsi")
        rig.clock.seconds += 5
    assert [scan.waiting for scan in rig.scans()] == ["balance stale: 61.5 s old"]
    rig.record.waited("kraken", "halted by an operator", strategy="rsi")
    rig.look({"BTC/USD": NO})
    assert [scan.waiting for scan in rig.scans()] == ["", "halted by an operator", "balance stale: 61.5 s old"]
    rig.clock.seconds += 1
    rig.record.waited("kraken", "halted by an operator", strategy="rsi")
    rig.clock.seconds += 600
    rig.record.waited("kraken", "halted by an operator", strategy="rsi")
    assert len(rig.scans()) == 5

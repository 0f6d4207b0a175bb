"""Limits hold however many entries arrive at once, because counting and sending are one transaction."""

import threading
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest

from bot.domain.order import IntentState
from bot.execution.entry_gate import OpenGate
from bot.execution.order_executor import OrderExecutor
from bot.risk.case import LimitRules
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from tests.unit.risk.desk import ANN, KRAKEN, RiskDesk

THREADS = 100
CAP = 8


def at_once(works: Sequence[Callable[[], object]]) -> None:
    """Run each in a thread of its own, all let go together."""
    gate = threading.Barrier(len(works))
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        gate.wait(timeout=60)
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def check_cap(desk: RiskDesk) -> None:
    taken = desk.places_taken()
    assert len(taken) <= CAP, f"{len(taken)} positions and open entries, the cap is {CAP}"


@pytest.mark.parametrize("state", ["filled", "open"])
def test_a_hundred_signals_at_once_never_exceed_the_position_cap(store: Store, state: str) -> None:
    desk = RiskDesk(store, LimitRules(max_positions=CAP))
    if state == "open":
        desk.brokers[KRAKEN].fillable, desk.brokers[KRAKEN].stays_open = Decimal(0), True
    intents = [desk.intent(f"C{number}/USD") for number in range(THREADS)]
    at_once([lambda intent=intent: desk.executors[KRAKEN].place(intent) for intent in intents])  # type: ignore[misc]
    check_cap(desk)
    assert len(desk.brokers[KRAKEN].received) == len(desk.places_taken()) == CAP
    assert desk.vetoes() == [("kraken", "max_positions")] * (THREADS - CAP)


def test_a_hundred_signals_of_two_accounts_never_exceed_the_notional_of_all(store: Store) -> None:
    rules = LimitRules(max_total_notional_quote=Decimal(1000), max_account_notional_quote=Decimal(700))
    desk = RiskDesk(store, rules, accounts_=(KRAKEN, ANN))
    intents = [desk.intent(f"C{number}/USD", account=ref) for number in range(THREADS // 2) for ref in (KRAKEN, ANN)]
    refs = {ref.label: ref for ref in (KRAKEN, ANN)}
    at_once([
        lambda intent=intent: desk.executors[refs[intent.account_id]].place(intent)  # type: ignore[misc]
        for intent in intents
    ])  # fmt: skip
    spent = desk.exposure()
    assert sum(spent.values()) == 1000
    for ref in (KRAKEN, ANN):
        assert sum(amount for (account, _), amount in spent.items() if account == ref.label) <= 700
    assert len(desk.vetoes()) == THREADS - 10


class JudgedTooEarly(OrderExecutor):
    """Wrong on purpose: asks the gate before the transaction that sends, not in it."""

    def judge_with(self, desk: RiskDesk, meeting: threading.Barrier) -> None:
        self._desk, self._meeting = desk, meeting

    def _mark_submitted(self, intent: OrderIntent) -> object:  # type: ignore[override]
        with self._desk.store.read() as connection:
            veto = self._desk.gate.admit(connection, intent)
        self._meeting.wait(timeout=60)
        self._entry_gate = OpenGate()
        return veto or super()._mark_submitted(intent)


def test_judging_outside_the_transaction_would_be_seen_by_this_check(store: Store) -> None:
    desk = RiskDesk(store, LimitRules(max_positions=CAP))
    for number in range(CAP - 1):
        assert desk.enter(f"H{number}/USD").state is IntentState.FILLED
    executor = desk.executors[KRAKEN]
    executor.__class__ = JudgedTooEarly
    assert isinstance(executor, JudgedTooEarly)
    executor.judge_with(desk, threading.Barrier(2))
    at_once([lambda name=name: desk.enter(name) for name in ("A/USD", "B/USD")])  # type: ignore[misc]
    with pytest.raises(AssertionError, match="9 positions and open entries, the cap is 8"):
        check_cap(desk)

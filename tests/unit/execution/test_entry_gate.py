"""An entry is judged twice on its way out; an exit never is."""

import pytest
from sqlalchemy import Connection, select

from bot.domain.account import AccountRef
from bot.domain.order import IntentState, Side
from bot.domain.veto import Veto, VetoRule
from bot.storage import intents
from bot.storage.intents import OrderIntent
from bot.storage.schema import veto
from bot.storage.store import Store
from tests.unit.copy_bench import KRAKEN, MASTER, Bench

ANN = AccountRef.user(KRAKEN, "ann")
WHY = Veto(VetoRule.ORDER_NOTIONAL, "500 USD is more than 100 USD", {"notional_usd": "500", "limit_usd": "100"})
STOPPED = Veto(VetoRule.HALTED, "all accounts are halted by anna: holiday")


class _Gate:
    """Vetoes by script, and remembers in which state it saw each order."""

    def __init__(self, *, admit: Veto | None = None, still: Veto | None = None) -> None:
        self._admit, self._still = admit, still
        self.asked: list[tuple[str, str]] = []

    def admit(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        self.asked.append(("admit", _state(connection, intent)))
        return self._admit

    def still(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        self.asked.append(("still", _state(connection, intent)))
        return self._still


def _state(connection: Connection, intent: OrderIntent) -> str:
    known = intents.find_intent(connection, intent.client_order_id)
    assert known is not None
    return str(known.state)


def _gated(store: Store, gate: _Gate, account: AccountRef = MASTER) -> Bench:
    bench = Bench(store, {"ann": "1000"})
    bench.gate = gate
    bench.restarted(account)
    return bench


def _vetoes(bench: Bench) -> list[tuple[str, str, str, str]]:
    with bench.store.read() as connection:
        rows = connection.execute(select(veto)).all()
    return [(row.account_id, row.rule, row.detail, row.numbers_json) for row in rows]


def test_a_vetoed_entry_never_leaves_and_its_numbers_are_a_row(store: Store) -> None:
    bench = _gated(store, _Gate(admit=WHY))
    result = bench.master_trades(Side.BUY, "0.01")
    assert (result.state, result.reason) == (
        IntentState.ABANDONED,
        "not sent: order_notional: 500 USD is more than 100 USD",
    )
    assert bench.brokers[MASTER].received == []
    assert _vetoes(bench) == [("kraken", "order_notional", WHY.detail, '{"notional_usd": "500", "limit_usd": "100"}')]


def test_an_entry_is_judged_before_it_counts_as_sent_and_again_after(store: Store) -> None:
    gate = _Gate()
    bench = _gated(store, gate)
    bench.master_trades(Side.BUY, "0.01")
    assert gate.asked == [("admit", "created"), ("still", "submitted")]


def test_what_was_stopped_after_the_commit_does_not_leave(store: Store) -> None:
    bench = _gated(store, _Gate(still=STOPPED))
    result = bench.master_trades(Side.BUY, "0.01")
    assert (result.state, result.reason) == (IntentState.ABANDONED, f"not sent: {STOPPED}")
    assert bench.brokers[MASTER].received == []
    assert [rule for _, rule, _, _ in _vetoes(bench)] == ["halted"]


def test_an_exit_is_not_judged(store: Store) -> None:
    bench = Bench(store, {"ann": "1000"})
    bench.master_trades(Side.BUY, "0.01")
    bench.gate = gate = _Gate(admit=WHY, still=STOPPED)
    bench.restarted(MASTER)
    assert bench.master_trades(Side.SELL, "0.01").state is IntentState.FILLED
    assert gate.asked == []


@pytest.mark.parametrize(("gate", "reason"), [(_Gate(admit=WHY), "limit"), (_Gate(still=STOPPED), "halted")])
def test_a_users_vetoed_copy_has_its_answer(store: Store, gate: _Gate, reason: str) -> None:
    bench = _gated(store, gate, ANN)
    bench.master_trades(Side.BUY, "0.01")
    bench.copy("ann")
    assert bench.answers == [("ann", "skipped", reason)]
    assert bench.user("ann").received == []

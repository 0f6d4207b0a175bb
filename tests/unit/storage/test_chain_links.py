"""Sealing of what a real store holds: every kind of row, a few at a time, on both databases, and what breaks it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Table, delete, func, insert, select, text, true, update

from bot.books.chain import Break, Verdict
from bot.diagnostics.verify import examine
from bot.domain.account import AccountRef, BrokerType
from bot.domain.control import ControlAction, ControlState
from bot.domain.decision import EntryOutcome
from bot.domain.fill import Fill
from bot.domain.halt import HaltScope, HaltSource, HaltStrength
from bot.domain.order import Side
from bot.seams.clock import format_time
from bot.storage import chain_links, chain_sealing, control_requests, fills, halts
from bot.storage.chain_sealing import EVERY_SECONDS, ChainSealer
from bot.storage.entry_decisions import EntryDecision, add_entry_decision
from bot.storage.process import set_meta
from bot.storage.schema import (
    cash_event,
    chain_link,
    control_request,
    cost_entry,
    entry_decision,
    fill,
    halt,
    order_event,
    signal,
    veto,
)
from bot.storage.store import Store
from tests.unit.copy_bench import Bench

ON_BOTH_DATABASES = True
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANN = AccountRef.user(BrokerType.KRAKEN, "ann")


@pytest.fixture
def bench(store: Store) -> Bench:
    """A master and a user who have bought and sold; a veto, a halt set and lifted, money and a cost."""
    made = Bench(store, {"ann": "1000"})
    for side in (Side.BUY, Side.SELL):
        made.master_trades(side, "0.01")
        made.plan()
        made.copy("ann")
    store.write(_decide)
    return made


def _decide(connection: Connection) -> None:
    label = ANN.label
    connection.execute(
        insert(veto).values(
            at=NOW, account_id=label, symbol="BTC/USD", side="buy", rule="limit", detail="", numbers_json="{}"
        )
    )
    wish = EntryDecision(
        account_id=label, at=NOW, symbol="BTC/USD", strategy="rsi", confidence=Decimal("0.5"), reason="RSI 21.0",
        outcome=EntryOutcome(False, "below_minimum", "too small", {"notional_quote": "3"}),
    )  # fmt: skip
    add_entry_decision(connection, wish)
    for scope in (HaltScope.ALL, HaltScope.BROKER):
        stop = {"strength": HaltStrength.ENTRIES_OFF, "reason": "news", "set_by": "anna", "source": HaltSource.COMMAND}
        halts.set_halt(connection, scope=scope, target="kraken" if scope is HaltScope.BROKER else "", now=NOW, **stop)  # type: ignore[arg-type]
    halts.lift(connection, [2], by="anna", reason="over", now=NOW)
    for number in range(2):
        control_requests.add_request(
            connection,
            nonce=f"n{number}",
            at=NOW,
            action=ControlAction.KILL,
            target="all",
            details={},
            reason="news",
            actor="anna",
            role="control",
            address="127.0.0.1",
        )
    control_requests.note_request(connection, 1, state=ControlState.DONE, lines=["stopped"], now=NOW)
    common = {"account_id": label, "asset": "BTC"}
    connection.execute(
        insert(cash_event).values(
            **common, broker="kraken", event_id="L1", kind="deposit", amount=Decimal(1), fee=Decimal(0), at=NOW,
            reference="", detail="", recorded_at=NOW, sequence=1,
        )
    )  # fmt: skip
    connection.execute(
        insert(cost_entry).values(
            **common, quantity=Decimal(1), cost=Decimal(20000), currency="USD", acquired_at=NOW, said_by="anna",
            reason="statement", written_at=NOW,
        )
    )  # fmt: skip


def _seal(bench: Bench) -> int:
    bench.clock.seconds += EVERY_SECONDS
    return ChainSealer(bench.store, bench.clock).turn()


def _verify(bench: Bench, expect: str = "") -> Verdict:
    with bench.store.read() as connection:
        return examine(connection, expect=expect)


def test_every_kind_is_sealed_once_and_holds(bench: Bench) -> None:
    assert sum(_verify(bench).unsealed.values()) > 12
    assert _seal(bench) > 12
    assert _seal(bench) == 0
    verdict = _verify(bench)
    assert verdict.holds and not any(verdict.unsealed.values())
    with bench.store.read() as connection:
        kinds = connection.execute(select(chain_link.c.kind)).scalars().all()
        keys = connection.execute(select(chain_link.c.kind, chain_link.c.row_key)).all()
        assert connection.execute(select(order_event)).all()
    assert set(kinds) == {kind.name for kind in chain_links.KINDS}
    assert len(set(keys)) == len(keys) == verdict.links


def test_what_comes_later_is_sealed_after_it_and_the_lifting_of_an_old_halt_too(bench: Bench) -> None:
    _seal(bench)
    head = _verify(bench).head
    bench.master_trades(Side.BUY, "0.01")
    bench.store.write(lambda connection: halts.lift(connection, [1], by="anna", reason="over", now=NOW))
    waiting = _verify(bench)
    assert waiting.holds and waiting.unsealed["fill"] == 1 and waiting.unsealed["halt_lifted"] == 1
    assert _seal(bench) >= 3
    verdict = _verify(bench, head)
    assert verdict.holds and verdict.expected_at is not None and verdict.expected_at < verdict.links


def test_what_changes_as_a_matter_of_course_breaks_nothing(bench: Bench) -> None:
    _seal(bench)
    bench.store.write(lambda c: halts.ask_to_lift(c, [1], code="3F9C2A", by="anna", now=NOW))
    bench.store.write(lambda c: c.execute(update(signal).values(planned_at=NOW)))
    bench.store.write(
        lambda c: control_requests.note_request(c, 2, state=ControlState.TAKEN, lines=["1 of 2"], now=NOW)
    )
    assert _verify(bench).holds


CHANGES: dict[str, tuple[Table, str, object]] = {
    "signal": (signal, "reference_price", Decimal("50000.01")),
    "order_event": (order_event, "at", NOW + timedelta(microseconds=1)),
    "fill": (fill, "price", Decimal("50000.00000001")),
    "cash_event": (cash_event, "kind", "withdrawal"),
    "cost_entry": (cost_entry, "cost", Decimal(1)),
    "veto": (veto, "detail", "another"),
    "entry_decision": (entry_decision, "outcome", "ordered"),
    "halt": (halt, "set_by", "bob"),
    "halt_lifted": (halt, "lifted_by", "bob"),
    "control_request": (control_request, "actor", "bob"),
    "control_ended": (control_request, "result_json", "[]"),
}


def test_any_change_of_a_sealed_row_is_found(bench: Bench) -> None:
    kinds = {one.name: one for one in chain_links.KINDS}
    assert set(CHANGES) == set(kinds)
    _seal(bench)
    for kind, (table, column, value) in CHANGES.items():
        number = table.c[kinds[kind].position]
        only = kinds[kind].only
        newest = select(func.max(number)).where(true() if only is None else only)
        change = update(table).where(number == newest.scalar_subquery()).values({column: value})
        bench.store.write(lambda connection, change=change: connection.execute(change))  # type: ignore[misc]
    findings = _verify(bench).findings
    assert {each.what for each in findings} == {Break.CHANGED}
    assert sorted(each.kind for each in findings) == sorted(CHANGES)


def test_an_old_wish_may_be_let_go_of_and_a_young_one_may_not(bench: Bench) -> None:
    _seal(bench)
    bench.store.write(lambda connection: connection.execute(delete(entry_decision)))
    with bench.store.read() as connection:
        (sealed,) = connection.execute(select(chain_link.c.at).where(chain_link.c.kind == "entry_decision")).scalars()
        later = examine(connection, let_go={"entry_decision": format_time(sealed + timedelta(seconds=1))})
        sooner = examine(connection, let_go={"entry_decision": format_time(sealed)})
    assert (later.holds, later.let_go) == (True, 1)
    assert [(each.what, each.kind) for each in sooner.findings] == [(Break.MISSING, "entry_decision")]


def _removed(connection: Connection) -> None:
    connection.execute(delete(fill).where(fill.c.sequence == 2))


def _slipped_in(connection: Connection) -> None:
    trade = Fill(
        trade_id="invented", venue_order_id="O9", symbol="BTC/USD", side=Side.BUY, quantity=Decimal(1),
        price=Decimal(1), fee=Decimal(0), fee_currency="USD", executed_at=NOW,
    )  # fmt: skip
    fills.add_fill(connection, ANN, trade, client_order_id=None, now=NOW)
    connection.execute(update(fill).where(fill.c.trade_id == "invented").values(sequence=2))


def _moved(connection: Connection) -> None:
    connection.execute(update(fill).where(fill.c.sequence == 2).values(sequence=1000))


def test_a_fill_that_is_removed_slipped_in_or_moved_is_found(bench: Bench) -> None:
    _seal(bench)
    for tamper, found in ((_slipped_in, Break.SLIPPED_IN), (_moved, Break.MISSING), (_removed, Break.MISSING)):
        with pytest.raises(Undone):
            bench.store.write(lambda connection, tamper=tamper, found=found: _tampered(connection, tamper, found))  # type: ignore[misc]


class Undone(Exception):
    """The tampering is rolled back."""


def _tampered(connection: Connection, tamper: Callable[[Connection], None], found: Break) -> None:
    tamper(connection)
    first = examine(connection).first
    assert first is not None and (first.what, first.kind) == (found, "fill")
    raise Undone


def test_text_that_is_no_number_and_no_time_is_a_changed_row_and_stops_nothing(store: Store, bench: Bench) -> None:
    if store.url.get_backend_name() != "sqlite":
        pytest.skip("PostgreSQL takes no such text")
    _seal(bench)
    spoil = "UPDATE fill SET price = 'nonsense', executed_at = 'yesterday' WHERE sequence = 1"
    store.write(lambda connection: connection.execute(text(spoil)))
    store.write(lambda connection: connection.execute(text("UPDATE veto SET id = 99")))
    # One that stands for no number is never sealed, and keeps none of the others from it.
    store.write(lambda connection: connection.execute(text("UPDATE cash_event SET sequence = 'x'")))
    bench.master_trades(Side.BUY, "0.01")
    assert _seal(bench) > 0
    found = {(each.what, each.kind) for each in _verify(bench).findings}
    assert found == {(Break.CHANGED, "fill"), (Break.MISSING, "veto"), (Break.MISSING, "cash_event")}


def test_a_long_history_is_sealed_a_few_rows_at_a_time_and_nobody_waits_behind_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_sealing, "ROWS_PER_WRITE", 3)
    monkeypatch.setattr(chain_sealing, "WRITES_PER_TURN", 2)
    assert _seal(bench) == 6
    monkeypatch.setattr(Store, "queue_depth", 1)
    assert _seal(bench) == 0
    monkeypatch.undo()
    head = ChainSealer(bench.store, bench.clock).finish(within_seconds=60)
    verdict = _verify(bench)
    assert verdict.holds and not any(verdict.unsealed.values())
    assert head is not None and (head.sequence, head.link_sha256) == (verdict.links, verdict.head)


def test_of_two_who_seal_the_same_rows_only_one_does(bench: Bench) -> None:
    with bench.store.read() as connection:
        batch = chain_links.next_batch(connection, now=NOW, limit=5)
    assert bench.store.write(lambda connection: chain_links.append(connection, batch)) == 5
    assert bench.store.write(lambda connection: chain_links.append(connection, batch)) == 0
    _seal(bench)
    assert _verify(bench).holds


def test_a_row_that_cannot_be_sealed_stops_nobody_and_is_said_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_arguments: object) -> None:
        raise ZeroDivisionError("a row that nobody has foreseen")

    sealer = ChainSealer(bench.store, bench.clock)
    monkeypatch.setattr(chain_sealing, "append", fails)
    for _ in range(3):
        bench.clock.seconds += EVERY_SECONDS
        assert sealer.turn() == 0
    assert caplog.text.count("unexpected error while new rows of history were sealed") == 1
    monkeypatch.undo()
    bench.clock.seconds += EVERY_SECONDS
    assert sealer.turn() > 0


def test_where_it_is_not_known_how_far_it_was_sealed_the_links_say_so(bench: Bench) -> None:
    _seal(bench)
    bench.store.write(lambda connection: set_meta(connection, chain_links.SEALED_UP_TO, "nonsense"))
    bench.master_trades(Side.BUY, "0.01")
    _seal(bench)
    verdict = _verify(bench)
    assert verdict.holds and not any(verdict.unsealed.values())


def test_a_row_has_one_digest_on_both_databases(bench: Bench) -> None:
    """A chain goes along when the database is copied from one kind to the other."""
    bench.store.write(lambda connection: connection.execute(_one_trade()))
    with bench.store.read() as connection:
        of_fills = next(kind for kind in chain_links.KINDS if kind.name == "fill")
        row = list(chain_links.rows_of(connection, of_fills))[-1]
    assert row.key == "77 kraken ann_kraken BTC/USD T 1"
    assert row.sha256 == "94d27d6f293a90ae5aa3e141ebacff4558a7c32f2a8275c410e3bba7aa183996"


def _one_trade() -> Any:
    return insert(fill).values(
        broker="kraken", account_id=ANN.label, symbol="BTC/USD", trade_id="T 1", venue_order_id="O1",
        client_order_id=None, side="buy", quantity=Decimal("0.00000001"), price=Decimal("50000.10"), fee=Decimal(0),
        fee_currency="USD", executed_at=NOW, recorded_at=NOW, sequence=77,
    )  # fmt: skip

"""`bot.py copies`: per signal a line for the master and one per user, with the answer and its reason."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.diagnostics import copies
from bot.domain.account import BrokerType
from bot.domain.order import OrderKind, Side
from bot.domain.signal import CopyReason, CopyStatus, TradeSignal
from bot.settings import load_settings
from bot.storage import copies as copy_rows
from bot.storage import signals
from tests.stored_bot import DAIVON, KRAKEN, StoredBot, now
from tests.unit.diagnostics.conftest import Answer, Ask, Main

Copies = Callable[..., Answer]


@pytest.fixture
def latest(ask: Ask) -> Copies:
    """`latest()` or `latest(as_json=True)`."""

    def run(*, as_json: bool = False, limit: int = 20) -> Answer:
        main: Main = lambda _arguments: copies.run(load_settings(), as_json=as_json, limit=limit)  # noqa: E731
        return ask(main)

    return run


def trade(bot: StoredBot, signal_id: str, *, kind: OrderKind = OrderKind.ENTRY, size: str = "500") -> None:
    signal = TradeSignal(
        signal_id=signal_id,
        broker=BrokerType.KRAKEN,
        symbol="BTC/USD",
        side=Side.BUY if kind is OrderKind.ENTRY else Side.SELL,
        kind=kind,
        size=Decimal(size),
        quantity=Decimal("0.01"),
        reference_price=Decimal("50000"),
        master_balance=Decimal("10000"),
        executed_at=now(),
    )
    bot.store.write(
        lambda connection: signals.add_signal(
            connection, signal, account_id=KRAKEN.label, venue_order_id="O1", batch=0, now=now()
        )
    )


def plan(bot: StoredBot, signal_id: str) -> None:
    values = {"user_balance": Decimal("1000"), "ratio": Decimal("0.1"), "planned_quantity": Decimal("0.001")}
    row: dict[str, Any] = {"status": "planned", "reason": "", "detail": "", **values}
    bot.store.write(
        lambda connection: copy_rows.add_copy(
            connection, signal_id=signal_id, account_id=DAIVON.label, planned_at=now(), **row
        )
    )
    bot.store.write(lambda connection: signals.claim_for_planning(connection, signal_id, at=now()))


def answer(
    bot: StoredBot, signal_id: str, status: CopyStatus, reason: CopyReason, detail: str = "", **values: Any
) -> None:
    bot.store.write(
        lambda connection: copy_rows.answer_copy(
            connection,
            signal_id=signal_id,
            account_id=DAIVON.label,
            status=status,
            reason=reason,
            detail=detail,
            at=now(),
            **values,
        )
    )


@pytest.fixture
def running(bot: StoredBot) -> StoredBot:
    bot.runs()
    bot.accounts()
    return bot


def test_before_the_first_run_it_says_what_to_run(latest: Copies, home: Path) -> None:
    assert latest().code == 3
    assert "./start.sh" in latest().errors
    shown = latest(as_json=True)
    assert (shown.code, shown.json["signals"]) == (3, [])


def test_without_a_signal_it_says_so_and_all_is_well(latest: Copies, running: StoredBot) -> None:
    shown = latest()
    assert shown.code == 0
    assert "no master has traded" in shown.text


def test_a_copied_signal_has_a_line_for_the_master_and_one_for_the_user(latest: Copies, running: StoredBot) -> None:
    trade(running, "a" * 32)
    plan(running, "a" * 32)
    filled: dict[str, Any] = {"filled_quantity": Decimal("0.001"), "average_price": Decimal("50010")}
    answer(running, "a" * 32, CopyStatus.COPIED, CopyReason.NONE, **filled)
    shown = latest()
    assert shown.code == 0
    master, user = (line.split() for line in shown.text.splitlines()[-2:])
    assert master[1:] == ["kraken", "master", "buy", "BTC/USD", "0.01", "50,000.00", "500.00"]
    assert user == ["daivon_frazier", "0.001", "50,010.00", "50.01", "copied"]


def test_json_has_every_amount_as_exact_text(latest: Copies, running: StoredBot) -> None:
    trade(running, "a" * 32, size="500.00000001")
    plan(running, "a" * 32)
    (signal,) = latest(as_json=True).json["signals"]
    assert (signal["size"], signal["quantity"], signal["price"]) == ("500.00000001", "0.01", "50000")
    (user,) = signal["users"]
    assert (user["status"], user["ratio"], user["user_balance"]) == ("planned", "0.1", "1000")
    assert (user["filled_quantity"], user["average_price"], user["answered_at"]) == (None, None, None)


def test_a_failed_copy_is_something_wrong_with_its_reason(latest: Copies, running: StoredBot) -> None:
    trade(running, "a" * 32)
    plan(running, "a" * 32)
    answer(running, "a" * 32, CopyStatus.FAILED, CopyReason.REFUSED_BY_VENUE, "EOrder:[Insufficient funds]")
    shown = latest()
    assert shown.code == 1
    assert "failed: refused_by_venue EOrder:[Insufficient funds]" in shown.text


def test_a_skipped_copy_is_an_answer_like_any_other(latest: Copies, running: StoredBot) -> None:
    trade(running, "a" * 32)
    plan(running, "a" * 32)
    answer(running, "a" * 32, CopyStatus.SKIPPED, CopyReason.BELOW_MINIMUM, "0.00001 is below 0.0001")
    shown = latest()
    assert shown.code == 0
    assert "skipped: below_minimum 0.00001 is below 0.0001" in shown.text


def test_an_exit_shows_which_part_of_the_position_was_sold(latest: Copies, running: StoredBot) -> None:
    trade(running, "b" * 32, kind=OrderKind.EXIT, size="0.25")
    assert "25 % of the position, not planned for the users yet" in latest().text


def test_the_newest_signals_come_first_and_no_more_than_asked_for(latest: Copies, running: StoredBot) -> None:
    for name in "abc":
        trade(running, name * 32)
    shown = latest(as_json=True, limit=2).json["signals"]
    assert [signal["signal_id"][0] for signal in shown] == ["c", "b"]


def test_a_stopped_bot_shows_its_last_signals_and_ends_with_3(latest: Copies, running: StoredBot) -> None:
    trade(running, "a" * 32)
    running.ended()
    shown = latest()
    assert shown.code == 3
    assert "not running" in shown.text
    assert "BTC/USD" in shown.text

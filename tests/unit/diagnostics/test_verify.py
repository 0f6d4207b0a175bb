"""`bot.py verify`: it says whether history is as it was sealed, names what is not, and knows a head noted before."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from bot import app
from bot.diagnostics import verify
from bot.domain.decision import EntryOutcome
from bot.domain.order import OrderKind
from bot.seams.clock import SystemClock
from bot.storage.chain_sealing import ChainSealer
from bot.storage.entry_decisions import EntryDecision, add_entry_decision
from bot.storage.process import set_meta
from bot.storage.retention import WISHES_GONE_BEFORE, Retention, kept
from tests.memory_broker import TestClock
from tests.stored_bot import CONFIGURATION, KRAKEN, StoredBot, now, write_configuration
from tests.unit.diagnostics.books import member, signal
from tests.unit.diagnostics.conftest import Ask


@pytest.fixture
def running(bot: StoredBot) -> StoredBot:
    bot.runs()
    bot.accounts()
    member(bot)
    for name in "abc":
        signal(bot, name, OrderKind.ENTRY)
    return bot


def _seal(bot: StoredBot) -> str:
    head = ChainSealer(bot.store, TestClock()).finish(within_seconds=60)
    assert head is not None
    return head.link_sha256


def test_it_says_how_much_is_sealed_and_what_is_not_yet(ask: Ask, running: StoredBot) -> None:
    nothing = ask(app.main, "verify")
    assert (nothing.code, "Nothing is sealed yet; 3 newer rows not sealed yet" in nothing.text) == (0, True)
    head = _seal(running)
    signal(running, "d", OrderKind.ENTRY)
    shown = ask(app.main, "verify")
    assert shown.code == 0
    assert "3 rows sealed" in shown.text and "1 newer row not sealed yet" in shown.text
    assert f"head {head}" in shown.text.splitlines()
    said = ask(app.main, "verify", "--json").json
    assert (said["holds"], said["links"], said["head"], said["not_sealed_yet_by_kind"]) == (
        True,
        3,
        head,
        {"signal": 1},
    )


def test_it_names_the_first_row_that_was_changed_and_ends_with_1(ask: Ask, running: StoredBot) -> None:
    _seal(running)
    for number, price in ((3, "1"), (2, "50000.0000001")):
        change = text(f"UPDATE signal SET reference_price = '{price}' WHERE sequence = {number}")
        running.store.write(lambda connection, change=change: connection.execute(change))  # type: ignore[misc]
    shown = ask(app.main, "verify")
    assert shown.code == 1
    assert "first: signal 2 (link 2) was changed after it was sealed" in shown.text
    assert "NOT AS SEALED" in shown.text
    said = ask(app.main, "verify", "--json").json
    assert (said["holds"], said["broken"]) == (False, 2)
    assert said["first"] == said["findings"][0]
    assert (said["first"]["kind"], said["first"]["row"], said["first"]["what"]) == ("signal", "2", "changed")


def test_a_head_noted_before_is_found_in_its_chain_and_in_no_other(ask: Ask, running: StoredBot) -> None:
    noted = _seal(running)
    signal(running, "d", OrderKind.ENTRY)
    _seal(running)
    shown = ask(app.main, "verify", "--expect", noted.upper())
    assert (shown.code, "is link 3 of it; 1 were sealed since" in shown.text) == (0, True)
    # As if an older copy of the database had been put back, from before the fourth signal was sealed.
    later = ask(app.main, "verify", "--json").json["head"]
    for change in ("DELETE FROM chain_link WHERE sequence = 4", "DELETE FROM signal WHERE sequence = 4"):
        running.store.write(lambda connection, change=change: connection.execute(text(change)))  # type: ignore[misc]
    assert ask(app.main, "verify").code == 0
    older = ask(app.main, "verify", "--expect", later)
    assert (older.code, "an older copy of the database was put back" in older.text) == (1, True)


def test_progress_of_a_long_check_is_told_to_a_person(
    ask: Ask, running: StoredBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    _seal(running)
    monkeypatch.setattr(verify, "TELL_EVERY", 2)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert "2 of 3 links" in ask(app.main, "verify").errors


@pytest.mark.parametrize("words", ["abc", "g" * 64, "a" * 63, ""])
def test_what_is_no_head_is_refused(ask: Ask, bot: StoredBot, words: str) -> None:
    with pytest.raises(SystemExit) as refused:
        ask(app.main, "verify", "--expect", words)
    assert refused.value.code == 2


# -- decisions that were let go of --------------------------------------------------------------------------------
def _wishes(bot: StoredBot, *days_ago: int) -> None:
    """Sealed on the day on which they were made."""
    for days in days_ago:
        made = EntryDecision(
            account_id=KRAKEN.label, at=now() - timedelta(days=days), symbol="BTC/USD", strategy="rsi",
            confidence=Decimal(1), reason="low", outcome=EntryOutcome(False, "order_rate", "", {}), scan_id=1,
        )  # fmt: skip
        bot.store.write(lambda connection, made=made: add_entry_decision(connection, made))  # type: ignore[misc]
        ChainSealer(bot.store, SystemClock(offset_seconds=-86_400.0 * days)).finish(within_seconds=60)


def _keep_days(home: Path, days: int) -> None:
    write_configuration(home, masters=f"{CONFIGURATION}storage: {{keep_decisions_days: {days}}}\n")


def _let_go(bot: StoredBot, days: int) -> None:
    tables = kept(balance_readings_days=90, health_changes_days=90, decisions_days=days)
    Retention(bot.store, SystemClock(), tables).turn()


def test_what_was_let_go_of_while_less_was_kept_is_not_missing_when_more_is(
    ask: Ask, bot: StoredBot, home: Path
) -> None:
    bot.runs()
    bot.accounts()
    _wishes(bot, 60, 50, 20, 1)
    _let_go(bot, 30)
    for days in (30, 400):
        _keep_days(home, days)
        said = ask(app.main, "verify", "--json").json
        assert (said["holds"], said["let_go"], said["findings"]) == (True, 2, [])


def test_a_decision_that_no_letting_go_has_reached_is_still_missed(ask: Ask, bot: StoredBot, home: Path) -> None:
    bot.runs()
    bot.accounts()
    _wishes(bot, 60, 20, 3, 1)
    _let_go(bot, 30)
    _keep_days(home, 400)
    remove = text("DELETE FROM entry_decision WHERE id IN (2, 3)")
    bot.store.write(lambda connection: connection.execute(remove))
    assert [each["row"] for each in ask(app.main, "verify", "--json").json["findings"]] == ["2", "3"]
    # Who removes rows can write that row too: a word that reaches into the last week is not believed.
    for word, missing in ((now().isoformat(), ["3"]), ("yesterday", ["1", "2", "3"])):
        bot.store.write(lambda connection, word=word: set_meta(connection, WISHES_GONE_BEFORE, word))  # type: ignore[misc]
        assert [each["row"] for each in ask(app.main, "verify", "--json").json["findings"]] == missing

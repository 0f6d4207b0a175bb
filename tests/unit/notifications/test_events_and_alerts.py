"""What the desk of alerts writes for people: beginnings, what becomes worse, ends, and events, each of them once."""

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert, update

from bot.alert_desk import AlertDesk
from bot.diagnostics.alert_causes import CAUSES, EVENTS, causes
from bot.domain.halt import HaltScope, HaltSource, HaltStrength
from bot.notifications.announcing import Announcer
from bot.seams.clock import SystemClock
from bot.settings import Settings
from bot.storage import boots, halts, notifications
from bot.storage.round_trips import RoundTrip, add_round_trip
from bot.storage.schema import alert, fill
from tests.bot_process import ROOT
from tests.stored_bot import COINBASE, DAIVON, KRAKEN, StoredBot, now

D = Decimal


@pytest.fixture
def bot(directory: Path) -> Any:
    with StoredBot(directory) as stored:
        stored.runs()
        stored.accounts()
        yield stored


def desk_of(bot: StoredBot, *, channels: tuple[str, ...] = ("webhook",)) -> AlertDesk:
    settings = Settings.model_validate({"state_dir": str(bot.directory), "supervision": {"crashed_boots": 3}})
    return AlertDesk(bot.store, SystemClock(), settings, announcer=Announcer(channels=channels))


def written(bot: StoredBot, *wanted: str) -> list[tuple[str, str, str]]:
    with bot.store.read() as connection:
        rows = notifications.latest_notifications(connection, limit=100)[::-1]
    return [(row.cause, row.subject, row.severity) for row in rows if not wanted or row.cause in wanted]


def stop(bot: StoredBot, source: HaltSource, by: str = "anna") -> int:
    def work(connection: Any) -> int:
        made, _ = halts.set_halt(
            connection,
            scope=HaltScope.ALL,
            target="",
            strength=HaltStrength.ENTRIES_OFF,
            reason="",
            set_by=by,
            source=source,
            now=now(),
        )
        return made.id

    return bot.store.write(work)


def filled(bot: StoredBot, account: str, trade: str, *, ago: timedelta = timedelta(0)) -> None:
    at = now() - ago
    values: Mapping[str, Any] = {
        "broker": account.rpartition("_")[2],
        "account_id": account,
        "symbol": "BTC/USD",
        "trade_id": trade,
        "venue_order_id": "O1",
        "side": "buy",
        "quantity": D("0.1"),
        "price": D(50000),
        "fee": D(1),
        "fee_currency": "USD",
        "executed_at": at,
        "recorded_at": at,
        "sequence": int(trade),
    }
    bot.store.write(lambda connection: connection.execute(insert(fill).values(values)) and None)


def sold(bot: StoredBot, rule: str, *, closed_at: datetime | None = None) -> None:
    trip = RoundTrip(
        account_id="kraken",
        symbol="BTC/USD",
        opened_at=now() - timedelta(hours=1),
        closed_at=closed_at or now(),
        bought_quantity=D(1),
        bought_quote=D(100),
        sold_quote=D(97),
        fees_quote=D("0.5"),
        exit_rule=rule,
    )
    bot.store.write(lambda connection: add_round_trip(connection, trip))


def test_a_lost_account_is_told_when_it_begins_and_when_it_is_over(bot: StoredBot) -> None:
    desk = desk_of(bot)
    desk.look()
    assert written(bot) == []
    bot.account(DAIVON, health="failed", health_reason="Kraken refuses the API key")
    for _ in range(3):
        desk.look()
    assert written(bot) == [("account_lost", DAIVON.label, "critical")]
    bot.account(DAIVON)
    for _ in range(3):
        desk.look()
    assert written(bot) == [("account_lost", DAIVON.label, "critical"), ("account_lost", DAIVON.label, "over")]


def test_what_becomes_more_severe_is_told_again_and_what_only_says_something_else_is_not(
    bot: StoredBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, free = desk_of(bot), {"bytes": 450_000_000}
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free["bytes"]))
    for free["bytes"] in (450_000_000, 440_000_000, 150_000_000, 90_000_000, 40_000_000):
        desk.look()
    assert written(bot) == [("disk_low", "", "warning"), ("disk_low", "", "critical")]
    with bot.store.read() as connection:
        (row,) = connection.execute(alert.select()).all()
    assert (row.severity, row.text.partition(" are")[0]) == ("critical", "less than 50 MB")


def test_a_halt_made_by_hand_is_no_page_and_one_that_nobody_made_is(bot: StoredBot) -> None:
    desk = desk_of(bot)
    stop(bot, HaltSource.COMMAND)
    desk.look()
    assert [severity for _, _, severity in written(bot, "halted")] == ["info"]
    bot.store.write(lambda connection: halts.lift(connection, [1], by="anna", reason="", now=now()))
    stop(bot, HaltSource.FILE, by="the file")
    desk.look()
    assert [severity for _, _, severity in written(bot, "halted")] == ["info", "warning", "over"]


def test_starts_that_crashed_are_a_cause_of_their_own(bot: StoredBot) -> None:
    desk = desk_of(bot)
    bot.store.write(lambda connection: boots.enter_safe_mode(connection, crashed=3, first_at=now(), now=now()) and None)
    desk.look()
    assert written(bot) == [("crashed_boots", "", "critical")]


def test_a_platform_that_throws_the_state_away_is_told(bot: StoredBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNO", "web.1")
    desk_of(bot).look()
    assert written(bot) == [("storage_not_persistent", "", "warning")]


def test_the_first_fill_of_an_account_is_told_once_and_never_again(bot: StoredBot) -> None:
    desk = desk_of(bot)
    filled(bot, "kraken", "1", ago=timedelta(days=3))
    desk.look()
    assert written(bot) == [], "long ago, before anybody could be told"
    filled(bot, "kraken", "2")
    filled(bot, DAIVON.label, "3")
    filled(bot, DAIVON.label, "4")
    desk.look()
    filled(bot, DAIVON.label, "5")
    for again in (desk, desk_of(bot)):
        again.look()
    assert written(bot) == [("first_fill", DAIVON.label, "info")]


def test_a_stop_that_was_hit_is_told_with_its_result_and_a_target_is_not(bot: StoredBot) -> None:
    desk = desk_of(bot)
    sold(bot, "take_profit")
    sold(bot, "hard_stop", closed_at=now() - timedelta(hours=2))
    sold(bot, "trailing_stop")
    for again in (desk, desk, desk_of(bot)):
        again.look()
    with bot.store.read() as connection:
        (row,) = notifications.latest_notifications(connection, limit=10)
    assert (row.cause, row.subject) == ("stop_hit", "kraken BTC/USD #3")
    assert row.text == "BTC/USD was sold by its trailing stop: -3.50 after fees USD"


def start(bot: StoredBot, build: str, *, exit_code: int | None = 0) -> None:
    """One start, and its end where it had one."""

    def work(connection: Any) -> None:
        number = boots.begin_boot(connection, build=build, configuration="c", now=now())
        if exit_code is not None:
            boots.end_boot(connection, number, exit_code=exit_code, detail="a reason", now=now())

    bot.store.write(work)


def test_a_start_after_a_clean_end_with_the_same_build_is_no_news(bot: StoredBot) -> None:
    start(bot, "a")
    start(bot, "a", exit_code=None)
    desk_of(bot).look()
    assert written(bot) == []


def test_another_build_and_an_end_unasked_for_are_told_at_the_next_start(bot: StoredBot) -> None:
    start(bot, "a", exit_code=None)
    start(bot, "b", exit_code=None)
    for again in (desk_of(bot), desk_of(bot)):
        again.look()
    assert written(bot) == [("build_changed", "start 2", "info"), ("restarted", "start 2", "warning")]


def test_what_could_not_be_written_is_written_at_the_next_look(bot: StoredBot, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = desk_of(bot)
    filled(bot, DAIVON.label, "1")
    sold(bot, "hard_stop")
    bot.account(COINBASE, health="failed")
    write = bot.store.write
    with monkeypatch.context() as broken:
        broken.setattr(bot.store, "write", lambda *_words, **_named: write(lambda _connection: 1 / 0))
        with pytest.raises(ZeroDivisionError):
            desk.look()
    assert written(bot) == []
    desk.look()
    assert {cause for cause, _, _ in written(bot)} == {"account_lost", "first_fill", "stop_hit"}


def test_every_alert_and_event_that_can_be_written_has_its_meaning(bot: StoredBot) -> None:
    """Of the alerts that hold with everything broken at once, as far as one store can have it."""
    bot.account(KRAKEN, health="degraded", health_since=now() - timedelta(minutes=10))
    bot.account(COINBASE, health="failed")
    bot.account(DAIVON, last_cycle_at=now() - timedelta(hours=1))
    stop(bot, HaltSource.FILE)
    settings = Settings.model_validate({"state_dir": str(bot.directory)})
    with bot.store.read() as connection:
        found = {one.cause for one in causes(connection, settings, datetime.now(UTC), missing=2)}
    assert {"account_degraded", "account_lost", "no_cycle", "missing_answers", "halted"} <= found <= set(CAUSES)
    assert set(CAUSES) >= EVENTS
    assert all(text and text[0].islower() and not text.endswith(".") for text in CAUSES.values())


def test_an_account_that_is_lost_is_told_of_once_and_does_not_end_the_pings_of_the_whole_bot(bot: StoredBot) -> None:
    long_ago = now() - timedelta(hours=1)
    bot.account(KRAKEN, health="failed", last_cycle_at=long_ago)
    bot.account(COINBASE, health="quarantined", last_cycle_at=long_ago)
    bot.account(DAIVON, health="degraded", last_cycle_at=long_ago)
    settings = Settings.model_validate({"state_dir": str(bot.directory)})
    with bot.store.read() as connection:
        found = {one.key for one in causes(connection, settings, now(), missing=0)}
    assert {key for key in found if key[0] in ("no_cycle", "account_lost")} == {
        ("account_lost", KRAKEN.label),
        ("account_lost", COINBASE.label),
        ("no_cycle", DAIVON.label),
    }


def test_crashed_starts_are_told_of_although_a_person_had_stopped_everything(bot: StoredBot) -> None:
    """Whoever lifts their own stop must not let a bot that crashes buy."""
    by_hand = stop(bot, HaltSource.COMMAND)
    for _ in range(2):
        bot.store.write(lambda connection: boots.enter_safe_mode(connection, crashed=3, first_at=now(), now=now()).id)
    settings = Settings.model_validate({"state_dir": str(bot.directory)})
    with bot.store.read() as connection:
        assert {one.cause for one in causes(connection, settings, now(), missing=0)} >= {"crashed_boots", "halted"}
        assert len(halts.all_in_force(connection)) == 2
    bot.store.write(lambda connection: halts.lift(connection, [by_hand], by="anna", reason="", now=now()))
    with bot.store.read() as connection:
        assert [one.set_by for one in halts.all_in_force(connection)] == [boots.SAFE_MODE_BY]


def test_an_account_that_only_an_earlier_run_knew_is_nobodys_alert(bot: StoredBot) -> None:
    """After a kill -9 its row says for ever that it is healthy; who was taken out of the files gets no other."""
    long_ago = now() - timedelta(hours=3)
    bot.account(DAIVON, updated_at=long_ago, last_cycle_at=long_ago)
    bot.account(COINBASE, updated_at=long_ago, health="failed", last_cycle_at=long_ago)
    bot.account(KRAKEN, last_cycle_at=long_ago)
    settings = Settings.model_validate({"state_dir": str(bot.directory)})
    with bot.store.read() as connection:
        found = {one.key for one in causes(connection, settings, now(), missing=0)}
    assert {key for key in found if key[0] in ("no_cycle", "account_lost")} == {("no_cycle", "kraken")}


def test_a_defect_in_what_is_told_is_said_once_and_ends_nothing(
    bot: StoredBot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = desk_of(bot)
    monkeypatch.setattr(desk, "_due_at", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr("bot.alert_desk.causes", lambda *_words, **_named: 1 / 0)
        for _ in range(2):
            broken.setattr(desk, "_due_at", 0.0)
            desk.turn()
    assert caplog.text.count("ZeroDivisionError: ") == 1
    bot.account(DAIVON, health="failed")
    monkeypatch.setattr(desk, "_due_at", 0.0)
    desk.turn()
    assert ("account_lost", DAIVON.label, "critical") in written(bot)


def test_an_alert_that_another_has_cleared_by_then_is_no_error(bot: StoredBot) -> None:
    desk = desk_of(bot)
    bot.account(DAIVON, health="failed")
    desk.look()
    bot.store.write(lambda connection: connection.execute(update(alert).values(cleared_at=now())) and None)
    desk.look()
    assert [cause for cause, _, _ in written(bot)] == ["account_lost", "account_lost"]


def test_every_cause_is_on_the_page_about_notifications() -> None:
    page = (ROOT / "docs" / "notifications.md").read_text(encoding="utf-8")
    assert [cause for cause in CAUSES if f"`{cause}`" not in page] == []

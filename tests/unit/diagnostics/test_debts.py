"""`bot.py debts` and the lines elsewhere that point to it: every exit not done, with what it waits for."""

from decimal import Decimal

import pytest

from bot import app
from bot.diagnostics import broker_status
from bot.diagnostics.figures import OpenMatters
from bot.domain.order import IntentState, OrderKind
from bot.observability.metrics import Metrics
from bot.seams.clock import SystemClock
from bot.settings import load_settings
from tests.stored_bot import DAIVON, StoredBot
from tests.unit.diagnostics.books import change, copy, member, order, signal
from tests.unit.diagnostics.conftest import Ask


@pytest.fixture
def running(bot: StoredBot) -> StoredBot:
    bot.runs()
    bot.accounts()
    member(bot)
    return bot


def owe(bot: StoredBot, name: str, *, ago: float, **values: object) -> str:
    made = signal(bot, name, OrderKind.EXIT, ago=ago)
    copy(bot, made, ago=ago, **values)
    return made


def test_nothing_owed_is_said_and_ends_with_0(ask: Ask, running: StoredBot) -> None:
    shown = ask(app.main, "debts")
    assert (shown.code, shown.text.splitlines()[-1]) == (0, "No exit is owed")


def test_before_the_first_run_it_says_what_to_run(ask: Ask) -> None:
    shown = ask(app.main, "debts")
    assert (shown.code, shown.text) == (3, "")
    assert "./start.sh" in shown.errors
    assert ask(app.main, "debts", "--json").json["debts"] == []


def test_a_database_of_another_version_is_not_misread(ask: Ask, running: StoredBot) -> None:
    running.store.write(
        lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    )
    shown = ask(app.main, "debts")
    assert shown.code == 3
    assert "an older version" in shown.errors
    assert "Start NIJA once" in shown.errors
    running.store.write(
        lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    )
    assert "a newer version" in ask(app.main, "debts").errors


def test_the_oldest_comes_first_with_what_is_left_of_it(ask: Ask, running: StoredBot) -> None:
    young = owe(running, "a", ago=10)
    old = owe(running, "b", ago=240, planned_quantity=Decimal("0.003"), tries=2, last_error="created: EService:Busy")
    order(running, "e1", signal_id=old, state=IntentState.CANCELLED, filled_quantity=Decimal("0.001"))
    debts = ask(app.main, "debts", "--json").json["debts"]
    assert [debt["signal_id"] for debt in debts] == [old, young]
    assert (debts[0]["planned_quantity"], debts[0]["filled_quantity"], debts[0]["left_quantity"]) == (
        "0.003",
        "0.001",
        "0.002",
    )
    assert debts[1]["left_quantity"] is None
    shown = ask(app.main, "debts")
    assert shown.code == 1
    assert "2 exits owed, oldest 4 min" in shown.text
    assert "to be sized" in shown.text
    assert "EService:Busy" in shown.text
    assert max(map(len, shown.text.splitlines())) <= 100


def test_only_an_exit_older_than_the_bound_ends_with_1(ask: Ask, running: StoredBot) -> None:
    owe(running, "a", ago=30)
    assert ask(app.main, "debts").code == 0
    assert ask(app.main, "debts", "--old", "20").code == 1
    running.ended()
    assert ask(app.main, "debts").code == 3


def waits_for(ask: Ask) -> str:
    (debt,) = ask(app.main, "debts", "--json").json["debts"]
    return str(debt["waits_for"])


def test_it_says_what_an_exit_waits_for(ask: Ask, running: StoredBot) -> None:
    made = owe(running, "b", ago=100, planned_quantity=Decimal("0.001"))
    assert waits_for(ask) == "its turn"
    name = order(running, "e1aa", signal_id=made)
    assert waits_for(ask) == "the outcome of order e1aa0000"
    change(running, name, needs_person="the venue shows another order")
    assert waits_for(ask).startswith("a person: python bot.py resolve e1aa0000")
    change(running, name, needs_person="", state="partly_filled")
    assert waits_for(ask) == "the end of its order e1aa0000 at the venue"
    change(running, name, state="rejected")
    running.account(DAIVON, health="failed", health_reason="key refused", authenticated_at=None)
    assert waits_for(ask) == "its account to be connected (key refused)"
    running.ended()
    assert waits_for(ask).startswith("NIJA to run")


def test_it_waits_for_the_entry_before_it(ask: Ask, running: StoredBot) -> None:
    entry = signal(running, "a", OrderKind.ENTRY, ago=100)
    copy(running, entry)
    owe(running, "b", ago=50)
    assert waits_for(ask) == "the entry copy before it (signal aaaaaaaa)"


def test_a_stop_under_way_is_listed_besides(ask: Ask, running: StoredBot) -> None:
    order(running, "e1", ago=90)
    order(running, "e2", state=IntentState.FILLED)
    order(running, "e3", kind=OrderKind.ENTRY)
    shown = ask(app.main, "debts", "--json")
    assert (shown.code, shown.json["debts"]) == (1, [])
    (own,) = shown.json["own_exits"]
    assert (own["decision"], own["quantity"], own["waits_for"]) == (
        "stop at 2 %",
        "0.001",
        "the outcome of order e1000000",
    )


def test_the_status_page_points_to_it_first(ask: Ask, running: StoredBot) -> None:
    owe(running, "b", ago=240)
    order(running, "e1", needs_person="the venue shows another order")
    lines = ask(broker_status.main).text.splitlines()
    assert lines[1:3] == [
        "  1 order needs a person: python bot.py resolve",
        "  1 exit owed, oldest 4 min: python bot.py debts",
    ]
    assert len(ask(broker_status.main, "--json").json["attention"]) == 2


def test_a_scrape_shows_what_the_store_holds_at_that_moment(running: StoredBot) -> None:
    metrics = Metrics()
    matters = OpenMatters(running.store, SystemClock(), load_settings())
    metrics.watch(store_queue=lambda: 0.0, store_figures=matters.figures)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    assert value("nija_exit_debts", broker="kraken") == 0
    assert value("nija_exit_debt_oldest_seconds", broker="coinbase") == 0
    made = owe(running, "b", ago=240)
    order(running, "e1", signal_id=made)
    order(running, "e2", needs_person="the venue shows another order")
    entry = signal(running, "c", OrderKind.ENTRY, ago=400, planned=False)
    assert value("nija_exit_debts", broker="kraken") == 1
    assert 240 <= (value("nija_exit_debt_oldest_seconds", broker="kraken") or 0) < 300
    assert (value("nija_orders_unresolved"), value("nija_orders_needing_person")) == (1, 1)
    # The bot has run for a minute only: the entry still has its time.
    assert value("nija_copy_answers_missing") == 0
    running.store.write(
        lambda connection: connection.exec_driver_sql(
            "UPDATE signal SET planned_at = created_at WHERE planned_at IS NULL"
        )
    )
    assert value("nija_copy_answers_missing") == 1
    assert entry


@pytest.mark.sqlite_only("its file is taken away")
def test_a_store_that_cannot_be_read_gives_no_numbers_and_no_failed_scrape(running: StoredBot) -> None:
    metrics = Metrics()
    matters = OpenMatters(running.store, SystemClock(), load_settings())
    metrics.watch(store_queue=lambda: 0.0, store_figures=matters.figures)
    running.close()
    (running.directory / "nija.db").unlink()
    missing = metrics.registry.get_sample_value("nija_copy_answers_missing")
    assert missing is not None
    assert missing != missing

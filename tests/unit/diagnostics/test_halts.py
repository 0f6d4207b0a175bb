"""kill, pause, resume, flatten and halts, as an operator types them; the bot itself does not run here."""

import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.app import main
from bot.diagnostics import broker_status
from bot.diagnostics.halts import operator
from bot.domain.halt import HaltScope, HaltSource, HaltStrength
from bot.domain.position import ExitPlan, Position
from bot.storage import flatten_results, halts, positions
from bot.storage.flatten_results import ACCOUNT, FlattenResult, FlattenState
from tests.stored_bot import DAIVON, KRAKEN, StoredBot, now
from tests.unit.diagnostics.conftest import Answer, Ask

D = Decimal


@pytest.fixture
def running(bot: StoredBot) -> StoredBot:
    """Two masters and a user that trade."""
    bot.runs()
    for account in (KRAKEN, DAIVON):
        bot.account(account)
    return bot


@pytest.fixture
def say(ask: Ask) -> Ask:
    """`say("pause", "kraken")` is `python bot.py pause kraken`."""

    def run(*words: str) -> Answer:
        return ask(main, *words)

    return run


def hold(bot: StoredBot, account: str = "kraken", symbol: str = "BTC/USD") -> None:
    position = Position(
        account_id=account,
        symbol=symbol,
        quantity=D("0.5"),
        average_entry_price=D(100),
        highest_price=D(100),
        opened_at=now(),
        exit_plan=ExitPlan(),
        signal_id=None,
    )
    bot.store.write(lambda connection: positions.save_position(connection, position))


def in_force(bot: StoredBot) -> list[tuple[str, str, str, str]]:
    with bot.store.read() as connection:
        found = halts.all_in_force(connection)
    return [(str(one.scope), one.target, str(one.strength), one.set_by) for one in found]


# -- stopping -----------------------------------------------------------------------------------------------------
def test_kill_stops_everything_at_once_and_says_how_to_lift_it(running: StoredBot, say: Ask) -> None:
    answer = say("kill", "--by", "Anna", "--reason", "the news")
    assert answer.code == 0
    assert "entries are off for everything" in answer.text
    assert "set by Anna (command): the news" in answer.text
    assert "python bot.py resume all" in answer.text
    assert in_force(running) == [("all", "", "entries_off", "Anna")]


def test_killing_twice_is_one_halt(running: StoredBot, say: Ask) -> None:
    say("kill", "--by", "Anna")
    again = say("kill", "--by", "Bob", "--json")
    assert (again.json["new"], again.json["halt"]["set_by"]) == (False, "Anna")
    assert len(in_force(running)) == 1


@pytest.mark.usefixtures("bot")
def test_a_kill_needs_no_running_bot(say: Ask) -> None:
    assert say("kill").code == 0
    assert say("halts").code == 3


def test_who_does_not_say_who_they_are_is_the_systems_user(running: StoredBot, say: Ask) -> None:
    say("kill")
    assert in_force(running)[0][3] == operator() != ""


@pytest.mark.parametrize(
    ("target", "scope", "name"),
    [
        ("all", "all", ""),
        ("kraken", "broker", "kraken"),
        ("Kraken", "broker", "kraken"),
        ("account:kraken", "account", "kraken"),
        ("daivon_frazier_kraken", "account", "daivon_frazier_kraken"),
        ("BTC/USD", "symbol", "BTC/USD"),
        ("btc-usd", "symbol", "BTC/USD"),
        ("symbol:BTC/USD", "symbol", "BTC/USD"),
    ],
)
def test_a_target_is_what_it_is_called(running: StoredBot, say: Ask, target: str, scope: str, name: str) -> None:
    hold(running)
    halt = say("pause", target, "--json").json["halt"]
    assert (halt["scope"], halt["target"], halt["strength"]) == (scope, name, "entries_off")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("krakn", "Did you mean kraken?"),
        ("daivon_kraken", "Did you mean daivon_frazier_kraken?"),
        ("broker:okx", "no brokerage"),
        ("account:carl", "no account"),
        ("", "no brokerage, account or symbol"),
        ("DOGE/USD", "ever traded DOGE/USD"),
        ("a/b/c", "not a symbol"),
    ],
)
def test_what_is_not_known_stops_nothing(running: StoredBot, say: Ask, target: str, says: str) -> None:
    answer = say("pause", target)
    assert answer.code == 2
    assert says in answer.errors
    assert in_force(running) == []


def test_a_symbol_that_nobody_traded_is_taken_from_one_who_is_sure(running: StoredBot, say: Ask) -> None:
    assert say("pause", "DOGE/USD", "--yes").code == 0
    assert in_force(running)[0][1] == "DOGE/USD"


@pytest.mark.sqlite_only("somebody else holds the lock of its file")
def test_a_store_that_takes_no_write_is_no_excuse_for_kill(home: Path, say: Ask, running: StoredBot) -> None:
    holder = sqlite3.connect(home / "nija.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        answer = say("kill", "--reason", "now", "--by", "Anna")
    finally:
        holder.close()
    assert answer.code == 0
    assert (home / "KILL").read_text() == "now (Anna)\n"
    assert "it stops every entry too" in answer.text
    refused = say("resume")
    assert (refused.code, "Remove it first" in refused.errors) == (2, True)


def test_before_anything_has_run_kill_makes_the_file(home: Path, say: Ask) -> None:
    assert say("kill", "--flatten", "--yes").code == 0
    assert (home / "KILL").read_text().startswith("FLATTEN ")
    assert say("pause", "kraken").code == 2
    refused = say("resume")
    assert (refused.code, "Remove it first" in refused.errors) == (2, True)


# -- lifting ------------------------------------------------------------------------------------------------------
def code_of(say: Ask, *target: str) -> str:
    answer = say("resume", *target, "--json")
    assert answer.code == 1
    code: str = answer.json["code"]
    return code


def test_nothing_is_lifted_by_the_first_step(running: StoredBot, say: Ask) -> None:
    say("kill", "--by", "Anna")
    shown = say("resume")
    assert shown.code == 1
    assert "set by Anna" in shown.text
    assert "Nothing is lifted yet" in shown.text
    assert len(in_force(running)) == 1


def test_the_second_step_lifts_what_was_shown_and_keeps_who_and_why(running: StoredBot, say: Ask) -> None:
    say("kill")
    code = code_of(say)
    assert say("resume", "--code", code.lower(), "--by", "Bob", "--reason", "all is well").code == 0
    assert in_force(running) == []
    (row,) = say("halts", "--all", "--json").json["halts"]
    assert (row["lifted_by"], row["lift_reason"]) == ("Bob", "all is well")
    assert row["lifted_at"] is not None


def test_a_lifted_halt_can_be_set_again(running: StoredBot, say: Ask) -> None:
    say("kill")
    say("resume", "--code", code_of(say), "--reason", "x")
    assert say("kill", "--json").json["new"]
    assert say("resume", "--code", "ABCDEF", "--reason", "x").code == 2


def test_a_wrong_code_lifts_nothing(running: StoredBot, say: Ask) -> None:
    say("kill")
    code_of(say)
    answer = say("resume", "--code", "000000", "--reason", "x")
    assert (answer.code, len(in_force(running))) == (2, 1)


def test_only_the_code_that_was_shown_last_is_good(running: StoredBot, say: Ask) -> None:
    say("kill")
    old, new = code_of(say), code_of(say)
    assert say("resume", "--code", old, "--reason", "x").code == 2
    assert say("resume", "--code", new, "--reason", "x").code == 0


def test_a_code_is_good_for_ten_minutes(running: StoredBot, say: Ask) -> None:
    say("kill")
    code = code_of(say)
    running.store.write(
        lambda connection: halts.ask_to_lift(
            connection, [1], code=code, by="x", now=now() - timedelta(minutes=10, seconds=5)
        )
    )
    answer = say("resume", "--code", code, "--reason", "x")
    assert (answer.code, "good for 10 minutes" in answer.errors) == (2, True)


def test_what_came_since_the_code_keeps_all_of_it(running: StoredBot, say: Ask) -> None:
    say("kill")
    code = code_of(say)
    say("pause", "kraken", "--by", "Carl")
    answer = say("resume", "--code", code, "--reason", "x")
    assert answer.code == 2
    assert "brokerage kraken" in answer.errors
    assert len(in_force(running)) == 2


def test_one_of_several_is_lifted_alone_and_the_others_are_named(running: StoredBot, say: Ask) -> None:
    say("kill")
    say("pause", "kraken")
    answer = say("resume", "kraken", "--code", code_of(say, "kraken"), "--reason", "x")
    assert "Still in force: entries are off for everything" in answer.text
    assert [scope for scope, *_ in in_force(running)] == ["all"]
    elsewhere = say("resume", "daivon_frazier_kraken")
    assert (elsewhere.code, "itself is not halted" in elsewhere.errors) == (2, True)


def test_a_reason_is_asked_for(running: StoredBot, say: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    say("kill")
    with pytest.raises(SystemExit) as ended:
        say("resume", "--code", code_of(say))
    assert ended.value.code == 2
    assert "--reason" in capsys.readouterr().err


def test_with_nothing_halted_there_is_nothing_to_resume(running: StoredBot, say: Ask) -> None:
    assert (say("resume").code, say("resume").text) == (0, "Nothing is halted.\n")
    assert say("halts").code == 0


# -- showing ------------------------------------------------------------------------------------------------------
def test_a_halt_is_loud_wherever_one_looks(running: StoredBot, say: Ask, ask: Ask) -> None:
    say("kill", "--by", "Anna")
    assert say("halts").code == 1
    status = ask(broker_status.main)
    assert "HALTED: entries are off for everything" in status.text
    assert ask(broker_status.main, "--json").json["attention"][0].startswith("HALTED")


def test_the_file_counts_as_halted_while_nobody_has_written_it_down(running: StoredBot, home: Path, say: Ask) -> None:
    (home / "KILL").touch()
    answer = say("halts", "--json")
    assert (answer.code, answer.json["halted"], answer.json["file"]) == (1, True, str(home / "KILL"))


# -- flatten ------------------------------------------------------------------------------------------------------
def test_a_flatten_shows_first_what_it_would_sell_and_does_nothing(running: StoredBot, say: Ask) -> None:
    hold(running)
    answer = say("flatten", "all")
    assert answer.code == 2
    assert "kraken: 0.5 BTC/USD" in answer.errors
    assert "python bot.py flatten all --yes" in answer.errors
    assert in_force(running) == []


def test_a_flatten_of_a_bot_that_runs_is_not_done_before_it_is(running: StoredBot, say: Ask) -> None:
    hold(running)
    answer = say("flatten", "kraken", "--yes", "--json")
    assert (answer.code, answer.json["all_done"]) == (1, False)
    assert {part["account"]: part["state"] for part in answer.json["accounts"]} == {
        "kraken": "waiting",
        "daivon_frazier_kraken": "waiting",
    }


def test_a_flatten_without_a_bot_is_done_where_the_books_have_nothing(bot: StoredBot, say: Ask) -> None:
    bot.account(KRAKEN)
    bot.account(DAIVON)
    hold(bot)
    answer = say("flatten", "all", "--yes", "--json")
    assert answer.code == 3
    states = {part["account"]: part["state"] for part in answer.json["accounts"]}
    assert states == {"kraken": "waiting", "daivon_frazier_kraken": "nothing booked"}


def test_what_was_sold_and_what_is_left_is_shown_of_each(running: StoredBot, say: Ask) -> None:
    say("flatten", "account:kraken", "--yes")

    def row(symbol: str, state: FlattenState, left: Decimal | None, why: str) -> FlattenResult:
        return FlattenResult(
            halt_id=1, account_id="kraken", symbol=symbol, state=state, cancelled_orders=2, sold_quantity=D("0.5"),
            left_quantity=left, why=why, started_at=now(), updated_at=now(),
        )  # fmt: skip

    def save(state: FlattenState, left: Decimal | None, why: str) -> None:
        for symbol in (ACCOUNT, "BTC/USD"):
            running.store.write(
                lambda connection, symbol=symbol: flatten_results.save_result(connection, row(symbol, state, left, why))
            )

    save(FlattenState.WORKING, None, "the venue is down")
    working = say("halts", "--flatten", "1")
    assert working.code == 1
    assert "unknown BTC/USD" in working.text
    assert "the venue is down" in working.text
    save(FlattenState.LEFT, D("0.00001"), "below the minimum")
    assert say("halts", "--flatten", "1").code == 1
    save(FlattenState.DONE, D(0), "")
    done = say("halts", "--flatten", "1", "--json")
    assert (done.code, done.json["all_done"]) == (0, True)
    assert done.json["accounts"][0]["symbols"] == [
        {"symbol": "BTC/USD", "state": "done", "cancelled_orders": 2, "sold": "0.5", "left_at_venue": "0", "why": ""}
    ]


def test_a_flatten_that_never_was_cannot_be_shown(running: StoredBot, say: Ask) -> None:
    say("kill")
    assert say("halts", "--flatten", "1").code == 2
    assert say("halts", "--flatten", "7").code == 2


def test_every_scope_and_source_can_be_stored(running: StoredBot, say: Ask) -> None:
    for number, (scope, source) in enumerate(zip(HaltScope, HaltSource, strict=False)):
        running.store.write(
            lambda connection, number=number, scope=scope, source=source: halts.set_halt(
                connection, scope=scope, target=f"t{number}", strength=HaltStrength.FLATTEN, reason="",
                set_by="x", source=source, now=now(),
            )
        )  # fmt: skip
    assert len(say("halts", "--json").json["halts"]) == 4

"""The kill switch of the running program, judged by the exchange's journal."""

import json
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.one_brokerage import OneBrokerage
from tests.bot_process import BotProcess

LONG = 120.0


@pytest.fixture
def there(tmp_path: Path) -> Iterator[OneBrokerage]:
    with OneBrokerage(tmp_path, ("ann", "bob")) as made:
        yield made


def says(bot: BotProcess, *words: str, code: int = 0) -> dict[str, Any]:
    """Run a command with --json in the bot's environment."""
    done = bot.command("bot.py", *words, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def buys(there: OneBrokerage, since: int = 0, **wanted: Any) -> list[dict[str, Any]]:
    return there.accepted(since, side="buy", **wanted)


def trades(there: OneBrokerage, *accounts: str) -> int:
    """Wait until each of these has bought (again); returns the journal's number then."""
    since = there.exchange.last_seq()
    for account in accounts:
        there.waits_for(lambda account=account: buys(there, since, account=account), f"{account} buys", seconds=LONG)
    return there.exchange.last_seq()


def all_sold(there: OneBrokerage) -> bool:
    """Nobody holds anything for trading, and no order is open."""
    held = there.rows("SELECT count(*) AS n FROM position")
    return bool(held) and held[0]["n"] == 0 and not there.unfinished()


def prices_fall(there: OneBrokerage) -> None:
    """So far that every stop is reached."""
    for row in there.rows("SELECT symbol, min(average_entry_price) AS price FROM position GROUP BY symbol"):
        there.exchange.set_price(row["symbol"], Decimal(row["price"]) / 2)


def cycles_more(there: OneBrokerage, bot: BotProcess, number: int = 2) -> None:
    goal = bot.log().count("kraken cycle completed successfully") + number
    there.waits_for(
        lambda: bot.log().count("kraken cycle completed successfully") >= goal, f"{number} cycles", seconds=LONG
    )


def halts(there: OneBrokerage) -> list[tuple[str, str, str]]:
    rows = there.rows("SELECT scope, strength, source FROM halt WHERE lifted_at IS NULL ORDER BY id")
    return [(row["scope"], row["strength"], row["source"]) for row in rows]


def resume(bot: BotProcess, *target: str) -> None:
    code = says(bot, "resume", *target, code=1)["code"]
    says(bot, "resume", *target, "--code", code, "--by", "Anna", "--reason", "all is well")


def test_a_kill_stops_entries_lets_exits_go_on_outlives_kill_9_and_is_lifted_in_two_steps(there: OneBrokerage) -> None:
    with there.start() as bot:
        trades(there, "master", "ann")
        assert says(bot, "kill", "--by", "Anna", "--reason", "drill")["halt"]["set_by"] == "Anna"
        killed_at = there.exchange.last_seq()
        prices_fall(there)
        there.waits_for(lambda: all_sold(there), "what was held is sold by the stops", seconds=LONG)
        # Whatever was past the last look when the command returned; no account has two orders on the wire.
        late = buys(there, killed_at)
        assert len(late) <= len({line["account"] for line in late})
        quiet_from = there.exchange.last_seq()
        cycles_more(there, bot)
        assert buys(there, quiet_from) == []
        master = bot.accounts()["kraken"]
        assert "entries are off for everything" in master["waiting_for"]
        assert "set by Anna (command): drill" in master["waiting_for"]
        assert "HALTED" in bot.command("check_broker_status.py").stdout
        bot.process.kill()
        bot.process.wait(10)
    with there.start() as bot:
        bot.says("HALTED: entries are off for everything", seconds=LONG)
        cycles_more(there, bot)
        assert buys(there, quiet_from) == []
        assert says(bot, "halts", code=1)["halts"][0]["reason"] == "drill"
        says(bot, "resume", "--code", "000000", "--reason", "guess", code=2)
        resume(bot)
        trades(there, "master", "ann", "bob")
        assert bot.stop() == 0


def test_a_halt_that_came_after_the_code_was_shown_is_not_lifted_with_it(there: OneBrokerage) -> None:
    with there.start() as bot:
        trades(there, "master")
        says(bot, "pause", "kraken")
        code = says(bot, "resume", code=1)["code"]
        says(bot, "pause", "ann_kraken")
        refused = says(bot, "resume", "--code", code, "--reason", "x", code=2)
        assert "account ann_kraken" in refused["said"]
        assert len(halts(there)) == 2


@pytest.mark.parametrize(
    ("target", "silent", "others"), [("ann_kraken", "ann", "bob"), ("account:bob_kraken", "bob", "ann")]
)
def test_a_paused_account_enters_nothing_and_the_others_go_on(
    there: OneBrokerage, target: str, silent: str, others: str
) -> None:
    with there.start() as bot:
        trades(there, "master", silent)
        says(bot, "pause", target)
        quiet_from = trades(there, "master")
        trades(there, "master", others)
        assert buys(there, quiet_from, account=silent) == []
        answers = there.rows(f"SELECT reason FROM copy_result WHERE account_id = '{silent}_kraken'")
        assert "halted" in {row["reason"] for row in answers}
        assert bot.stop() == 0


def test_a_paused_symbol_is_entered_by_nobody_and_the_others_are(there: OneBrokerage) -> None:
    with there.start() as bot:
        trades(there, "master")
        symbol = buys(there)[0]["symbol"]
        says(bot, "pause", symbol.replace("/", "-"))
        quiet_from = trades(there, "master")
        for _ in range(3):
            trades(there, "master")
        assert buys(there, quiet_from, symbol=symbol) == []
        assert bot.stop() == 0


def test_a_file_stops_everything_and_its_removal_lifts_nothing(there: OneBrokerage) -> None:
    file = there.state / "KILL"
    with there.start() as bot:
        trades(there, "master")
        file.write_text("the cable is cut\n")
        there.waits_for(lambda: halts(there) == [("all", "entries_off", "file")], "the file is seen", seconds=LONG)
        assert "Remove it first" in says(bot, "resume", code=2)["said"]
        file.unlink()
        cycles_more(there, bot, 2)
        quiet_from = there.exchange.last_seq()
        cycles_more(there, bot)
        assert buys(there, quiet_from) == []
        assert "the cable is cut" in says(bot, "halts", code=1)["halts"][0]["sentence"]
        resume(bot)
        trades(there, "master")
        assert bot.stop() == 0


def test_sigusr1_stops_everything_and_the_bot_goes_on_running(there: OneBrokerage) -> None:
    with there.start() as bot:
        trades(there, "master")
        bot.process.send_signal(signal.SIGUSR1)
        there.waits_for(lambda: halts(there) == [("all", "entries_off", "signal")], "it is heard", seconds=LONG)
        cycles_more(there, bot, 2)
        quiet_from = there.exchange.last_seq()
        cycles_more(there, bot)
        assert buys(there, quiet_from) == []
        assert bot.stop() == 0


def test_a_flatten_pressed_twice_while_the_venue_takes_no_order_is_done_when_it_does(there: OneBrokerage) -> None:
    """O7. Ann and bob also have coins of their own, which are not sold."""
    with there.start() as bot:
        trades(there, "master", "ann", "bob")
        there.waits_for(
            lambda: there.rows("SELECT count(*) AS n FROM position WHERE account_id = 'ann_kraken'")[0]["n"],
            "ann holds something",
            seconds=LONG,
        )
        there.exchange.fault({"kind": "api_error", "text": "EService:Busy"}, times=None, endpoint="AddOrder")
        first = says(bot, "flatten", "all", "--yes", "--by", "Anna", code=1)
        assert says(bot, "flatten", "all", "--yes", "--by", "Bob", code=1)["halt"] == first["halt"]
        assert "Nothing was done" in says(bot, "flatten", "ann_kraken", code=2)["said"]
        pressed_at = there.exchange.last_seq()
        bot.process.kill()
        bot.process.wait(10)
    with there.start() as bot:
        cycles_more(there, bot, 2)
        assert there.accepted(pressed_at) == []
        there.exchange.clear_faults()
        done = says(bot, "flatten", "all", "--yes", "--wait", str(LONG))
        assert done["all_done"]
        assert {part["account"]: part["state"] for part in done["accounts"]} == dict.fromkeys(
            ("kraken", "ann_kraken", "bob_kraken"), "done"
        )
        assert all_sold(there)
        assert buys(there, pressed_at) == []
        ann = next(part for part in done["accounts"] if part["account"] == "ann_kraken")
        assert "not bought by the bot, not touched: " in ann["why"]
        assert "HALTED" in bot.log()
        assert bot.stop() == 0
    balances = there.exchange.account("kraken", "master")["balances"]
    assert {asset for asset, amount in balances.items() if Decimal(amount)} == {"USD"}
    assert there.problems() == []


def test_a_flatten_of_one_account_sells_nothing_of_the_others(there: OneBrokerage) -> None:
    with there.start() as bot:
        trades(there, "master", "ann", "bob")
        done = says(bot, "flatten", "ann_kraken", "--yes", "--wait", str(LONG))
        assert [part["account"] for part in done["accounts"]] == ["ann_kraken"]
        flattened = there.rows("SELECT DISTINCT account_id FROM order_intent WHERE decision LIKE 'flatten%'")
        assert {row["account_id"] for row in flattened} <= {"ann_kraken"}
        assert there.rows("SELECT count(*) AS n FROM position WHERE account_id = 'ann_kraken'")[0]["n"] == 0
        trades(there, "master", "bob")
        assert bot.stop() == 0


def test_what_is_not_known_is_refused_with_what_is(there: OneBrokerage) -> None:
    with there.start() as bot:
        bot.says("kraken cycle completed successfully", seconds=LONG)
        for words in (["pause", "krakn"], ["pause", "carl_kraken"], ["flatten", "NOPE/USD"], ["pause", "broker:okx"]):
            said = says(bot, *words, code=2)["said"]
            assert "kraken" in said or "NOPE/USD" in said
        assert halts(there) == []
        assert says(bot, "resume")["would_lift"] == []

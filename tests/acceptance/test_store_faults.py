"""The disk is full, the database locked, gone, foreign or old; what the exchange saw arrive is the judge."""

import resource
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.storage import migrations
from bot.storage.backups import backups_of
from bot.storage.store import sqlite_url
from tests.acceptance.one_brokerage import OneBrokerage
from tests.bot_process import BotProcess, environment, wait_until

# More than the logs still need, less than the write-ahead log of a bot that trades.
ROOM_LEFT = 100_000
# Requests that show that the bot is up and works on: balances, prices, open orders.
SOME_REQUESTS = 30


@contextmanager
def full_disk(bot: BotProcess, state: Path) -> Iterator[None]:
    """No file of the bot's may grow beyond what its logs need: to SQLite an error of writing, as on a full disk."""
    logs = [path.stat().st_size for path in (state / "nija.log", state.parent / "out.txt")]
    _, hard = resource.prlimit(bot.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(bot.process.pid, resource.RLIMIT_FSIZE, (max(logs) + ROOM_LEFT, hard))
    yield
    resource.prlimit(bot.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def held_still(bot: BotProcess) -> Iterator[None]:
    bot.process.send_signal(signal.SIGSTOP)
    tasks = Path(f"/proc/{bot.process.pid}/task")
    # The signal is only on its way: a thread that writes to the disk goes on until that is done.
    wait_until(lambda: all(_stands_still(task) for task in tasks.iterdir()), seconds=10, what="every thread stands")
    yield
    bot.process.send_signal(signal.SIGCONT)


def _stands_still(task: Path) -> bool:
    return (task / "stat").read_text().rpartition(")")[2].split()[0] == "T"


def orders_since(there: OneBrokerage, seq: int) -> list[dict[str, Any]]:
    """Every order that arrived, taken or refused."""
    return [line for line in there.exchange.journal(seq) if line["type"] in ("accept", "refuse")]


def nothing_leaves(there: OneBrokerage) -> int:
    """Watch the bot work without sending; returns the number of the journal's line from where on nothing came."""
    works_on(there, there.exchange.last_seq(), requests=10)  # what was already under way
    seen = there.exchange.last_seq()
    works_on(there, seen, requests=SOME_REQUESTS)
    assert orders_since(there, seen) == []
    return seen


def works_on(there: OneBrokerage, seq: int, *, requests: int) -> None:
    there.waits_for(lambda: len(there.exchange.journal(seq, type="request")) >= requests, "the bot works on")


def copied(there: OneBrokerage, since: int = 0) -> None:
    there.waits_for(lambda: there.accepted(since, account="ann"), "a trade is copied")


def says_times(bot: BotProcess, text: str, count: int) -> None:
    wait_until(lambda: bot.log().count(text) >= count, seconds=40, what=f"{text!r} is said {count} times")


def test_with_a_full_disk_no_order_leaves_and_it_goes_on_by_itself_when_there_is_room(tmp_path: Path) -> None:
    with OneBrokerage(tmp_path) as there:
        with there.start() as bot:
            copied(there)
            with full_disk(bot, there.state):
                bot.says("NOTHING CAN BE WRITTEN DOWN")
                seen = nothing_leaves(there)
            bot.says("takes writes again")
            copied(there, seen)
            assert bot.log().count("NOTHING CAN BE WRITTEN DOWN") == 1, "once per failure, not once per second"
            assert bot.stop() == 0
        assert there.settle() == []


def test_with_the_database_locked_by_another_program_no_order_leaves_until_it_is_free(tmp_path: Path) -> None:
    with OneBrokerage(tmp_path) as there:
        with there.start() as bot:
            copied(there)
            with closing(sqlite3.connect(there.database, isolation_level=None, timeout=10)) as other:
                other.execute("BEGIN IMMEDIATE")
                bot.says("NOTHING CAN BE WRITTEN DOWN")
                assert "database is locked" in bot.log()
                seen = there.exchange.last_seq()
                says_times(bot, "state was not written", 2)
                assert orders_since(there, seen) == []
            bot.says("takes writes again")
            copied(there, seen)
            assert bot.stop() == 0
        assert sent_unwritten(there) == []


def test_a_database_deleted_under_the_bot_ends_it_and_no_later_start_takes_that_for_a_first_run(tmp_path: Path) -> None:
    with OneBrokerage(tmp_path) as there:
        with there.start() as bot:
            copied(there)
            with held_still(bot):
                on_their_way = {
                    row["client_order_id"]
                    for row in there.rows("SELECT client_order_id FROM order_intent WHERE state = 'submitted'")
                }
                seen = there.exchange.last_seq()
                for file in there.state.glob("nija.db*"):
                    file.unlink()
            assert bot.process.wait(30) == 1
            assert "was deleted while the bot was running" in bot.log()
        assert {line["client_order_id"] for line in orders_since(there, seen)} <= on_their_way
        seen = there.exchange.last_seq()
        with there.start() as again:
            assert again.process.wait(30) == 2
            assert "is missing, but install.json beside it says" in again.log()
        assert there.exchange.journal(seen) == []
        assert not there.database.exists()


def test_a_database_replaced_under_the_bot_ends_it_before_it_sends_what_nobody_would_find(tmp_path: Path) -> None:
    with OneBrokerage(tmp_path) as there:
        with there.start() as bot:
            copied(there)
            with held_still(bot):
                put_in_place(there, snapshot(there, tmp_path / "copy.db"))
            assert bot.process.wait(30) == 1
            assert "was replaced while the bot was running" in bot.log()
        # Everything that arrived is in the file that is there now: the judge looks every order up in it.
        assert there.settle() == []


def snapshot(there: OneBrokerage, file: Path) -> Path:
    """The database as it is now, in one file."""
    with closing(sqlite3.connect(there.database)) as source, closing(sqlite3.connect(file)) as target:
        source.backup(target)
    return file


def put_in_place(there: OneBrokerage, file: Path) -> None:
    """As the runbook says: all of the old database away, then the copy."""
    for old in there.state.glob("nija.db*"):
        old.unlink()
    shutil.copy(file, there.database)


def test_a_restored_copy_is_said_aloud_and_nothing_that_was_sent_since_is_sent_again(tmp_path: Path) -> None:
    with OneBrokerage(tmp_path) as there:
        with there.start() as bot:
            copied(there)
            old = snapshot(there, tmp_path / "copy.db")
            there.waits_for(lambda: there.accepted(account="ann", side="sell"), "an exit is copied")
            assert bot.stop() == 0
        put_in_place(there, old)
        known = {row["client_order_id"] for row in there.rows("SELECT client_order_id FROM order_intent")}
        lost = [line for line in there.accepted() if line["client_order_id"] not in known]
        assert lost, "the copy is older than the last orders"
        with there.start() as bot:
            bot.says("IS OLDER THAN IT WAS")
            # Every order with our tag that these books do not know is found at the brokerage.
            for line in lost:
                bot.says(line["order_id"])
            assert bot.stop() == 0
        ids = [line["client_order_id"] for line in there.accepted()]
        assert len(set(ids)) == len(ids)
        # Lots that the lost part had sold are in the books no more: they would be sold out of her own coins.
        assert lots_in_the_books(there) == lots_at_the_exchange(there)


def lots_in_the_books(there: OneBrokerage) -> dict[str, Decimal]:
    rows = there.rows("SELECT symbol, quantity FROM position WHERE account_id = 'ann_kraken'")
    return {row["symbol"]: Decimal(row["quantity"]) for row in rows}


def lots_at_the_exchange(there: OneBrokerage) -> dict[str, Decimal]:
    lots: dict[str, Decimal] = {}
    for line in there.exchange.journal(type="fill", account="ann"):
        amount = Decimal(line["quantity"])
        lots[line["symbol"]] = lots.get(line["symbol"], Decimal(0)) + (amount if line["side"] == "buy" else -amount)
    return {symbol: amount for symbol, amount in lots.items() if amount}


def test_a_bot_killed_while_it_changes_the_tables_does_it_again_and_trades(tmp_path: Path) -> None:
    with OneBrokerage(tmp_path) as there:
        migrations.upgrade(sqlite_url(there.database), to="0001")
        there.write("INSERT INTO meta VALUES ('install_id', '0123456789abcdef0123456789abcdef')")
        assert there.killed_at("migrate")
        assert [row["version_num"] for row in there.rows("SELECT version_num FROM alembic_version")] == ["0001"]
        assert len(backups_of(there.database)) == 1
        with there.start() as bot:
            copied(there)
            assert bot.stop() == 0
        assert sent_unwritten(there) == []


def sent_unwritten(there: OneBrokerage) -> list[str]:
    """Orders that were not in the database when they arrived, or arrived twice."""
    return [problem for problem in there.problems() if problem.startswith(("I4 ", "I12"))]


def test_a_disk_that_does_not_last_is_refused_unless_the_operator_accepts_it(tmp_path: Path) -> None:
    environ = environment(tmp_path / "state", DYNO="worker.1")
    with BotProcess(environ, "--for", "1", log=tmp_path / "out.txt") as bot:
        assert bot.process.wait(30) == 2
        assert "ALLOW_EPHEMERAL=1 to accept that" in bot.log()
    assert not (tmp_path / "state" / "nija.db").exists()
    with BotProcess(environ | {"ALLOW_EPHEMERAL": "1"}, "--for", "0.1", log=tmp_path / "out.txt") as bot:
        assert bot.process.wait(30) == 0
        assert "Open orders and positions will be forgotten" in bot.log()

"""One drill: an exchange that stays, a bot that dies, and the judgement at the end."""

import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from pathlib import Path

from benchmarks.kill_drill.books import FINAL_STATES, Books, open_books
from benchmarks.kill_drill.disturber import Disturber
from benchmarks.kill_drill.exchange_process import PROJECT, DrillExchange
from benchmarks.kill_drill.exchange_side import ExchangeSide
from benchmarks.kill_drill.installation import BROKERAGES, Installation, Life
from benchmarks.kill_drill.judge import judge
from benchmarks.kill_drill.outcome import Outcome
from benchmarks.kill_drill.plan import PlannedDeath, failpoints_in, planned_deaths
from benchmarks.kill_drill.terms import REAL_TIMES, VenueTimes

READY_LIMIT_SECONDS = 60.0
SETTLE_LIMIT_SECONDS = 330.0
"""Two starts of Coinbase's 130 s, and what it takes to sell what is left."""
CALM_LOOKS = 3
JOURNAL_EVERY = 10
KILLED = -signal.SIGKILL
STOP_SECONDS = 30.0
AIM_SECONDS = 1.5
LIFE_TO_READY = 2.0
LONGEST_SECONDS = 8.0
HURRIED_SECONDS = 0.5
ENDED = ", ".join(f"'{state}'" for state in sorted(FINAL_STATES))


@dataclass(frozen=True)
class Options:
    """`directory` is kept when there were problems; `longest` is in seconds.

    When killing has taken `hurry_after` seconds, the lives that are left are short, so that the number is reached.
    """

    directory: Path
    kills: int
    seed: int
    longest: float = 3.5
    users: int = 2
    faults: bool = False
    settle_limit: float = SETTLE_LIMIT_SECONDS
    hurry_after: float = inf
    times: Mapping[str, VenueTimes] = field(default_factory=lambda: REAL_TIMES)
    brokerages: Sequence[str] = BROKERAGES


def run_drill(options: Options, progress: Callable[[int, str], None]) -> Outcome:
    """`progress` is told the number of kills so far and what goes on now."""
    shutil.rmtree(options.directory, ignore_errors=True)
    options.directory.mkdir(parents=True)
    with DrillExchange(seed=options.seed, database=options.directory / "state" / "nija.db") as exchange:
        drill = _Drill(options, exchange, progress)
        outcome = drill.run()
    if not outcome.problems:
        shutil.rmtree(options.directory, ignore_errors=True)
    return outcome


class _Drill:
    def __init__(self, options: Options, exchange: DrillExchange, progress: Callable[[int, str], None]) -> None:
        self._options = options
        self._exchange = exchange
        self._progress = progress
        self._chance = random.Random(options.seed)
        self._installation = Installation(
            options.directory, exchange, users=options.users, times=options.times, brokerages=options.brokerages
        )
        chance = random.Random(options.seed + 1)
        self._disturber = Disturber(exchange, chance, options.brokerages) if options.faults else None
        self._outcome = Outcome(options.seed)
        self._kills: Counter[str] = Counter()

    def run(self) -> Outcome:
        started = time.monotonic()
        deaths = planned_deaths(self._chance, failpoints_in(PROJECT / "bot"), longest=self._longest)
        for number, death in enumerate(islice(deaths, self._options.kills), start=1):
            late = time.monotonic() - started > self._options.hurry_after
            self._live_and_die(PlannedDeath("hurried", HURRIED_SECONDS) if late else death)
            self._progress(number, "killing")
            if number % JOURNAL_EVERY == 0:
                self._exchange.journal()
        self._outcome.kill_seconds = time.monotonic() - started
        self._outcome.kills = dict(self._kills)
        self._progress(self._options.kills, "settling")
        self._settle()
        self._judge()
        return self._outcome

    def _longest(self) -> float:
        """Of a random life: as asked for, but on a busy machine long enough to come to trading about half the time."""
        ready = max(self._outcome.ready_seconds[-3:], default=0.0)
        return max(self._options.longest, min(LIFE_TO_READY * ready, LONGEST_SECONDS))

    def _live_and_die(self, death: PlannedDeath) -> None:
        if self._disturber is not None:
            self._disturber.disturb()
            self._outcome.faults = self._disturber.ordered
        life = self._installation.start(failpoint=death.failpoint)
        if death.when_ready:
            self._note_ready(life)
            ended = life.ends_within(life.age_seconds + death.seconds)
        else:
            ended = life.ends_within(death.seconds)
            if death.aimed:
                self._await_open_order(life)
        code = life.kill()
        if code != KILLED:
            self._outcome.problems.append(f"exit: the bot ended by itself with {code} after {life.age_seconds:.1f} s")
        self._outcome.at_failpoint += ended and death.failpoint is not None
        self._kills[death.kind] += 1
        self._note_open_orders(life)

    def _note_ready(self, life: Life) -> None:
        seconds = life.wait_until_ready(READY_LIMIT_SECONDS)
        if seconds is None:
            self._outcome.never_ready += 1
            self._outcome.problems.append(f"ready: an account was not ready {life.age_seconds:.0f} s after the start")
        else:
            self._outcome.ready_seconds.append(seconds)

    def _await_open_order(self, life: Life) -> None:
        """Until an order of this life is under way, or it seems that none is coming."""
        limit = life.age_seconds + AIM_SECONDS
        while life.age_seconds < limit and not any(moved >= life.born for moved in self._open_orders()):
            time.sleep(0.003)

    def _note_open_orders(self, life: Life) -> None:
        """How many orders were under way when the bot died; the figure that says what the kill was worth."""
        moved = self._open_orders()
        self._outcome.with_open_orders += bool(moved)
        self._outcome.with_own_open_orders += any(at >= life.born for at in moved)

    def _open_orders(self) -> list[str]:
        """When each order that has not ended was last moved; nothing while there are no books."""
        with suppress(sqlite3.Error), open_books(self._installation.database) as connection:
            rows = connection.execute(f"SELECT updated_at FROM order_intent WHERE state NOT IN ({ENDED})").fetchall()
            return [row["updated_at"] for row in rows]
        return []

    # -- the end ----------------------------------------------------------------------------------------------------
    def _settle(self) -> None:
        """Let the bot finish everything and sell what the masters hold; over as soon as nothing is unfinished."""
        self._exchange.clear_faults()
        self._installation.enter_no_more()
        life = self._installation.start()
        calm = 0
        while life.age_seconds < self._options.settle_limit and life.process.poll() is None and calm < CALM_LOOKS:
            time.sleep(0.4)
            calm = calm + 1 if self._nothing_left(life) else 0
        self._outcome.settle_seconds = life.age_seconds
        life.process.send_signal(signal.SIGTERM)
        if not life.ends_within(life.age_seconds + STOP_SECONDS):
            life.kill()
        if life.process.returncode != 0:
            self._outcome.problems.append(f"exit: the last bot ended with {life.process.returncode}")

    def _nothing_left(self, life: Life) -> bool:
        with open_books(self._installation.database) as connection:
            beats = connection.execute("SELECT last_cycle_at FROM account_state").fetchall()
            open_rows = sum(
                int(connection.execute(f"SELECT count(*) FROM {rows}").fetchone()[0])
                for rows in (
                    f"order_intent WHERE state NOT IN ({ENDED})",
                    "copy_result WHERE status = 'planned'",
                    "signal WHERE planned_at IS NULL",
                )
            )
            held = connection.execute("SELECT account_id, symbol, quantity FROM position").fetchall()
        # Every account must have had its look round in this life, and no master may hold what it can sell.
        looked = all((row["last_cycle_at"] or "") > life.born for row in beats)
        return looked and not open_rows and not any(row["account_id"] in self._options.brokerages for row in held)

    def _judge(self) -> None:
        exchange = ExchangeSide.from_lines(self._exchange.journal())
        books = Books.read(self._installation.database)
        outcome = self._outcome
        outcome.orders, outcome.fills = len(exchange.orders), len(exchange.fills)
        outcome.signals, outcome.copies = len(books.signals), len(books.copies)
        outcome.checks = len(exchange.checks)
        idle = {*self._options.brokerages, *self._installation.accounts} - {fill.account for fill in exchange.fills}
        outcome.problems += [f"drill: {account} never traded, so nothing was tested of it" for account in sorted(idle)]
        terms = self._installation.terms()
        outcome.problems += [str(problem) for problem in sorted(judge(exchange, books, terms))]

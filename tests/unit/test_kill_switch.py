"""The kill switch: what it stops, what it lets through, and that nothing but a person lifts it."""

import logging
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain.errors import StoreUnavailable
from bot.domain.halt import Halt, HaltScope, HaltSource, HaltStrength
from bot.domain.order import IntentState, OrderKind, OrderRequest, OrderType, Side
from bot.domain.position import ExitPlan
from bot.domain.veto import VetoRule
from bot.kill_switch import KillSwitch
from bot.storage import halts, vetoes
from bot.storage.intents import OrderIntent
from bot.storage.kill_file import KILL_FILE, read_kill_file, write_kill_file
from bot.storage.store import Store
from tests.memory_broker import START
from tests.unit.copy_bench import MASTER, Bench

ANN, BOB = "ann_kraken", "bob_kraken"


class Stopped:
    """A master with two users whose entries pass a kill switch."""

    def __init__(self, store: Store, directory: Path) -> None:
        self.store, self.directory = store, directory
        self.bench = Bench(store, {"ann": "5000", "bob": "5000"})
        self.changes: list[list[str]] = []
        self.woken = 0
        self.switch = self.restart()

    def restart(self) -> KillSwitch:
        """A new process: what was in memory is gone."""
        self.switch = self.bench.gate = KillSwitch(
            store=self.store,
            clock=self.bench.clock,
            state_dir=self.directory,
            on_change=self._changed,
            wake=self._wake,
        )
        for account in self.bench.brokers:
            self.bench.restarted(account)
        return self.switch

    def _changed(self, found: Sequence[Halt]) -> None:
        self.changes.append([halt.sentence for halt in found])

    def _wake(self) -> None:
        self.woken += 1

    def halt(
        self,
        scope: HaltScope = HaltScope.ALL,
        target: str = "",
        strength: HaltStrength = HaltStrength.ENTRIES_OFF,
        *,
        by: str = "anna",
    ) -> tuple[Halt, bool]:
        """As a command in another process does it."""
        return self.store.write(
            lambda connection: halts.set_halt(
                connection,
                scope=scope,
                target=target,
                strength=strength,
                reason="news",
                set_by=by,
                source=HaltSource.COMMAND,
                now=self.bench.clock.now(),
            )
        )

    def lift(self, *ids: int) -> None:
        self.store.write(
            lambda connection: halts.lift(connection, ids, by="anna", reason="over", now=self.bench.clock.now())
        )

    def in_force(self) -> list[Halt]:
        with self.store.read() as connection:
            return list(halts.all_in_force(connection))

    def buys(self) -> OrderIntent:
        self.bench.clock.seconds += 1
        return self.bench.master_trades(Side.BUY, "0.01")

    def copies(self) -> dict[str, tuple[str, str]]:
        """Plan and carry out; the answers of the newest signal by user."""
        self.bench.plan()
        for user in ("ann", "bob"):
            self.bench.copy(user)
        return {user: (status, reason) for user, status, reason in self.bench.rows()[:2]}


@pytest.fixture
def stopped(store: Store, tmp_path: Path) -> Stopped:
    return Stopped(store, tmp_path)


def test_nothing_is_stopped_until_somebody_stops_it(stopped: Stopped) -> None:
    assert stopped.buys().state is IntentState.FILLED
    assert stopped.copies() == {"ann": ("copied", ""), "bob": ("copied", "")}


def test_a_halt_of_everything_stops_the_next_entry_and_the_veto_says_who_when_and_why(stopped: Stopped) -> None:
    stopped.halt()
    entry = stopped.buys()
    assert entry.state is IntentState.ABANDONED
    assert stopped.bench.brokers[MASTER].received == []
    with stopped.store.read() as connection:
        (row,) = vetoes.vetoes_since(connection, START)
    assert (row.rule, row.client_order_id) == (VetoRule.HALTED, entry.client_order_id)
    assert "set by anna (command): news" in row.detail
    assert "2026-01-01 00:00:00 UTC" in row.detail


def test_an_exit_passes_every_halt(stopped: Stopped) -> None:
    stopped.buys()
    stopped.copies()
    stopped.halt()
    (stopped.directory / KILL_FILE).touch()
    assert stopped.bench.master_trades(Side.SELL, "0.01").state is IntentState.FILLED
    assert stopped.copies() == {"ann": ("copied", ""), "bob": ("copied", "")}
    assert stopped.bench.user("ann").coins == 0


@pytest.mark.parametrize(
    ("scope", "target", "stops_ann", "stops_bob"),
    [
        (HaltScope.ALL, "", True, True),
        (HaltScope.BROKER, "kraken", True, True),
        (HaltScope.BROKER, "coinbase", False, False),
        (HaltScope.ACCOUNT, ANN, True, False),
        (HaltScope.ACCOUNT, "kraken", False, False),
        (HaltScope.SYMBOL, "BTC/USD", True, True),
        (HaltScope.SYMBOL, "ETH/USD", False, False),
    ],
)
def test_a_halt_stops_what_it_names_and_nobody_else(
    stopped: Stopped, scope: HaltScope, target: str, stops_ann: bool, stops_bob: bool
) -> None:
    stopped.buys()
    stopped.halt(scope, target)
    halted, copied = ("skipped", "halted"), ("copied", "")
    assert stopped.copies() == {"ann": halted if stops_ann else copied, "bob": halted if stops_bob else copied}


def test_an_entry_that_is_written_down_already_is_held_back_right_before_the_wire(stopped: Stopped) -> None:
    """O8: pressed while the fan-out is under way."""
    stopped.buys()
    stopped.bench.plan()
    stopped.bench.copy("ann")
    stopped.halt()
    stopped.bench.copy("bob")
    assert len(stopped.bench.user("ann").received) == 1
    assert stopped.bench.user("bob").received == []


def test_a_halt_that_comes_between_the_commit_and_the_wire_is_seen(stopped: Stopped) -> None:
    stopped.buys()
    stopped.bench.plan()
    admitted: list[str] = []

    class Late(KillSwitch):
        def admit(self, connection, intent):  # type: ignore[no-untyped-def]
            admitted.append(intent.account_id)
            return super().admit(connection, intent)

        def still(self, connection, intent):  # type: ignore[no-untyped-def]
            stopped.halt()
            with stopped.store.read() as now:
                return super().still(now, intent)

    stopped.bench.gate = Late(store=stopped.store, clock=stopped.bench.clock, state_dir=stopped.directory)
    stopped.bench.restarted(stopped.bench.followers[0].account)
    stopped.bench.copy("ann")
    assert admitted == [ANN]
    assert stopped.bench.user("ann").received == []
    assert ("ann", "skipped", "halted") in stopped.bench.rows()


def test_an_entry_that_waits_its_turn_at_the_venue_is_held_back_there(stopped: Stopped) -> None:
    """The wait for a lock or a rate limit can be longer than anybody may take to stop."""
    stopped.buys()
    stopped.bench.plan()

    def wait_for_its_turn(request: OrderRequest) -> None:
        stopped.halt()
        request.last_look()

    ann = stopped.bench.user("ann")
    ann.on_place = wait_for_its_turn
    stopped.bench.copy("ann")
    assert ann.received == []
    assert ("ann", "skipped", "halted") in stopped.bench.rows()
    with stopped.store.read() as connection:
        assert [row.account_id for row in vetoes.vetoes_since(connection, START)] == [ANN]


def test_the_same_halt_set_twice_is_one(stopped: Stopped) -> None:
    first, new = stopped.halt()
    again, new_again = stopped.halt(by="bob")
    assert (new, new_again, again.id, again.set_by) == (True, False, first.id, "anna")
    assert stopped.halt(strength=HaltStrength.FLATTEN)[1], "a stronger one is another"


def test_a_halt_outlives_a_restart_and_ends_when_it_is_lifted(stopped: Stopped) -> None:
    """O9: nothing releases it but a person."""
    halt, _ = stopped.halt()
    stopped.restart()
    assert stopped.buys().state is IntentState.ABANDONED
    stopped.lift(halt.id)
    assert stopped.buys().state is IntentState.FILLED


def test_what_came_and_went_is_told_once_and_a_flatten_wakes_the_accounts(
    stopped: Stopped, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stopped.switch.look()
    assert stopped.changes == []
    first, _ = stopped.halt()
    stopped.switch.look()
    stopped.switch.look()
    assert [len(found) for found in stopped.changes] == [1]
    assert stopped.woken == 0
    second, _ = stopped.halt(strength=HaltStrength.FLATTEN)
    stopped.switch.look()
    assert (stopped.woken, len(stopped.changes[-1])) == (1, 2)
    stopped.lift(first.id, second.id)
    stopped.switch.look()
    assert stopped.changes[-1] == []
    levels = [record.levelno for record in caplog.records if record.name == "bot.kill_switch"]
    assert levels == [logging.CRITICAL, logging.CRITICAL, logging.WARNING, logging.WARNING]


# -- the file -----------------------------------------------------------------------------------------------------
def test_a_file_stops_everything_before_anybody_has_looked(stopped: Stopped) -> None:
    (stopped.directory / KILL_FILE).write_text("exchange is down\nsecond line\n")
    entry = stopped.buys()
    assert entry.state is IntentState.ABANDONED
    assert "exchange is down" in entry.reason
    assert "second line" not in entry.reason


def test_a_file_that_is_gone_again_has_still_stopped_everything(stopped: Stopped) -> None:
    file = stopped.directory / KILL_FILE
    file.touch()
    stopped.switch.look()
    file.unlink()
    stopped.restart()
    stopped.switch.look()
    assert stopped.buys().state is IntentState.ABANDONED
    assert [(halt.source, halt.strength) for halt in stopped.in_force()] == [
        (HaltSource.FILE, HaltStrength.ENTRIES_OFF)
    ]


def test_a_file_that_only_an_entry_has_seen_is_latched_too(stopped: Stopped) -> None:
    file = stopped.directory / KILL_FILE
    file.touch()
    stopped.buys()
    file.unlink()
    assert stopped.buys().state is IntentState.ABANDONED
    stopped.switch.look()
    assert len(stopped.in_force()) == 1


def test_a_file_that_stays_is_one_halt(stopped: Stopped) -> None:
    (stopped.directory / KILL_FILE).touch()
    for _ in range(3):
        stopped.switch.look()
    assert len(stopped.in_force()) == 1
    assert len(stopped.changes) == 1


def test_a_file_that_says_flatten_flattens(stopped: Stopped) -> None:
    file = stopped.directory / KILL_FILE
    file.touch()
    stopped.switch.look()
    file.write_text("FLATTEN hacked\n")
    stopped.switch.look()
    assert [(halt.strength, halt.reason) for halt in stopped.in_force()][-1] == (HaltStrength.FLATTEN, "hacked")
    assert stopped.woken == 1


@pytest.mark.parametrize(
    ("content", "reason", "flatten"),
    [
        (b"", "", False),
        (b"flatten", "", True),
        (b"FLATTEN: now\n", "now", True),
        (b"flattened prices\n", "flattened prices", False),
        (b"\x00\xff\x1b[31mred\n", "\N{REPLACEMENT CHARACTER}[31mred", False),
        (b"x" * 5000, "x" * 200, False),
        (b"\nlater", "", False),
    ],
)
def test_a_file_counts_whatever_is_in_it(tmp_path: Path, content: bytes, reason: str, flatten: bool) -> None:
    (tmp_path / KILL_FILE).write_bytes(content)
    file = read_kill_file(tmp_path)
    assert file is not None
    assert (file.reason, file.flatten) == (reason, flatten)


def test_a_directory_or_a_dead_link_of_that_name_counts(tmp_path: Path) -> None:
    assert read_kill_file(tmp_path) is None
    (tmp_path / KILL_FILE).symlink_to(tmp_path / "nowhere")
    assert read_kill_file(tmp_path) is not None
    (tmp_path / KILL_FILE).unlink()
    (tmp_path / KILL_FILE).mkdir()
    assert read_kill_file(tmp_path) is not None


def test_where_nobody_can_look_no_entry_leaves_and_nothing_is_latched(stopped: Stopped) -> None:
    blocked = stopped.directory / "not a directory"
    blocked.touch()
    stopped.directory = blocked
    stopped.restart()
    entry = stopped.buys()
    assert entry.state is IntentState.ABANDONED
    assert "cannot be seen" in entry.reason
    stopped.switch.look()
    assert stopped.in_force() == []


def test_a_file_is_made_and_made_stronger_and_never_weaker(tmp_path: Path) -> None:
    write_kill_file(tmp_path, reason="one", flatten=False)
    write_kill_file(tmp_path, reason="two", flatten=True)
    write_kill_file(tmp_path, reason="three", flatten=False)
    file = read_kill_file(tmp_path)
    assert file is not None
    assert (file.reason, file.flatten) == ("two", True)


# -- a store that does not take it --------------------------------------------------------------------------------
class Full(Store):
    """A store whose disk is full for a while."""

    full = True

    def write(self, work, *, timeout_seconds=10.0):  # type: ignore[no-untyped-def]
        if self.full:
            raise StoreUnavailable("disk full")
        return super().write(work, timeout_seconds=timeout_seconds)


def test_what_cannot_be_written_down_is_held_in_memory_until_it_is(
    stopped: Stopped, caplog: pytest.LogCaptureFixture
) -> None:
    full = Full(stopped.store.url)
    full.start()
    try:
        switch = KillSwitch(store=full, clock=stopped.bench.clock, state_dir=stopped.directory)
        switch.pull(source=HaltSource.SIGNAL, reason="SIGUSR1", by="anna")
        switch.look()
        assert [record.message for record in caplog.records if record.levelno == logging.CRITICAL] == [
            "Everything is stopped, but that cannot be written down yet (tried again): disk full"
        ]
        assert stopped.in_force() == []
        assert "SIGUSR1" in switch.why_stopped(ANN)
        with full.read() as connection:
            assert switch.veto(connection, _entry()) is not None
        full.full = False
        switch.look()
        assert [halt.source for halt in stopped.in_force()] == [HaltSource.SIGNAL]
        with full.read() as connection:
            assert switch.veto(connection, _entry()) is not None
    finally:
        full.close()


def _entry() -> OrderIntent:
    return OrderIntent(
        client_order_id="0" * 32,
        account_id=ANN,
        signal_id=None,
        decision="test",
        symbol="BTC/USD",
        side=Side.BUY,
        kind=OrderKind.ENTRY,
        order_type=OrderType.MARKET,
        quantity=Decimal(1),
        limit_price=None,
        balance_before=None,
        exit_plan=ExitPlan(),
        created_at=START,
    )

"""Several processes plan one signal, each for the accounts it holds: one row per user, whoever holds whom and when."""

import random
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, func, select

from bot.copy_portion import CopyPortion
from bot.copy_trade_engine import CopyTradeEngine
from bot.domain.order import Side
from bot.domain.signal import CopyReason, CopyStatus
from bot.storage import leases, memberships
from bot.storage.schema import copy_result, signal
from bot.storage.signals import signal_of
from bot.storage.store import Store
from tests.unit.copy_bench import Bench

ON_BOTH_DATABASES = True
USERS = {"ann": "1000", "bob": "1000", "cyn": "1000"}


class Shared:
    """A bench whose users are held by the processes `p1` and `p2`, each with an engine of its own."""

    def __init__(self, store: Store, *, strangers: frozenset[str] = frozenset()) -> None:
        self.bench = Bench(store, USERS)
        self.not_tried: set[str] = set()
        self.engines = {name: self._engine(name, strangers) for name in ("p1", "p2")}
        self.bench.engine = self.engines["p1"]

    def _engine(self, name: str, strangers: frozenset[str]) -> CopyTradeEngine:
        portion = CopyPortion(
            process_id=name, strangers=strangers, had_its_chance=lambda label: label not in self.not_tried
        )
        return self.bench.make_engine(portion=portion)

    def give(self, user: str, owner: str) -> None:
        now = self.bench.clock.now()
        self.bench.store.write(lambda connection: leases.take_lease(connection, f"{user}_kraken", owner=owner, now=now))

    def rows(self) -> dict[str, int]:
        """How many answers each user has."""
        query = select(copy_result.c.account_id, func.count()).group_by(copy_result.c.account_id)
        with self.bench.store.read() as connection:
            return {label.partition("_")[0]: int(number) for label, number in connection.execute(query)}

    def open_signals(self) -> int:
        with self.bench.store.read() as connection:
            return int(
                connection.execute(
                    select(func.count(signal.c.signal_id)).where(signal.c.planned_at.is_(None))
                ).scalar_one()
            )


@pytest.fixture
def shared(store: Store) -> Shared:
    shared = Shared(store)
    for user, owner in {"ann": "p1", "bob": "p2", "cyn": "p2"}.items():
        shared.give(user, owner)
    return shared


def test_each_process_plans_for_its_own_and_the_last_one_marks_the_signal(shared: Shared) -> None:
    shared.bench.master_trades(Side.BUY, "0.01")
    assert (shared.rows(), shared.open_signals()) == ({"ann": 1}, 1)
    shared.engines["p1"].step()
    assert (shared.rows(), shared.open_signals()) == ({"ann": 1}, 1)
    assert shared.engines["p2"].step() == 1
    assert (shared.rows(), shared.open_signals()) == ({"ann": 1, "bob": 1, "cyn": 1}, 0)
    # Each tells its own users once.
    assert [shared.engines[name].step() for name in ("p1", "p2")] == [0, 0]


def test_who_is_held_by_nobody_waits_and_is_planned_for_by_whoever_takes_the_account(shared: Shared) -> None:
    shared.give("bob", leases.NOBODY)
    shared.bench.master_trades(Side.BUY, "0.01")
    shared.engines["p2"].step()
    assert (shared.rows(), shared.open_signals()) == ({"ann": 1, "cyn": 1}, 1)
    shared.give("bob", "p1")
    shared.engines["p1"].step()
    assert (shared.rows(), shared.open_signals()) == ({"ann": 1, "bob": 1, "cyn": 1}, 0)


def test_a_later_signal_is_not_planned_before_an_earlier_one_for_the_same_user(shared: Shared) -> None:
    shared.not_tried.add("ann_kraken")
    shared.bench.master_trades(Side.BUY, "0.01")
    assert shared.rows() == {}
    shared.not_tried.clear()
    # Its fills make the exit's signal while the entry still waits: planned now, the exit would find nothing to sell.
    shared.bench.clock.seconds += 1
    shared.bench.master_trades(Side.SELL, "0.01")
    assert shared.rows() == {}
    shared.engines["p1"].step()
    assert shared.rows() == {"ann": 2}
    with shared.bench.store.read() as connection:
        answers = connection.execute(
            select(copy_result.c.status, copy_result.c.reason)
            .join(signal, signal.c.signal_id == copy_result.c.signal_id)
            .where(copy_result.c.account_id == "ann_kraken")
            .order_by(signal.c.sequence)
        ).all()
    assert [tuple(row) for row in answers] == [("planned", ""), ("planned", "")]


def test_a_member_whom_no_settings_name_is_answered_for_by_any_process(store: Store) -> None:
    shared = Shared(store, strangers=frozenset({"cyn_kraken"}))
    shared.give("ann", "p1")
    shared.give("bob", "p1")
    shared.bench.followers.pop()
    shared.bench.master_trades(Side.BUY, "0.01")
    assert (shared.rows(), shared.open_signals()) == ({"ann": 1, "bob": 1, "cyn": 1}, 0)
    assert ("cyn", str(CopyStatus.SKIPPED), str(CopyReason.USER_LEFT)) in shared.bench.rows()


def test_a_signal_without_users_is_marked_too(store: Store) -> None:
    shared = Shared(store)
    store.write(lambda connection: memberships.set_active(connection, {}))
    shared.bench.master_trades(Side.BUY, "0.01")
    assert shared.open_signals() == 0


def test_however_accounts_move_every_user_gets_one_answer_to_every_signal(fresh_store: Callable[[], Store]) -> None:
    for seed in range(12):
        chance = random.Random(seed)
        shared = Shared(fresh_store())
        signals, held = 0, False
        for _ in range(25):
            move = chance.choice(["give", "give", "trade", "step", "step", "chance", "lost"])
            if move == "give":
                shared.give(chance.choice(list(USERS)), chance.choice(["p1", "p2", leases.NOBODY]))
            elif move == "trade":
                shared.bench.clock.seconds += 1
                shared.bench.master_trades(Side.SELL if held else Side.BUY, "0.01")
                signals, held = signals + 1, not held
            elif move == "chance":
                shared.not_tried = set(chance.sample([f"{user}_kraken" for user in USERS], k=chance.randint(0, 2)))
            elif move == "lost":
                _plan_and_roll_back(shared, chance.choice(["p1", "p2"]))
            else:
                shared.engines[chance.choice(["p1", "p2"])].step()
        shared.not_tried.clear()
        for user in USERS:
            shared.give(user, chance.choice(["p1", "p2"]))
        for engine in shared.engines.values():
            engine.step()
        expected = dict.fromkeys(USERS, signals) if signals else {}
        assert (shared.rows(), shared.open_signals()) == (expected, 0), f"seed {seed}"


def _plan_and_roll_back(shared: Shared, name: str) -> None:
    """As when the commit fails: nothing of the plan is there, and memory must not take it for made."""

    class Lost(Exception):
        pass

    def work(connection: Connection) -> None:
        query = select(signal).where(signal.c.planned_at.is_(None)).order_by(signal.c.sequence)
        for row in connection.execute(query).all():
            shared.engines[name].plan_in(connection, signal_of(row))
        raise Lost

    with pytest.raises(Lost):
        shared.bench.store.write(work)

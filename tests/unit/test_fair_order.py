"""Users are served in another order at each signal, and the order is written down: in the batch, and in the notes."""

from decimal import Decimal

from sqlalchemy import select

from bot.domain.order import Side
from bot.storage.rotation import rotation_seed
from bot.storage.schema import copy_result, order_intent, signal
from bot.storage.store import Store
from tests.unit.copy_bench import Bench
from tests.unit.lane_bench import LaneBench

ON_BOTH_DATABASES = True
USERS = ("ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal")


def _rotating(bench: Bench) -> None:
    bench.rotation_seed = "a seed"
    bench.engine = bench.make_engine(bench.engine._lane)


def _ranked(bench: Bench) -> list[list[str]]:
    """For each signal its users, the first first."""
    with bench.store.read() as connection:
        query = select(copy_result.c.signal_id, copy_result.c.account_id).join(signal)
        rows = connection.execute(query.order_by(signal.c.sequence, copy_result.c.rank)).all()
    by_signal: dict[str, list[str]] = {}
    for signal_id, label in rows:
        by_signal.setdefault(signal_id, []).append(label)
    return list(by_signal.values())


def test_the_batch_leaves_in_the_order_that_is_written_down(store: Store) -> None:
    bench = LaneBench(store, dict.fromkeys(USERS, "1000"))
    _rotating(bench)
    written: list[str] = []
    for account, lane in bench.sockets.items():
        if account.is_master:
            continue
        place = lane.broker.place_order
        lane.broker.place_order = lambda request, place=place, label=account.label: (  # type: ignore[method-assign,misc]
            written.append(label),
            place(request),
        )[1]
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    assert written == _ranked(bench)[0]
    assert sorted(written) == [f"{name}_kraken" for name in USERS] != written
    with store.read() as connection:
        query = select(order_intent.c.account_id).where(order_intent.c.signal_id.is_not(None))
        assert list(connection.execute(query.order_by(order_intent.c.sequence)).scalars()) == written


def test_notes_are_dropped_in_the_order_that_is_written_down_and_exits_have_one_of_their_own(store: Store) -> None:
    bench = Bench(store, dict.fromkeys(USERS, "1000"))
    _rotating(bench)
    woken = []
    for side in (Side.BUY, Side.SELL):
        bench.master_trades(side, "0.01")
        bench.plan()
        woken.append([account.label for account in bench.woken])
        bench.woken.clear()
        for name in USERS:
            bench.copy(name)
    assert woken == _ranked(bench)
    assert woken[0] != woken[1]


def test_a_user_who_is_skipped_has_a_rank_all_the_same(store: Store) -> None:
    bench = Bench(store, {"ann": "1000", "bob": "0", "cyd": "1000"})
    _rotating(bench)
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    with store.read() as connection:
        ranks = connection.execute(select(copy_result.c.rank)).scalars()
        assert sorted(rank for rank in ranks if rank is not None) == [0, 1, 2]


def test_the_seed_is_made_once(store: Store) -> None:
    first = store.write(lambda connection: rotation_seed(connection, fresh="one"))
    second = store.write(lambda connection: rotation_seed(connection, fresh="two"))
    assert (first, second) == ("one", "one")


def test_what_is_planned_again_keeps_its_order(store: Store) -> None:
    """The first plan is rolled back, and another process makes it anew."""
    bench = Bench(store, dict.fromkeys(USERS, "1000"))
    _rotating(bench)
    bench.master_trades(Side.BUY, "0.01")
    first = _ranked(bench)
    assert Decimal(len(first[0])) == len(USERS)
    store.write(_unplan)
    _rotating(bench)
    bench.plan()
    assert _ranked(bench) == first


def _unplan(connection: object) -> None:
    connection.execute(copy_result.delete())  # type: ignore[attr-defined]
    connection.execute(order_intent.delete().where(order_intent.c.signal_id.is_not(None)))  # type: ignore[attr-defined]
    connection.execute(signal.update().values(planned_at=None))  # type: ignore[attr-defined]

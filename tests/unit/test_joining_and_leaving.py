"""Who is owed which signals, and what becomes of copied positions when a user joins, leaves or disappears."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import OutcomeUnknown, RetryLater
from bot.domain.leaving import WhenDisabled
from bot.domain.order import Side
from bot.position_sizer import CopyRules
from bot.roster import Roster
from bot.settings.users import UserSettings
from bot.storage import memberships, positions
from bot.storage.duties import duties_of, orphans
from bot.storage.schema import signal
from bot.storage.store import Store
from tests.unit.copy_bench import Bench

KRAKEN = BrokerType.KRAKEN
ANN, BEN = AccountRef.user(KRAKEN, "ann"), AccountRef.user(KRAKEN, "ben")
LEAVING = list(WhenDisabled)


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, {"ann": "1000", "ben": "1000"})


def user(name: str, **more: Any) -> UserSettings:
    return UserSettings(user_id=name, name=name, account_type="retail", broker=KRAKEN, **more)


def restarted(bench: Bench, *users: UserSettings) -> Roster:
    """As a start with these user files does."""
    roster = Roster(bench.store, users)
    roster.enter()
    bench.followers = list(roster.followers)
    return roster


def buys(bench: Bench, quantity: str = "0.01", *, copiers: Sequence[str] = ("ann", "ben")) -> None:
    bench.master_trades(Side.BUY, quantity)
    bench.plan()
    for name in copiers:
        bench.copy(name)


def held(bench: Bench, account: AccountRef) -> Decimal:
    with bench.store.read() as connection:
        position = positions.find_position(connection, account.label, "BTC/USD")
    return Decimal(0) if position is None else position.quantity


def answer_of(bench: Bench, name: str) -> tuple[str, str] | None:
    """The user's newest answer, or None when it was owed none for the newest signal."""
    with bench.store.read() as connection:
        newest = connection.execute(select(signal.c.signal_id).order_by(signal.c.sequence.desc())).scalars().first()
        if f"{name}_kraken" not in memberships.members_of(connection, newest or ""):
            return None
    return next((status, reason) for user, status, reason in bench.rows() if user == name)


def owed(bench: Bench) -> set[tuple[int, str]]:
    with bench.store.read() as connection:
        return {(row.sequence, row.user_account_id) for row in memberships.owed(connection)}


def copied_pairs(bench: Bench) -> set[tuple[int, str]]:
    query = "SELECT s.sequence, c.account_id FROM copy_result c JOIN signal s ON s.signal_id = c.signal_id"
    with bench.store.read() as connection:
        return {(row.sequence, row.account_id) for row in connection.exec_driver_sql(query)}


# -- joining ----------------------------------------------------------------------------------------------------------
def test_who_joins_buys_nothing_that_the_master_holds_and_does_not_sell_it_either(bench: Bench) -> None:
    restarted(bench, user("ann"))
    buys(bench, copiers=["ann"])
    restarted(bench, user("ann"), user("ben"))
    bench.plan()
    assert bench.copy("ben") is None
    assert answer_of(bench, "ben") is None
    bench.master_trades(Side.SELL, "0.005")
    bench.plan()
    assert answer_of(bench, "ben") == ("skipped", "nothing_held")
    buys(bench)
    assert answer_of(bench, "ben") == ("copied", "")
    assert len(bench.user("ben").received) == 1
    assert copied_pairs(bench) == owed(bench)


def test_a_signal_made_before_a_user_joins_is_not_its_own_even_if_it_is_planned_afterwards(bench: Bench) -> None:
    restarted(bench, user("ann"))
    bench.engine.plan_in = lambda connection, signal: None  # type: ignore[method-assign]
    bench.master_trades(Side.BUY, "0.01")
    restarted(bench, user("ann"), user("ben"))
    bench.plan()
    assert copied_pairs(bench) == owed(bench) == {(1, "ann_kraken")}


def test_a_ratio_changed_mid_position_is_for_new_entries_and_exits_sell_lots(bench: Bench) -> None:
    buys(bench)
    before = held(bench, ANN)
    rules = CopyRules(risk_multiplier=Decimal(2))
    bench.followers = [replace(each, rules=rules) for each in bench.followers]
    bench.master_trades(Side.SELL, "0.005")
    bench.plan()
    bench.copy("ann")
    assert held(bench, ANN) == before / 2
    buys(bench, "0.001")
    assert bench.user("ann").received[-1].quantity > before / 10


# -- leaving ----------------------------------------------------------------------------------------------------------
def test_who_leaves_close_only_is_owed_exits_alone_and_sells_with_the_master(bench: Bench) -> None:
    buys(bench)
    roster = restarted(bench, user("ann", enabled=False), user("ben"))
    assert roster.leaving(ANN) is WhenDisabled.CLOSE_ONLY and roster.leaving(BEN) is None
    buys(bench)
    assert answer_of(bench, "ann") is None
    bench.master_trades(Side.SELL, "0.02")
    bench.plan()
    assert ANN in bench.woken
    bench.copy("ann")
    assert held(bench, ANN) == 0
    assert answer_of(bench, "ann") == ("copied", "")
    assert not roster.has_duties(ANN)
    assert copied_pairs(bench) == owed(bench)


def test_nothing_is_owed_any_more_to_one_who_left_and_is_done(bench: Bench) -> None:
    buys(bench)
    roster = restarted(bench, user("ann", enabled=False), user("ben"))
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    bench.copy("ann")
    assert roster.see_off(ANN) == "switched off; nothing copied is held any more"
    bench.copy("ben")
    buys(bench, copiers=["ben"])
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    assert answer_of(bench, "ann") is None
    assert copied_pairs(bench) == owed(bench)
    assert restarted(bench, user("ann", enabled=False), user("ben")).leaving(ANN) is None


@pytest.mark.parametrize("wish", [WhenDisabled.KEEP, WhenDisabled.CLOSE_NOW])
def test_who_keeps_or_is_closed_out_mirrors_no_exit(bench: Bench, wish: WhenDisabled) -> None:
    buys(bench)
    restarted(bench, user("ann", enabled=False, when_disabled=wish), user("ben"))
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    assert answer_of(bench, "ann") is None
    assert copied_pairs(bench) == owed(bench)


def test_who_keeps_needs_no_connection_and_who_is_closed_out_does(bench: Bench) -> None:
    buys(bench)
    keeping = user("ann", enabled=False, when_disabled="keep")
    leaving = user("ben", enabled=False, when_disabled="close_now")
    assert [each.account for each in restarted(bench, keeping, leaving).followers] == [BEN]


@pytest.mark.parametrize("wish", LEAVING)
def test_an_entry_that_was_planned_and_not_sent_is_never_sent_for_one_who_left(
    bench: Bench, wish: WhenDisabled
) -> None:
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    roster = restarted(bench, user("ann", enabled=False, when_disabled=wish), user("ben"))
    assert roster.has_duties(ANN)
    bench.copier("ann", leaving=wish).run()
    assert answer_of(bench, "ann") == ("skipped", "user_left")
    assert bench.user("ann").received == []
    assert not roster.has_duties(ANN)


@pytest.mark.parametrize("wish", LEAVING)
def test_an_order_without_an_outcome_is_followed_to_its_end_for_one_who_left(bench: Bench, wish: WhenDisabled) -> None:
    bench.user("ann").script = [(OutcomeUnknown("timed out"), True)]
    buys(bench)
    roster = restarted(bench, user("ann", enabled=False, when_disabled=wish), user("ben"))
    assert ANN in [each.account for each in roster.followers]
    bench.clock.seconds += 60
    bench.copier("ann", leaving=wish).run()
    assert answer_of(bench, "ann") == ("copied", "")
    assert held(bench, ANN) > 0
    assert roster.has_duties(ANN) is (wish is not WhenDisabled.KEEP)


def test_an_exit_owed_before_a_user_left_is_paid_unless_it_keeps_the_coins(bench: Bench) -> None:
    buys(bench)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    restarted(
        bench, user("ann", enabled=False, when_disabled="keep"), user("ben", enabled=False, when_disabled="close_only")
    )
    bench.copier("ann", leaving=WhenDisabled.KEEP).run()
    bench.copier("ben", leaving=WhenDisabled.CLOSE_ONLY).run()
    assert (answer_of(bench, "ann"), answer_of(bench, "ben")) == (("skipped", "user_left"), ("copied", ""))
    assert held(bench, ANN) > 0
    assert held(bench, BEN) == 0


def test_an_exit_debt_of_one_who_left_keeps_its_connection_until_it_is_paid(bench: Bench) -> None:
    buys(bench)
    roster = restarted(bench, user("ann", enabled=False), user("ben"))
    bench.user("ann").script = [RetryLater("busy")]
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    copier = bench.copier("ann", leaving=WhenDisabled.CLOSE_ONLY)
    copier.run()
    assert roster.has_duties(ANN)
    bench.clock.seconds += 120
    copier.run()
    assert held(bench, ANN) == 0
    assert not roster.has_duties(ANN)


def test_who_is_switched_on_again_is_a_member_from_then_on(bench: Bench) -> None:
    buys(bench)
    restarted(bench, user("ann", enabled=False, when_disabled="keep"), user("ben"))
    buys(bench, copiers=["ben"])
    restarted(bench, user("ann"), user("ben"))
    buys(bench)
    assert answer_of(bench, "ann") == ("copied", "")
    assert {sequence for sequence, label in owed(bench) if label == "ann_kraken"} == {1, 3}
    assert copied_pairs(bench) == owed(bench)


def test_a_start_with_the_same_files_changes_no_membership(bench: Bench) -> None:
    buys(bench)
    files = [user("ann", enabled=False), user("ben")]
    restarted(bench, *files)
    with bench.store.read() as connection:
        before = connection.exec_driver_sql("SELECT * FROM membership ORDER BY id").all()
    restarted(bench, *files)
    with bench.store.read() as connection:
        assert connection.exec_driver_sql("SELECT * FROM membership ORDER BY id").all() == before


# -- disappearing -----------------------------------------------------------------------------------------------------
def test_a_user_whom_no_file_names_is_called_an_orphan_and_the_masters_exits_stay_owed(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    buys(bench)
    roster = restarted(bench, user("ben"))
    assert "ORPHANED_POSITION ann_kraken" in caplog.text and "BTC/USD" in caplog.text
    assert [each.account for each in roster.followers] == [BEN]
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    assert answer_of(bench, "ann") == ("planned", "")
    restarted(bench, user("ann", enabled=False), user("ben"))
    bench.copy("ann")
    assert held(bench, ANN) == 0
    assert copied_pairs(bench) == owed(bench)


def test_an_orphan_without_anything_is_passed_over_in_silence(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    buys(bench)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    bench.copy("ann")
    restarted(bench, user("ben"))
    assert "ORPHANED" not in caplog.text
    buys(bench, copiers=["ben"])
    assert answer_of(bench, "ann") is None


def test_what_an_account_has_to_do_is_said_in_words(bench: Bench) -> None:
    buys(bench, copiers=["ann"])
    with bench.store.read() as connection:
        assert str(duties_of(connection, "kraken")) == "0.01 BTC/USD"
        assert set(orphans(connection, {ANN})) == {BEN}
        assert str(orphans(connection, {ANN})[BEN]) == "1 copy without an answer, 1 order without an end"
        assert str(duties_of(connection, "nobody")) == "nothing"

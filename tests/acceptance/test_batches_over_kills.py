"""The running program is killed while its users' entries leave in one batch; the exchange's journal judges."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.hand_traded import HandTraded
from tests.bot_process import OVER_WEBSOCKET, BotProcess, wait_until

LONG = 90.0
USERS = ("ann", "bob", "cleo")
SYMBOL = "ETH/USD"
COPIED, ABSENT = ("copied", ""), ("failed", "proven_absent")
UNREADY = {("skipped", "balance_unknown"), ("skipped", "account_not_ready")}
# Where it dies, and what may have become of each user's copy in the end.
KILL_POINTS = {
    # Rolled back with its plan, which is made anew as soon as the master has started: not everybody else has by then.
    "lane_boarded": {COPIED, *UNREADY},
    "lane_departing": {ABSENT},  # marked as being sent, and nothing has left
    "lane_handed_over": {COPIED, ABSENT},
}


def _started(there: HandTraded, **environ: str) -> BotProcess:
    bot = there.start(**OVER_WEBSOCKET, **environ)
    for account in ("kraken", *(f"{name}_kraken" for name in USERS)):
        bot.says(f"{account}: orders over WebSocket", seconds=LONG)
    return bot


def _answers(bot: BotProcess) -> dict[str, tuple[str, str]]:
    """Of the only signal, once everybody has one."""

    def all_of_them() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [user for signal in bot.copies() for user in signal["users"]]
        done = len(found) == len(USERS) and all(user["status"] != "planned" for user in found)
        return found if done else []

    users = wait_until(all_of_them, seconds=LONG, what="everybody has an answer")
    return {user["user_id"]: (user["status"], user["reason"]) for user in users}


def test_entries_of_all_users_leave_in_one_batch(tmp_path: Path) -> None:
    with HandTraded(tmp_path, **{name: {} for name in USERS}) as there, _started(there) as bot:
        there.master.trades("buy", "2", SYMBOL)
        assert set(_answers(bot).values()) == {COPIED}
        bot.says(f"{len(USERS)} orders of signal")
        for name in USERS:
            assert [line["endpoint"] for line in there.orders(name)] == ["ws/add_order"]
        assert bot.stop() == 0


@pytest.mark.parametrize("place", KILL_POINTS)
def test_a_bot_killed_while_a_batch_leaves_sends_no_order_twice_and_knows_what_became_of_each(
    tmp_path: Path, place: str
) -> None:
    with HandTraded(tmp_path, **{name: {} for name in USERS}) as there:
        with _started(there, NIJA_FAILPOINTS=f"{place}:kill") as bot:
            there.master.trades("buy", "2", SYMBOL)
            wait_until(lambda: bot.process.poll() is not None, seconds=LONG, what=f"it dies at {place}")
            assert bot.process.returncode == -9, bot.log()[-3000:]
        with _started(there) as bot:
            answers = _answers(bot)
            assert bot.stop() == 0
        assert set(answers.values()) <= KILL_POINTS[place], answers
        for name, answer in answers.items():
            assert len(there.orders(name, side="buy")) == (answer == COPIED), (name, answer)
            assert (there.held(name, SYMBOL) > Decimal(0)) == (answer == COPIED)

"""The running program with its orders and fills on WebSockets, killed in between; the exchange's journal judges."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.acceptance.hand_traded import HandTraded
from tests.acceptance.one_brokerage import OneBrokerage
from tests.bot_process import OVER_WEBSOCKET, BotProcess, wait_until

LONG = 90.0
USERS = ("ann", "bob")
SYMBOL = "ETH/USD"


def started(there: HandTraded) -> BotProcess:
    bot = there.start(**OVER_WEBSOCKET)
    for account in ("kraken", *(f"{name}_kraken" for name in USERS)):
        bot.says(f"{account}: orders over WebSocket", seconds=LONG)
    return bot


def applied(there: HandTraded) -> bool:
    return any(fault["applied"] for fault in there.exchange.faults())


def answered(bot: BotProcess, signals: int) -> list[dict[str, Any]]:
    """All signals, as soon as there are so many and every user has answered every one."""

    def all_of_them() -> list[dict[str, Any]]:
        found = bot.copies()
        done = all(user["status"] != "planned" for signal in found for user in signal["users"])
        return found if done and len(found) >= signals else []

    found: list[dict[str, Any]] = wait_until(all_of_them, seconds=LONG, what=f"{signals} answered signals")
    return found


def answer_of(signal: dict[str, Any], name: str) -> tuple[str, str]:
    (answer,) = [user for user in signal["users"] if user["user_id"] == name]
    return answer["status"], answer["reason"]


def test_every_fill_makes_one_signal_and_one_order_a_user_over_sockets_that_break_and_a_bot_that_is_killed(
    tmp_path: Path,
) -> None:
    with HandTraded(tmp_path, ann={}, bob={}) as there:
        # What was traded before the bot ever ran is nobody's signal, though the first snapshot tells of it.
        there.master.trades("buy", "1", SYMBOL)
        with started(there) as bot:
            there.master.trades("buy", "4", SYMBOL)
            for name in USERS:
                wait_until(lambda name=name: there.held(name, SYMBOL) > 0, seconds=LONG, what=f"{name} copies")
                assert [line["endpoint"] for line in there.orders(name)] == ["ws/add_order"]
            # The bot is killed while one answer is outstanding, and the master goes on without it.
            there.exchange.fault({"kind": "drop_response"}, account="ann", endpoint="ws/add_order")
            there.master.trades("buy", "2", SYMBOL)
            wait_until(lambda: applied(there), seconds=LONG, what="the exchange has taken ann's order")
            bot.process.kill()
            bot.process.wait(10)
        there.master.trades("buy", "1", SYMBOL)
        with started(there) as bot:
            signals = answered(bot, 3)
            there.exchange.fault({"kind": "close", "code": 1001}, account="master", endpoint="ws/executions")
            there.master.trades("sell", "7", SYMBOL)
            for name in USERS:
                there.comes_to(name, SYMBOL, "0")
            signals = answered(bot, 4)
            assert bot.stop() == 0
        assert [Decimal(signal["quantity"]) for signal in signals] == [4, 2, 1, 7]
        for name in USERS:
            answers = [answer_of(signal, name) for signal in signals[:3]]
            assert answers[0] == answers[1] == ("copied", ""), answers
            assert len(there.orders(name, side="buy")) == [status for status, _ in answers].count("copied"), answers


def test_wherever_the_program_dies_on_the_way_of_a_batch_books_and_journal_agree(tmp_path: Path) -> None:
    """Masters and users trade over sockets; each bot is killed a step further than the one before."""
    with OneBrokerage(tmp_path, USERS) as there:
        for failpoint in ("lane_boarded", "lane_departing", "lane_handed_over", "ack_received", "fills_booked"):
            with there.start(NIJA_FAILPOINTS=f"{failpoint}:kill", **OVER_WEBSOCKET) as bot:
                wait_until(lambda bot=bot: bot.process.poll() is not None, seconds=LONG, what=f"death at {failpoint}")
                assert bot.process.returncode == -9, bot.log()[-3000:]
        assert there.accepted(endpoint="ws/add_order")
        assert there.settle() == []

"""The whole bot with its private streams: what the master trades is copied at once, and once.

The cycles are far apart: what happens in these tests happens because a stream told it.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.bot_process import OVER_WEBSOCKET, wait_until
from tests.integration.composed_bot import CONFIGURATION, MASTER, ComposedBot, user

USERS = ("ann", "ben")
RARELY = CONFIGURATION.replace("cycle_seconds: 1}", "cycle_seconds: 600, reconcile_seconds: 600}").replace(
    "parked_key_seconds: 0.5", "parked_key_seconds: 0.5\n  websocket_silence_seconds: 2"
)


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[ComposedBot]:
    with ComposedBot(tmp_path, USERS, configuration=RARELY, wire=OVER_WEBSOCKET) as made:
        wait_until(lambda: all(live(made, name) for name in ("master", *USERS)), seconds=60, what="streams are live")
        yield made


def live(bot: ComposedBot, name: str) -> bool:
    account = MASTER if name == "master" else user(name)
    return "orders over WebSocket" in bot.parts.statuses[account]._proofs.get("orders", "")


def copied(bot: ComposedBot, *signals: str) -> None:
    """Wait until the users hold what the master does, in proportion; every signal is copied once by each."""
    wait_until(
        lambda: len(bot.rows("SELECT * FROM copy_result WHERE status = 'copied'")) == len(USERS) * len(signals),
        seconds=60,
        what=f"{len(signals)} signals are copied, not {bot.rows('SELECT status, reason, detail FROM copy_result')}",
    )
    assert len(bot.rows("SELECT * FROM signal")) == len(signals)
    for name in USERS:
        accepted = bot.exchange.journal(type="accept", account=name)
        assert len(accepted) == len(signals)


def test_a_trade_by_the_masters_hand_is_copied_without_waiting_for_a_cycle(bot: ComposedBot) -> None:
    bot.hand.trades("buy", "0.1", "XBTUSD")
    copied(bot, "buy")
    bot.hand.trades("sell", "0.04", "XBTUSD")
    copied(bot, "buy", "sell")
    assert bot.booked(MASTER) == Decimal("0.06") == bot.held("master")
    for name in USERS:
        assert bot.booked(user(name)) == bot.held(name) > 0

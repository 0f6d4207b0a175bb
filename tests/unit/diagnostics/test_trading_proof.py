""" "Trading" is said only of an account that proves it."""

from datetime import timedelta
from typing import Any

import pytest

from bot.diagnostics import active_trading, broker_status
from tests.stored_bot import DAIVON, KRAKEN, StoredBot, now
from tests.unit.diagnostics.conftest import Ask


def lines_of(ask: Ask) -> list[str]:
    return ask(active_trading.main).text.splitlines()[1:]


def test_trading_is_said_with_its_proof(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.accounts()
    assert lines_of(ask) == [
        "MASTER ACCOUNT: TRADING (Broker: COINBASE): last order 50 s ago, last fill 50 s ago, last cycle 0 s ago",
        "MASTER ACCOUNT: TRADING (Broker: KRAKEN): last order 50 s ago, last fill 50 s ago, last cycle 0 s ago",
        "USER: Daivon Frazier: TRADING (Broker: KRAKEN): last order 50 s ago, last fill 50 s ago, last cycle 0 s ago",
    ]


def test_an_account_that_never_ordered_says_none_yet(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, last_order_at=None, last_fill_at=None)
    assert "TRADING (Broker: KRAKEN): last order none yet, last fill none yet, last cycle" in lines_of(ask)[0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"armed_at": None, "waiting_for": "not funded: 3.00 is below 10 USD"}, "not funded: 3.00 is below 10 USD"),
        ({"armed_at": None, "health": "failed", "health_reason": "key rejected"}, "key rejected"),
        ({"armed_at": None}, "not armed yet"),
        ({"health": "starting", "health_reason": "connected"}, "starting: connected"),
        ({"health": "degraded", "health_reason": "[Errno 111] refused"}, "degraded: [Errno 111] refused"),
        ({"health": "failed"}, "failed"),
        ({"last_cycle_at": None}, "no cycle has ended yet"),
        ({"last_cycle_at": now() - timedelta(seconds=600)}, "its last cycle ended 1"),
        ({"last_cycle_at": now() + timedelta(seconds=3600)}, "its last cycle ended"),
    ],
)
def test_without_proof_it_is_not_trading_and_says_why(
    ask: Ask, bot: StoredBot, changes: dict[str, Any], why: str
) -> None:
    bot.runs()
    bot.account(KRAKEN, **changes)
    assert lines_of(ask)[0].startswith(f"MASTER ACCOUNT: NOT TRADING (Broker: KRAKEN): {why}")
    account = ask(broker_status.main, "--json").json["accounts"][0]
    assert (account["trading"], account["why_not_trading"].startswith(why)) == (False, True)


def test_an_account_that_is_only_configured_never_trades(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    later = dict.fromkeys(("authenticated_at", "permitted_at", "funded_at", "armed_at", "last_cycle_at"))
    bot.account(DAIVON, name="Daivon Frazier", health="starting", health_reason="not connected yet", **later)
    answer = ask(active_trading.main)
    assert "USER: Daivon Frazier: NOT TRADING (Broker: KRAKEN): not connected yet" in answer.text
    assert ": TRADING" not in answer.text

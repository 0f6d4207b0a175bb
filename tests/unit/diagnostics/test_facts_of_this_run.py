"""What an earlier run proved is not shown as proof of this one."""

from collections.abc import Mapping
from typing import Any

from bot.diagnostics import active_trading, broker_status
from bot.domain.health import HealthState
from bot.execution.account_status import AccountStatus
from bot.seams.clock import SystemClock
from tests.stored_bot import KRAKEN, StoredBot
from tests.unit.diagnostics.conftest import Ask


def test_after_a_restart_an_account_is_not_armed_until_this_run_has_armed_it(ask: Ask, bot: StoredBot) -> None:
    bot.account(KRAKEN)
    bot.runs()
    status = AccountStatus(store=bot.store, clock=SystemClock(), account=KRAKEN, mode="paper")
    status.publish()
    facts: Mapping[str, Any] = ask(broker_status.main, "--json").json["accounts"][0]["facts"]
    assert [facts[name] for name in ("authenticated", "permitted", "funded", "armed")] == [None] * 4
    assert "NOT TRADING (Broker: KRAKEN): not connected yet" in ask(active_trading.main).text
    for name in ("configured", "authenticated", "permitted", "funded", "armed"):
        status.fact(name, true=True)
    status.cycle_done()
    status.set_health(HealthState.HEALTHY)
    status.publish()
    assert "MASTER ACCOUNT: TRADING (Broker: KRAKEN)" in ask(active_trading.main).text


def test_the_last_order_of_an_earlier_run_is_still_the_last_order(ask: Ask, bot: StoredBot) -> None:
    bot.account(KRAKEN)
    bot.runs()
    AccountStatus(store=bot.store, clock=SystemClock(), account=KRAKEN, mode="paper").publish()
    assert ask(broker_status.main, "--json").json["accounts"][0]["last_order_at"] is not None

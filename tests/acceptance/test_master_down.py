"""A master that cannot trade: its users go on with their own exits and say what they wait for; nobody else notices."""

from pathlib import Path
from typing import Any

from tests.acceptance.hand_traded import HandTraded
from tests.bot_process import BotProcess, wait_until

WAITING = "waiting for master since "
TOO = {"NIJA__MASTERS__COINBASE__ENABLED": "true", "NIJA__BALANCE__CACHE_SECONDS": "0.2"}


def break_master(there: HandTraded, action: Any) -> None:
    there.exchange.fault(action, times=None, brokerage="kraken", account="master")


def says_it_waits(bot: BotProcess) -> None:
    wait_until(
        lambda: bot.accounts()["ann_kraken"]["waiting_for"].startswith(WAITING),
        seconds=90,
        what="ann's status says that she waits for her master",
    )


def stops_out(there: HandTraded) -> None:
    """Ann's own stop, which her master cannot have any more."""
    there.exchange.set_price("ETH/USD", "500")
    there.comes_to("ann", "ETH/USD", "0")
    assert there.held("master", "ETH/USD") == 4


def test_users_of_a_master_whose_key_is_revoked_sell_at_their_own_stops_and_say_that_they_wait(tmp_path: Path) -> None:
    with HandTraded(tmp_path, ann={}) as there, there.start(**TOO) as bot:
        there.master.trades("buy", "4", "ETH/USD")
        there.comes_to("ann", "ETH/USD", "2")
        bot.says("coinbase health: healthy", seconds=60)
        break_master(there, {"kind": "api_error", "text": "EAPI:Invalid key"})
        bot.says("kraken health: failed (Kraken refuses the API key since", seconds=60)
        says_it_waits(bot)
        stops_out(there)
        accounts = bot.accounts()
        assert accounts["kraken"]["phase"] == "failed_credentials"
        assert accounts["ann_kraken"]["health"] == "healthy"
        assert "kraken is failed_credentials: Kraken refuses the API key" in accounts["ann_kraken"]["waiting_for"]
        assert (accounts["coinbase"]["health"], accounts["coinbase"]["waiting_for"]) == ("healthy", "")
        shown = bot.command("check_broker_status.py").stdout
        assert f"ann_kraken: {WAITING}" in shown
        assert WAITING in bot.command("check_active_trading_per_broker.py").stdout
        said = [line for line in bot.log().splitlines() if f"ann_kraken: {WAITING}" in line]
        assert len(said) == 1, "once per change, not once per cycle"
        assert "coinbase health: degraded" not in bot.log()
        assert bot.stop() == 0


def test_the_wait_ends_when_the_master_trades_again(tmp_path: Path) -> None:
    with HandTraded(tmp_path, ann={}) as there, there.start(**TOO) as bot:
        there.master.trades("buy", "4", "ETH/USD")
        there.comes_to("ann", "ETH/USD", "2")
        break_master(there, "5xx")
        says_it_waits(bot)
        stops_out(there)
        there.exchange.clear_faults()
        bot.says("ann_kraken: its master trades again", seconds=120)
        wait_until(lambda: bot.accounts()["ann_kraken"]["waiting_for"] == "", seconds=60, what="nothing is waited for")
        assert bot.accounts()["kraken"]["health"] == "healthy"
        assert bot.stop() == 0

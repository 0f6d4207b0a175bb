"""Accounts that joined, left or were switched off since the bot started."""

from datetime import timedelta
from pathlib import Path

from bot.diagnostics import active_trading, broker_status
from bot.domain.account import AccountRef, BrokerType
from tests.stored_bot import COINBASE, DAIVON, KRAKEN, USERS, StoredBot, now, write_configuration
from tests.unit.diagnostics.conftest import Ask


def lines_of(ask: Ask) -> list[str]:
    return ask(active_trading.main).text.splitlines()[1:]


def test_an_account_added_since_the_start_is_named_and_needs_a_restart(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.accounts([KRAKEN, COINBASE])
    answer = ask(broker_status.main)
    assert answer.code == 1
    assert "daivon_frazier_kraken: the running bot does not know this account yet; restart it" in answer.text


def test_an_account_that_left_long_ago_is_not_reported_for_ever(ask: Ask, bot: StoredBot) -> None:
    bot.accounts()
    gone = AccountRef.user(BrokerType.COINBASE, "gone")
    bot.account(gone, updated_at=now() - timedelta(days=9), last_cycle_at=now() - timedelta(days=9))
    bot.runs()
    assert "gone" not in ask(broker_status.main).text


def test_an_account_switched_on_again_is_not_shown_from_its_old_row(ask: Ask, bot: StoredBot) -> None:
    bot.accounts()
    bot.account(DAIVON, name="Daivon Frazier", updated_at=now() - timedelta(days=1))
    bot.runs()
    assert "USER: Daivon Frazier: NOT TRADING (Broker: KRAKEN): the running bot does not know" in "\n".join(
        lines_of(ask)
    )


def test_a_user_who_is_switched_off_stays_visible(ask: Ask, bot: StoredBot, home: Path) -> None:
    write_configuration(home, users=USERS.replace("true", "false"))
    bot.runs()
    bot.accounts([KRAKEN, COINBASE])
    answer = ask(broker_status.main)
    assert answer.code == 0
    assert "daivon_frazier_kraken: switched off" in answer.text

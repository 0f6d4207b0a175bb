"""Accounts that joined, left or were switched off since the bot started."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from bot.diagnostics import active_trading, broker_status
from bot.domain.account import AccountRef, BrokerType
from bot.domain.position import ExitPlan, Position
from bot.storage.positions import save_position
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


def holding(bot: StoredBot, account: AccountRef) -> None:
    position = Position(
        account_id=account.label,
        symbol="BTC/USD",
        quantity=Decimal("0.50"),
        average_entry_price=Decimal(60000),
        highest_price=Decimal(60000),
        opened_at=now(),
        exit_plan=ExitPlan(),
    )
    bot.store.write(lambda connection: save_position(connection, position))


def test_what_a_user_has_who_is_switched_off_is_shown_and_is_no_fault(ask: Ask, bot: StoredBot, home: Path) -> None:
    off = USERS.replace('"enabled": true', '"enabled": false, "when_disabled": "keep"')
    write_configuration(home, users=off)
    # As after the bot has seen it off: stopped, and touched since the start.
    bot.accounts()
    holding(bot, DAIVON)
    bot.runs()
    bot.account(DAIVON, health="stopped", updated_at=now())
    bot.accounts([KRAKEN, COINBASE])
    answer = ask(broker_status.main)
    assert "daivon_frazier_kraken: switched off in its file; it has 0.5 BTC/USD (keep)" in answer.text
    assert "daivon_frazier_kraken: NOT TRADING" not in answer.text
    assert answer.code == 0


def test_a_user_whom_no_file_names_is_an_orphan_as_long_as_it_has_something(
    ask: Ask, bot: StoredBot, home: Path
) -> None:
    bot.accounts()
    write_configuration(home, users="[]")
    bot.account(DAIVON, updated_at=now() - timedelta(seconds=65))
    bot.runs()
    assert "daivon" not in ask(broker_status.main).text
    holding(bot, DAIVON)
    answer = ask(broker_status.main)
    assert "daivon_frazier_kraken: ORPHANED: no file in config/users names this user" in answer.text
    assert answer.code == 0
    assert list(json.loads(ask(broker_status.main, "--json").text)["orphaned"]) == [DAIVON.label]

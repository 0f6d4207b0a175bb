"""`test_kraken_connection_live.py --connect`: tries every Kraken key, when no bot uses them."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from bot import exit_codes
from bot.brokers.kraken.broker import KrakenBroker
from bot.diagnostics.command import configuration_error
from bot.diagnostics.store_reading import NoStore, bot_state, now, read_store
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import BalanceUnknown, ConfigurationError, VenueError
from bot.settings import Settings, load_settings


def main(argv: Sequence[str] | None = None) -> int:
    """0 = every key works, 1 = one does not, 2 = wrong use (or the bot runs and owns the keys)."""
    parser = argparse.ArgumentParser(
        prog="test_kraken_connection_live.py",
        description="Connects to Kraken with each account's key and reads its balance. Only while the bot is stopped: "
        "a running bot owns its keys, and two programs on one key disturb each other. In paper mode this asks "
        "the local paper exchange.",
    )
    parser.add_argument("--connect", action="store_true", help="really connect; without it only the plan is shown")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    try:
        settings = load_settings()
    except ConfigurationError as error:
        return configuration_error(error)
    accounts = kraken_accounts(settings)
    if not arguments.connect:
        print(f"Would connect in {settings.trading_mode} mode: {', '.join(account.label for account in accounts)}")
        print("Add --connect to do it.")
        return exit_codes.OK
    if _bot_runs(settings):
        print("The bot is running and owns these keys. Stop it first, or use check_kraken_status.py", file=sys.stderr)
        return exit_codes.WRONG_USE
    results = [_try(account) for account in accounts]
    _print(results, as_json=arguments.json)
    return exit_codes.OK if all(result["connected"] for result in results) else exit_codes.SOMETHING_WRONG


def kraken_accounts(settings: Settings) -> list[AccountRef]:
    """Every enabled account at Kraken, the master first."""
    masters = [
        AccountRef.master(item.broker) for item in settings.masters if item.enabled and item.broker is BrokerType.KRAKEN
    ]
    users = [
        AccountRef.user(user.broker, user.user_id)
        for user in settings.users
        if user.enabled and user.broker is BrokerType.KRAKEN
    ]
    return masters + users


def _bot_runs(settings: Settings) -> bool:
    try:
        with read_store(settings.state_dir) as connection:
            return bot_state(connection, now=now()).running
    except NoStore:
        return False


def _try(account: AccountRef) -> dict[str, Any]:
    result: dict[str, Any] = {"account": account.label, "connected": False, "balance": None, "error": ""}
    try:
        broker = KrakenBroker(account_type=account.account_type, user_id=account.user_id)
        try:
            broker.connect()
            result |= {"connected": True, "balance": f"{broker.get_account_balance():f}"}
        finally:
            broker.close()
    except (ConfigurationError, VenueError, BalanceUnknown) as error:
        result["error"] = str(error)
    return result


def _print(results: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"accounts": results}, indent=2))
        return
    for result in results:
        word = f"connected, balance {result['balance']} USD" if result["connected"] else f"FAILED: {result['error']}"
        print(f"{result['account']}: {word}")

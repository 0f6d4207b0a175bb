"""`test_kraken_connection_live.py --connect`: tries every Kraken key, while no bot uses them."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bot import exit_codes
from bot.brokers.kraken.broker import KrakenBroker
from bot.diagnostics.command import command_parser, configuration_error
from bot.diagnostics.kraken_accounts import kraken_accounts
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError, NijaError
from bot.domain.money import plain
from bot.settings import Settings, load_settings
from bot.supervision.instance_lock import AlreadyRunning, InstanceLock

CODES = "Exit code: 0 every key works, 1 one does not, 2 wrong use, or the bot runs and owns the keys."


def main(argv: Sequence[str] | None = None) -> int:
    """0 = every key works, 1 = one does not, 2 = wrong use (or the bot runs and owns the keys)."""
    parser = command_parser(
        "test_kraken_connection_live.py",
        "Connects to Kraken with each account's key and reads its balance. Only while the bot is stopped: a running "
        "bot owns its keys, and two programs on one key disturb each other.\nIn paper mode this asks a local paper "
        "exchange.",
        examples=["", "--connect", "--connect --json"],
        codes=CODES,
    )
    parser.add_argument("--connect", action="store_true", help="really connect; without it only the plan is shown")
    arguments = parser.parse_args(argv)
    try:
        settings = load_settings()
        accounts = kraken_accounts(settings)
        if not arguments.connect:
            return _show_plan(settings, accounts, as_json=arguments.json)
        with keys_to_ourselves(settings):
            results = [_try(account) for account in accounts]
    except ConfigurationError as error:
        return configuration_error(error)
    except AlreadyRunning as error:
        print(f"{error} A running bot owns its keys; to see how they do, use check_kraken_status.py", file=sys.stderr)
        return exit_codes.WRONG_USE
    _print(settings, results, as_json=arguments.json)
    works = bool(results) and all(result["connected"] for result in results)
    return exit_codes.OK if works else exit_codes.SOMETHING_WRONG


@contextmanager
def keys_to_ourselves(settings: Settings) -> Iterator[None]:
    """Holds what a starting bot would take, so that none starts meanwhile. Raises `AlreadyRunning`."""
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = InstanceLock(settings.state_dir)
        lock.acquire()  # lint: refuses at once instead of waiting
    except OSError as error:
        raise ConfigurationError(f"STATE_DIR {settings.state_dir} cannot be used ({error.strerror}).") from error
    try:
        yield
    finally:
        lock.release()


def _show_plan(settings: Settings, accounts: Sequence[AccountRef], *, as_json: bool) -> int:
    labels = [account.label for account in accounts]
    if as_json:
        print(json.dumps({"mode": settings.trading_mode, "connected": False, "would_connect": labels}, indent=2))
    else:
        print(f"Would connect in {settings.trading_mode} mode: {', '.join(labels) or 'nothing is switched on'}")
        print("Nothing was tried. Add --connect to do it.")
    return exit_codes.OK


def _try(account: AccountRef) -> dict[str, Any]:
    result: dict[str, Any] = {"account": account.label, "connected": False, "balance": None, "error": ""}
    try:
        broker = KrakenBroker(account_type=account.account_type, user_id=account.user_id)
        try:
            connected = broker.connect()
            result |= {"connected": connected, "balance": plain(broker.get_account_balance())}
        finally:
            broker.close()
    except NijaError as error:
        result |= {"connected": False, "error": str(error)}
    return result


def _print(settings: Settings, results: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"mode": settings.trading_mode, "accounts": results}, indent=2))
        return
    if settings.trading_mode == "paper":
        print("Mode: paper. No real key was tried; unless one runs already, the exchange was made for this test alone.")
    if not results:
        print("No account at Kraken is switched on.")
    for result in results:
        balance = f"{result.get('balance')} {settings.quote_currency_of(BrokerType.KRAKEN)}"
        word = f"connected, balance {balance}" if result["connected"] else f"FAILED: {result['error']}"
        print(f"{result['account']}: {word}")

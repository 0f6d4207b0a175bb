"""A broker in a bare Python shell: everything it needs, made from the settings.

In paper mode it uses the exchange of the bot that runs on the same state directory, or the one that
`PAPER_EXCHANGE_CONTROL` names, or else a private one with a state of its own, which ends with the shell. In live mode
it uses the real venue with the keys of the environment. The brokers of one shell share what those of one bot share.
"""

import atexit
import shutil
import tempfile
from decimal import Decimal
from functools import cache
from pathlib import Path

from bot.brokers import contexts
from bot.brokers.alpaca.context import AlpacaContext
from bot.brokers.by_ccxt.context import CcxtContext
from bot.brokers.coinbase.context import CoinbaseContext
from bot.brokers.contexts import live_access
from bot.brokers.credentials import MissingCredentials, find_credentials
from bot.brokers.kraken.context import KrakenContext
from bot.brokers.paper_venue import PaperVenue
from bot.brokers.shared_parts import SharedParts, shared_parts
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError
from bot.seams.clock import SystemClock
from bot.settings.loading import load_settings, process_environment
from bot.settings.model import Settings


def kraken_context(account: AccountRef) -> KrakenContext:
    """Raises `ConfigurationError`: an account that is not configured, no key, no exchange."""
    access = _access(account)
    return contexts.kraken_context(account, access, _settings_in_force(), _parts())


def coinbase_context(account: AccountRef) -> CoinbaseContext:
    """Raises `ConfigurationError`: an account that is not configured, no key, no exchange."""
    access = _access(account)
    return contexts.coinbase_context(access, _settings_in_force(), _parts())


def okx_context(account: AccountRef) -> CcxtContext:
    """Raises `ConfigurationError`: an account that is not configured, no key, no exchange."""
    access = _access(account)
    return contexts.okx_context(access, _settings_in_force(), _parts())


def binance_context(account: AccountRef) -> CcxtContext:
    """Raises `ConfigurationError`: an account that is not configured, no key, no exchange."""
    access = _access(account)
    return contexts.binance_context(access, _settings_in_force(), _parts())


def alpaca_context(account: AccountRef) -> AlpacaContext:
    """Raises `ConfigurationError`: an account that is not configured, no key, no exchange."""
    access = _access(account)
    return contexts.alpaca_context(access, _settings_in_force(), _parts())


def paper_balance(account: AccountRef, settings: Settings) -> Decimal:
    """What the account starts with at the paper exchange. Raises `ConfigurationError` for one nobody configured."""
    if account.is_master:
        balances = [master.paper_balance for master in settings.masters if master.broker is account.broker]
    else:
        balances = [
            user.paper_balance
            for user in settings.users
            if user.user_id == account.user_id and user.broker is account.broker
        ]
    if not balances:
        known = sorted({user.user_id for user in settings.users if user.broker is account.broker})
        raise ConfigurationError(
            f"There is no {account.label} in the configuration; {account.broker} has {', '.join(known) or 'no users'}."
        )
    return balances[0]


@cache
def _settings() -> Settings:
    return load_settings()


@cache
def _parts() -> SharedParts:
    settings = _settings()
    return shared_parts(settings, SystemClock(offset_seconds=settings.test_clock_offset_seconds))


@cache
def _paper() -> tuple[PaperVenue, Path]:
    """The exchange to use, and the state directory whose nonces belong to it."""
    settings, clock = _settings(), _parts().clock
    if settings.paper.exchange_control_url is not None:
        token = settings.paper.exchange_token
        given = PaperVenue.attach(
            str(settings.paper.exchange_control_url), token.get_secret_value() if token is not None else "", clock
        )
        return given, settings.state_dir
    running = PaperVenue.attach_to_running(settings.state_dir, clock)
    if running is not None:
        return running, settings.state_dir
    directory = Path(tempfile.mkdtemp(prefix="nija-shell-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    venue = PaperVenue.start(
        state_dir=directory,
        clock=clock,
        seed=settings.paper.seed,
        latency_milliseconds=settings.paper.latency_milliseconds,
        stock_session=settings.alpaca.session,
    )
    atexit.register(venue.close)  # runs before the directory goes: the last registered is the first called
    return venue, directory


def _settings_in_force() -> Settings:
    """The settings; on a private exchange with that one's state directory."""
    settings = _settings()
    return settings if settings.trading_mode == "live" else settings.model_copy(update={"state_dir": _paper()[1]})


def _access(account: AccountRef) -> VenueAccess:
    settings = _settings()
    if settings.trading_mode == "live":
        found = find_credentials(account, [user.user_id for user in settings.users], process_environment())
        if isinstance(found, MissingCredentials):
            raise ConfigurationError(f"{account.label} has no key: {found}.")
        return live_access(account.broker, settings, found)
    balance = paper_balance(account, settings)
    venue, _ = _paper()
    tier = settings.kraken.tier if account.broker is BrokerType.KRAKEN else None
    currency = settings.quote_currency_of(account.broker)
    return venue.access(account.broker, venue.open_account(account, balance, currency=currency, tier=tier))

"""Where scripts get the broker classes, and how one is built for an account.

from bot.broker_manager import AccountType, KrakenBroker
broker = KrakenBroker(account_type=AccountType.USER, user_id="daivon_frazier")
broker.connect()
broker.get_account_balance()
"""

from collections.abc import Mapping
from types import MappingProxyType

from bot.brokers.alpaca.broker import AlpacaBroker
from bot.brokers.base import BaseBroker
from bot.brokers.coinbase.broker import CoinbaseBroker
from bot.brokers.contexts import alpaca_context, coinbase_context, kraken_context, live_access
from bot.brokers.kraken.broker import KrakenBroker
from bot.brokers.shared_parts import SharedParts, shared_parts
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, AccountType, BrokerType
from bot.domain.errors import ConfigurationError
from bot.settings.model import Settings

__all__ = [
    "BROKER_CLASSES",
    "AccountType",
    "AlpacaBroker",
    "BaseBroker",
    "BrokerType",
    "CoinbaseBroker",
    "KrakenBroker",
    "SharedParts",
    "VenueAccess",
    "build_broker",
    "live_access",
    "shared_parts",
]

BROKER_CLASSES: Mapping[BrokerType, type[BaseBroker]] = MappingProxyType(
    {BrokerType.KRAKEN: KrakenBroker, BrokerType.COINBASE: CoinbaseBroker, BrokerType.ALPACA: AlpacaBroker}
)


def build_broker(account: AccountRef, access: VenueAccess, *, settings: Settings, shared: SharedParts) -> BaseBroker:
    """One account's broker, not yet connected. Raises `ConfigurationError` for a brokerage without a class here."""
    if account.broker is BrokerType.KRAKEN:
        context = kraken_context(account, access, settings, shared)
        return KrakenBroker(account.account_type, account.user_id, context=context)
    if account.broker is BrokerType.COINBASE:
        return CoinbaseBroker(account.account_type, account.user_id, context=coinbase_context(access, settings, shared))
    if account.broker is BrokerType.ALPACA:
        return AlpacaBroker(account.account_type, account.user_id, context=alpaca_context(access, settings, shared))
    raise ConfigurationError(f"{account.label}: {account.broker} is not supported in this version.")

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
from bot.brokers.by_ccxt.broker import BinanceBroker, OKXBroker
from bot.brokers.by_ccxt.unified import UnifiedBroker
from bot.brokers.coinbase.broker import CoinbaseBroker
from bot.brokers.contexts import (
    alpaca_context,
    binance_context,
    coinbase_context,
    kraken_context,
    live_access,
    okx_context,
    unified_context,
)
from bot.brokers.kraken.broker import KrakenBroker
from bot.brokers.shared_parts import SharedParts, shared_parts
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, AccountType, BrokerType
from bot.settings.model import Settings

__all__ = [
    "BROKER_CLASSES",
    "AccountType",
    "AlpacaBroker",
    "BaseBroker",
    "BinanceBroker",
    "BrokerType",
    "CoinbaseBroker",
    "KrakenBroker",
    "OKXBroker",
    "SharedParts",
    "UnifiedBroker",
    "VenueAccess",
    "build_broker",
    "live_access",
    "shared_parts",
]

BROKER_CLASSES: Mapping[BrokerType, type[BaseBroker]] = MappingProxyType(
    {
        BrokerType.KRAKEN: KrakenBroker,
        BrokerType.COINBASE: CoinbaseBroker,
        BrokerType.OKX: OKXBroker,
        BrokerType.BINANCE: BinanceBroker,
        BrokerType.ALPACA: AlpacaBroker,
    }
)


def build_broker(account: AccountRef, access: VenueAccess, *, settings: Settings, shared: SharedParts) -> BaseBroker:
    """One account's broker, not yet connected. Raises `ConfigurationError` for settings that its venue cannot keep."""
    who, user_id = account.account_type, account.user_id
    match account.broker:
        case BrokerType.KRAKEN:
            return KrakenBroker(who, user_id, context=kraken_context(account, access, settings, shared))
        case BrokerType.COINBASE:
            return CoinbaseBroker(who, user_id, context=coinbase_context(access, settings, shared))
        case BrokerType.OKX:
            return OKXBroker(who, user_id, context=okx_context(access, settings, shared))
        case BrokerType.BINANCE:
            return BinanceBroker(who, user_id, context=binance_context(access, settings, shared))
        case BrokerType.ALPACA:
            return AlpacaBroker(who, user_id, context=alpaca_context(access, settings, shared))
    return UnifiedBroker(account, unified_context(account, access, settings, shared))

"""The ways in: where the venues are, and what opens an account, with real money or at the paper exchange."""

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from pydantic import SecretStr

from bot.broker_manager import live_access
from bot.brokers.credentials import Credentials
from bot.brokers.paper_venue import PaperVenue
from bot.brokers.venue_access import VenueAccess
from bot.diagnostics.doctor.venue_look import CHECK_SECONDS, VenuePlace
from bot.domain.account import AccountRef, BrokerType
from bot.settings import Settings
from bot.settings.section import Section
from bot.supervision.key_locks import KeyLocks

_Section = TypeVar("_Section", bound=Section)
# Raises `ConfigurationError`, or `KeyInUse` for a key that another process works with.
Access = Callable[[AccountRef], VenueAccess]


def live_places(settings: Settings, brokers: Collection[BrokerType]) -> list[VenuePlace]:
    """The real venues."""
    nobody = Credentials(api_key="", api_secret=SecretStr(""))
    places = []
    for broker in brokers:
        access = live_access(broker, settings, nobody)
        places.append(VenuePlace(broker, access.base_url, access.ws_url))
    return places


def paper_places(settings: Settings, brokers: Collection[BrokerType], paper: PaperVenue) -> list[VenuePlace]:
    found = []
    for broker in brokers:
        front = settings.paper_front_of(broker)
        socket = paper.socket_url(front) if broker is BrokerType.KRAKEN else None
        found.append(VenuePlace(broker, paper.rest_url(front), socket))
    return found


def live_keys(settings: Settings, found: Mapping[AccountRef, Credentials], locks: KeyLocks) -> Access:
    """With the keys of the environment; each held so that no bot begins to use it meanwhile."""

    def access(account: AccountRef) -> VenueAccess:
        credentials = found[account]
        locks.hold(credentials.fingerprint)
        return live_access(account.broker, settings, credentials)

    return access


def paper_keys(settings: Settings, paper: PaperVenue) -> Access:
    """With the accounts that the bot has at the paper exchange; they are opened if they are not there."""
    balances = {AccountRef.master(master.broker): master.paper_balance for master in settings.masters}
    balances |= {user.account: user.paper_balance for user in settings.users}

    def access(account: AccountRef) -> VenueAccess:
        broker = account.broker
        front, currency = settings.paper_front_of(broker), settings.quote_currency_of(broker)
        tier = settings.kraken.tier if broker is BrokerType.KRAKEN else None
        opened = paper.open_account(account, balances[account], currency=currency, tier=tier, front=front)
        return paper.access(front, opened)

    return access


def with_deadlines(settings: Settings) -> Settings:
    """The same with calls that end within the time of one check, however patient the bot may be."""
    most = CHECK_SECONDS / 2

    def short(section: _Section) -> _Section:
        seconds = ("connect_timeout_seconds", "read_timeout_seconds")
        return section.model_copy(update={name: min(most, getattr(section, name)) for name in seconds})

    return settings.model_copy(
        update={
            "kraken": short(settings.kraken),
            "coinbase": short(settings.coinbase),
            "okx": short(settings.okx),
            "binance": short(settings.binance),
            "alpaca": short(settings.alpaca),
        }
    )

"""Which accounts are at Kraken."""

from bot.domain.account import AccountRef, BrokerType
from bot.settings import Settings


def kraken_accounts(settings: Settings) -> list[AccountRef]:
    """Every enabled account at Kraken, the master first."""
    masters = [
        AccountRef.master(master.broker)
        for master in settings.masters
        if master.enabled and master.broker is BrokerType.KRAKEN
    ]
    return masters + [user.account for user in settings.users if user.enabled and user.broker is BrokerType.KRAKEN]

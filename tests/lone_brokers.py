"""A broker of each class as it is made by default, with nobody to talk to: for what it says of itself."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

from pydantic import SecretStr

from bot.brokers.base import BaseBroker
from bot.brokers.call_reaper import CallReaper
from bot.brokers.capabilities import Capabilities
from bot.brokers.credentials import Credentials
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, BrokerType
from bot.seams.clock import SystemClock
from tests.contract_brokers.conftest import Wiring
from tests.exchange_process import ExchangeProcess

NOWHERE = VenueAccess(
    base_url="http://127.0.0.1:1",
    credentials=Credentials(api_key="k", api_secret=SecretStr("c2VjcmV0"), api_passphrase=SecretStr("Phrase1!")),
    mode="paper",
)


class Facts(NamedTuple):
    """What a broker says of itself. Seconds as in `BaseBroker`."""

    capabilities: Capabilities
    settle_seconds: float
    order_expiry_seconds: float | None
    client_ids_are_forever: bool
    quote_currency: str


@cache
def facts_of(broker: BrokerType) -> Facts:
    """Of the class that trades there, with the times it has when nobody sets any."""
    with lone_broker(broker) as made:
        return Facts(
            made.capabilities,
            made.settle_seconds,
            made.order_expiry_seconds,
            made.client_ids_are_forever,
            made.quote_currency,
        )


@contextmanager
def lone_broker(broker: BrokerType) -> Iterator[BaseBroker]:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as directory:
        nobody = cast(ExchangeProcess, None)  # an access is given, so no exchange is asked for one
        wiring = Wiring(nobody, Path(directory), clock, CallReaper(clock))
        try:
            yield wiring.broker(AccountRef.user(broker, "alone"), access=NOWHERE)
        finally:
            wiring.close()

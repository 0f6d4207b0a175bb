"""A subscription that the venue refuses is asked for again, on the connection there is."""

from collections.abc import Iterator

import pytest

from bot.domain.account import AccountRef, BrokerType
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.streamed import Streamed


@pytest.fixture
def streamed(wiring: Wiring) -> Iterator[Streamed]:
    made = Streamed(wiring)
    yield made
    made.close()


def test_a_refused_subscription_costs_another_token_and_not_the_connection(
    streamed: Streamed, request: pytest.FixtureRequest
) -> None:
    user = streamed.account(AccountRef.user(BrokerType.KRAKEN, f"refused_{id(request)}"))
    user.fault({"kind": "stale_token"}, "ws/subscribe")
    user.live()
    asked = [
        line["endpoint"] for line in user.exchange.journal(type="request", account=user.account.venue_account_name)
    ]
    # Nobody waits for the snapshot of what was refused, long before and after it is asked for anew.
    assert (asked.count("GetWebSocketsToken"), streamed.seen.ups) == (2, 1)

"""What a key may do, changed by the control API while it is in use, and told truthfully by the front."""

from collections.abc import Callable

import pytest

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.kraken_client import KrakenClient

OpenKraken = Callable[..., KrakenClient]
PATH = "/accounts/kraken/{}/permissions"


def test_a_right_given_or_taken_counts_from_the_next_request_on(
    exchange: ExchangeProcess, open_kraken: OpenKraken
) -> None:
    client = open_kraken()
    name = client.account.name
    assert "withdraw-funds" not in client.ok("GetApiKeyInfo")["permissions"]
    exchange.control("POST", PATH.format(name), {"permissions": ["query-funds", "withdraw-funds"]})
    assert client.ok("GetApiKeyInfo")["permissions"] == ["query-funds", "withdraw-funds"]
    assert client.ok("Balance")
    assert client.refused("OpenOrders") == "EGeneral:Permission denied"


@pytest.mark.parametrize("body", [{}, {"permissions": ["fly"]}, {"permissions": "all"}, {"permissions": [], "x": 1}])
def test_rights_that_no_key_can_have_are_refused_and_change_nothing(
    exchange: ExchangeProcess, open_kraken: OpenKraken, body: dict[str, object]
) -> None:
    client = open_kraken()
    with pytest.raises(AssertionError, match=r"gave 400"):
        exchange.control("POST", PATH.format(client.account.name), body)
    assert "modify-trades" in client.ok("GetApiKeyInfo")["permissions"]

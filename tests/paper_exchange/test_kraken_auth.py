"""Who gets in at Kraken's front: keys, signatures, nonces, permissions, rate limits."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.kraken_client import KrakenClient

OpenKraken = Callable[..., KrakenClient]


def error_of(client: KrakenClient, body: bytes, nonce: str, **more: str) -> list[str]:
    response = client.send("Balance", body, nonce, **more)
    assert response.status_code == 200
    envelope = response.json()
    assert "result" not in envelope
    errors: list[str] = envelope["error"]
    return errors


def test_an_unknown_key_is_invalid(kraken: KrakenClient, exchange: ExchangeProcess) -> None:
    response = kraken.session.post(
        f"{exchange.rest_url('kraken')}/0/private/Balance", data="nonce=1", headers={"API-Key": "x", "API-Sign": "eA=="}
    )
    assert response.json() == {"error": ["EAPI:Invalid key"]}


def test_a_wrong_signature_is_refused_and_uses_no_nonce(kraken: KrakenClient) -> None:
    nonce = kraken.next_nonce()
    body = f"nonce={nonce}".encode()
    assert error_of(kraken, body, str(nonce), signature="Zm9yZ2Vk") == ["EAPI:Invalid signature"]
    assert kraken.send("Balance", body, str(nonce)).json()["error"] == []


def test_the_signature_is_over_the_raw_bytes(kraken: KrakenClient) -> None:
    nonce = str(kraken.next_nonce())
    odd = f"nonce={nonce}&asset=%5a%55SD&&trades=".encode()
    assert kraken.send("Balance", odd, nonce).json()["error"] == []
    nonce = str(kraken.next_nonce())
    signature = kraken.sign("/0/private/Balance", f"nonce={nonce}&a=%5A".encode(), nonce)
    assert error_of(kraken, f"nonce={nonce}&a=%5a".encode(), nonce, signature=signature) == ["EAPI:Invalid signature"]


def test_a_nonce_must_rise(kraken: KrakenClient) -> None:
    high = kraken.next_nonce() + 1000
    assert kraken.post("Balance", {"nonce": high}).json()["error"] == []
    for low in (high, high - 1):
        assert kraken.post("Balance", {"nonce": low}).json() == {"error": ["EAPI:Invalid nonce"]}
    assert kraken.post("Balance", {"nonce": high + 1}).json()["error"] == []


@pytest.mark.parametrize("nonce", ["", "-5", "1.5", "abc", str(2**64)])
def test_a_nonce_that_is_no_number_is_invalid(kraken: KrakenClient, nonce: str) -> None:
    assert error_of(kraken, urlencode({"nonce": nonce}).encode(), nonce) == ["EAPI:Invalid nonce"]


def test_a_nonce_may_be_a_number_or_text_in_json_and_twenty_digits_long(kraken: KrakenClient) -> None:
    assert kraken.post_json("Balance", {})["error"] == []
    assert kraken.post_json("Balance", {"nonce": str(kraken.next_nonce())})["error"] == []
    last = 2**64 - 1
    assert kraken.post("Balance", {"nonce": last}).json()["error"] == []
    assert kraken.post("Balance", {"nonce": last}).json()["error"] == ["EAPI:Invalid nonce"]


def test_keys_have_nonces_of_their_own(open_kraken: OpenKraken) -> None:
    first, second = open_kraken(), open_kraken()
    assert first.post("Balance", {"nonce": 10**18 * 5}).json()["error"] == []
    assert second.post("Balance", {"nonce": 1}).json()["error"] == []


def test_a_window_lets_late_requests_in(open_kraken: OpenKraken) -> None:
    client = open_kraken(nonce_window=10)
    codes = [client.post("Balance", {"nonce": nonce}).json()["error"] for nonce in (100, 95, 95, 100, 89)]
    assert codes == [[], [], ["EAPI:Invalid nonce"], ["EAPI:Invalid nonce"], ["EAPI:Invalid nonce"]]


@pytest.mark.parametrize(
    ("permissions", "method", "fields"),
    [
        (["query-ledger"], "Balance", {}),
        (["query-funds"], "OpenOrders", {}),
        (["query-open-trades"], "ClosedOrders", {}),
        (["query-funds"], "TradesHistory", {}),
        (["query-funds"], "Ledgers", {}),
        (["query-funds", "close-trades"], "AddOrder", {"pair": "XBTUSD"}),
        (["query-funds"], "CancelAll", {}),
        (["query-funds"], "GetWebSocketsToken", {}),
    ],
)
def test_a_key_without_the_permission_is_denied(
    open_kraken: OpenKraken, permissions: list[str], method: str, fields: dict[str, str]
) -> None:
    client = open_kraken(permissions=permissions)
    assert client.refused(method, fields) == "EGeneral:Permission denied"
    assert client.ok("GetApiKeyInfo")["permissions"] == sorted(permissions)


def test_a_denied_request_has_used_its_nonce(open_kraken: OpenKraken) -> None:
    client = open_kraken(permissions=["query-ledger"])
    assert client.post("Balance", {"nonce": 5}).json()["error"] == ["EGeneral:Permission denied"]
    assert client.post("Balance", {"nonce": 5}).json()["error"] == ["EAPI:Invalid nonce"]


def test_a_method_that_does_not_exist_is_unknown(kraken: KrakenClient, exchange: ExchangeProcess) -> None:
    assert kraken.refused("Balances") == "EGeneral:Unknown method"
    response = kraken.session.get(f"{exchange.rest_url('kraken')}/0/public/Timer")
    assert response.json() == {"error": ["EGeneral:Unknown method"]}


def test_calls_are_only_counted_for_strict_accounts(open_kraken: OpenKraken) -> None:
    lenient = open_kraken(tier="starter")
    assert all(lenient.call("Balance")["error"] == [] for _ in range(30))
    strict = open_kraken(tier="starter", strict=True)
    errors = [strict.call("Balance")["error"] for _ in range(17)]
    assert errors[:15] == [[]] * 15
    assert errors[-1] == ["EAPI:Rate limit exceeded"]


def test_the_journal_shows_every_request_with_its_nonce(kraken: KrakenClient, exchange: ExchangeProcess) -> None:
    start = exchange.last_seq()
    kraken.ok("Balance")
    good = kraken._nonce
    kraken.post("Balance", {"nonce": good})
    lines = exchange.journal(start, account=kraken.account.name)
    assert [(line["type"], line["nonce"], line["error"]) for line in lines] == [
        ("request", str(good), None),
        ("request", str(good), None),
        ("refuse", str(good), "EAPI:Invalid nonce"),
    ]
    assert all(len(line["payload_sha256"]) == 64 and line["endpoint"] == "Balance" for line in lines)

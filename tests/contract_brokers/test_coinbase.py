"""What is Coinbase's own: an id that is safe to send again, answers with holes, refusals with status 200."""

import json
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
import responses
from pydantic import SecretStr

from bot.brokers.coinbase.broker import CoinbaseBroker
from bot.brokers.coinbase.orders import fills_from
from bot.brokers.credentials import Credentials
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import (
    ConfigurationError,
    CredentialsRejected,
    InsufficientFunds,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
)
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import BTC, an_order, now
from tests.exchange_process import ExchangeProcess

D = Decimal
API = "/api/v3/brokerage"


@pytest.fixture
def user(request: pytest.FixtureRequest) -> AccountRef:
    return AccountRef.user(BrokerType.COINBASE, f"c{abs(hash(request.node.name)) % 10**9}")


@pytest.fixture
def coinbase(wiring: Wiring, user: AccountRef) -> CoinbaseBroker:
    broker = wiring.broker(user)
    assert isinstance(broker, CoinbaseBroker)
    broker.connect()
    broker.get_trading_pairs()
    return broker


def test_the_same_id_again_is_the_same_order(coinbase: CoinbaseBroker, exchange: ExchangeProcess) -> None:
    seen = exchange.last_seq()
    request = an_order()
    assert coinbase.place_order(request) == coinbase.place_order(request)
    assert len(exchange.journal(seen, type="accept", client_order_id=request.client_order_id)) == 1


def test_an_acceptance_without_configuration_is_an_acceptance(
    coinbase: CoinbaseBroker, user: AccountRef, exchange: ExchangeProcess
) -> None:
    exchange.fault("null_configuration", account=user.user_id, endpoint="orders")
    sent_at = now()
    request = an_order()
    ack = coinbase.place_order(request)
    found = coinbase.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id


def refused(**reasons: str) -> str:
    return json.dumps({"success": False, "error_response": reasons})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, refused(error="INSUFFICIENT_FUND"), InsufficientFunds),
        (
            200,
            refused(error="UNKNOWN_FAILURE_REASON", preview_failure_reason="PREVIEW_INSUFFICIENT_FUND"),
            InsufficientFunds,
        ),
        (200, refused(new_order_failure_reason="INVALID_SIZE_PRECISION"), OrderRefused),
        (200, refused(error="DUPLICATE_CLIENT_ORDER_ID"), OutcomeUnknown),
        (200, refused(error="NEVER_SEEN"), OutcomeUnknown),
        (200, refused(error="UNKNOWN_FAILURE_REASON"), OutcomeUnknown),
        (200, '{"success": false}', OutcomeUnknown),
        (200, '{"success": "true", "order_id": "x"}', OutcomeUnknown),
        (200, '{"success": true}', OutcomeUnknown),
        (200, '{"success": true, "order_id": null, "success_response": null}', OutcomeUnknown),
        (200, '{"success": true, "order_id": "a", "success_response": {"order_id": "b"}}', OutcomeUnknown),
        (200, '{"success": true, "success_response": {"order_id": "a", "client_order_id": "b"}}', OutcomeUnknown),
        (200, '{"success": true, "success_response": {"order_id": "a", "product_id": "ETH-USD"}}', OutcomeUnknown),
        (200, '{"success": true, "success_response": {"order_id": "a", "side": "SELL"}}', OutcomeUnknown),
        (200, '{"success": true, "order_id": "a", "error_response": {"error": "INVALID_SIDE"}}', OutcomeUnknown),
        (200, '{"success": false, "order_id": "a", "error_response": {"error": "INVALID_SIDE"}}', OutcomeUnknown),
        (200, '{"success": true, "success_response": ["a"], "order_id": "a"}', OutcomeUnknown),
        (200, "null", OutcomeUnknown),
        (200, "<html>maintenance</html>", OutcomeUnknown),
        (400, '{"error": "INVALID_ARGUMENT", "message": "no"}', OrderRefused),
        (400, "<html>bad</html>", OutcomeUnknown),
        (401, "Unauthorized", CredentialsRejected),
        (403, '{"error": "PERMISSION_DENIED", "error_details": "Missing required scopes"}', CredentialsRejected),
        (403, "<html>blocked</html>", OutcomeUnknown),
        (429, '{"errors": [{"id": "rate_limit_exceeded"}]}', RetryLater),
        (500, '{"error": "unknown"}', OutcomeUnknown),
        (302, "", OutcomeUnknown),
    ],
)
def test_an_order_is_refused_only_on_a_word_that_proves_it(
    coinbase: CoinbaseBroker, wiring: Wiring, status: int, body: str, kind: type[VenueError]
) -> None:
    with responses.RequestsMock() as venue:
        venue.add(responses.POST, f"{wiring.exchange.rest_url('coinbase')}{API}/orders", body=body, status=status)
        with pytest.raises(VenueError) as raised:
            coinbase.place_order(an_order())
        assert type(raised.value) is kind
        # A refusal by the market's rules may have them read anew; the order itself was sent once.
        assert [call.request.method for call in venue.calls].count("POST") == 1


def test_a_reading_whose_token_is_turned_away_is_asked_once_more(coinbase: CoinbaseBroker, wiring: Wiring) -> None:
    url = f"{wiring.exchange.rest_url('coinbase')}{API}/accounts"
    with responses.RequestsMock() as venue:
        venue.add(responses.GET, url, body="Unauthorized", status=401)
        venue.add(responses.GET, url, json={"accounts": [], "has_next": False})
        assert coinbase.fetch_holdings().assets == {}
    with responses.RequestsMock() as venue:
        venue.add(responses.GET, url, body="Unauthorized", status=401)
        with pytest.raises(CredentialsRejected):
            coinbase.fetch_holdings()
        assert len(venue.calls) == 2


@pytest.mark.parametrize("body", ['{"accounts": null}', '{"accounts": [null]}', '{"accounts": [{"currency": "USD"}]}'])
def test_a_list_of_accounts_with_holes_is_unreadable(coinbase: CoinbaseBroker, wiring: Wiring, body: str) -> None:
    with responses.RequestsMock() as venue:
        venue.add(responses.GET, f"{wiring.exchange.rest_url('coinbase')}{API}/accounts", body=body)
        with pytest.raises(UnreadableReply):
            coinbase.fetch_holdings()


def test_an_order_is_found_behind_more_than_a_page_of_later_ones(coinbase: CoinbaseBroker) -> None:
    sent_at = now()
    first = an_order(quantity="0.0002")
    ack = coinbase.place_order(first)
    for _ in range(105):
        coinbase.place_order(an_order(quantity="0.0002"))
    found = coinbase.find_order(first.client_order_id, symbol=BTC, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id
    fills = coinbase.get_fills_since(sent_at)
    assert sum(fill.quantity for fill in fills) == D("0.0002") * 106


def test_a_fill_sized_in_quote_is_brought_to_base_and_rounded_down() -> None:
    raw = {
        "trade_id": "t1",
        "order_id": "o1",
        "product_id": "BTC-USD",
        "side": "BUY",
        "price": "30000",
        "size": "100",
        "size_in_quote": True,
        "commission": "0.6",
        "trade_time": "2026-03-01T12:00:00Z",
        "liquidity_indicator": "TAKER",
    }
    (fill,) = fills_from([raw, raw], {})
    assert fill.quantity == D("0.00333333")
    assert (fill.fee, fill.fee_currency, fill.maker) == (D("0.6"), "USD", False)


def test_a_secret_that_cannot_sign_is_named_before_anything_is_sent(
    wiring: Wiring, user: AccountRef, exchange: ExchangeProcess
) -> None:
    good = wiring.access(user)
    broken = Credentials(api_key=good.credentials.api_key, api_secret=SecretStr("not a key"))
    broker = wiring.broker(user, access=VenueAccess(base_url=good.base_url, credentials=broken, mode="paper"))
    seen = exchange.last_seq()
    with pytest.raises(CredentialsRejected, match="cannot sign"):
        broker.connect()
    sent = exchange.journal(seen, type="request", brokerage="coinbase")
    assert {line["endpoint"] for line in sent} <= {"time"}, "the time is asked for without a key"


def test_signed_requests_never_leave_this_machine_unencrypted() -> None:
    credentials = Credentials(api_key="k", api_secret=SecretStr("s"))
    with pytest.raises(ConfigurationError, match="https"):
        VenueAccess(base_url="http://api.coinbase.com", credentials=credentials, mode="live")


# -- candles --------------------------------------------------------------------------------------------------------
def test_more_candles_than_one_answer_holds_are_read_page_by_page_without_a_gap(
    coinbase: CoinbaseBroker, exchange: ExchangeProcess
) -> None:
    seen = exchange.last_seq()
    candles = coinbase.get_candles(BTC, interval_minutes=1, limit=800)
    assert len(candles) == 800
    assert {later.opened_at - earlier.opened_at for earlier, later in pairwise(candles)} == {timedelta(minutes=1)}
    assert len(exchange.journal(seen, type="request", brokerage="coinbase")) == 3
    seen = exchange.last_seq()
    newest = coinbase.get_candles(BTC, interval_minutes=1, limit=349)
    assert newest[0] in candles
    assert len(exchange.journal(seen, type="request", brokerage="coinbase")) == 1

"""What is OKX's own: deadlines in the header, ids that are free again, two accounts, keys of two worlds."""

import dataclasses
import logging
import subprocess
import sys
import tracemalloc
import zlib
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from pydantic import SecretStr

from bot.brokers.by_ccxt.broker import OKXBroker
from bot.brokers.by_ccxt.signer import CcxtSigner
from bot.brokers.rate_budget import RateBudget, RateBudgets
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import (
    ConfigurationError,
    CredentialsRejected,
    InsufficientFunds,
    KeyUnfit,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueInMaintenance,
)
from bot.domain.order import OrderType, Side, VenueOrderStatus
from bot.seams.clock import SystemClock
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order, now, resting_price
from tests.exchange_process import ROOT, ExchangeProcess, wait_until

D = Decimal
BTC = "BTC/USDT"
PLACE = "trade/order"


@pytest.fixture
def user(request: pytest.FixtureRequest) -> AccountRef:
    return AccountRef.user(BrokerType.OKX, f"o{zlib.crc32(request.node.name.encode())}")


@pytest.fixture
def okx(wiring: Wiring, user: AccountRef) -> OKXBroker:
    broker = wiring.broker(user)
    assert isinstance(broker, OKXBroker)
    broker.connect()
    broker.get_trading_pairs()
    return broker


def other_context(broker: OKXBroker, **changes: object) -> OKXBroker:
    """The same account, with something changed in what it was given."""
    context = dataclasses.replace(broker._context, **changes)  # type: ignore[arg-type]
    return OKXBroker(broker.account_type, broker.user_id, context=context)


def accepted(exchange: ExchangeProcess, seen: int, client_order_id: str) -> int:
    return len(exchange.journal(seen, type="accept", client_order_id=client_order_id))


# -- once, and never twice ------------------------------------------------------------------------------------------
def test_an_order_that_arrives_after_its_deadline_is_not_taken(
    okx: OKXBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    exchange.fault("delay 2.5", account=user.user_id, endpoint=PLACE)
    seen, sent_at, request = exchange.last_seq(), now(), an_order(symbol=BTC)
    hasty = other_context(okx, order_deadline_seconds=2.0)
    with pytest.raises(OutcomeUnknown):
        hasty.place_order(request)
    wait_until(
        lambda: (
            exchange.journal(seen, type="reject", account=user.user_id)
            or [line for line in exchange.journal(seen) if "50037" in str(line)]
        ),
        what="the refusal of the late order",
    )
    assert accepted(exchange, seen, request.client_order_id) == 0
    assert okx.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at) is None
    hasty.close()


def test_the_id_of_a_live_order_again_means_that_it_exists(okx: OKXBroker, exchange: ExchangeProcess) -> None:
    seen, sent_at = exchange.last_seq(), now()
    request = an_order(price=resting_price(okx, BTC), order_type=OrderType.LIMIT_GTC, symbol=BTC)
    ack = okx.place_order(request)
    with pytest.raises(OutcomeUnknown, match="51016"):
        okx.place_order(request)
    found = okx.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id
    assert accepted(exchange, seen, request.client_order_id) == 1


def test_no_id_is_good_for_ever_and_so_nothing_is_sent_again_before_it_is_proven_absent(okx: OKXBroker) -> None:
    assert not okx.client_ids_are_forever and not okx.capabilities.client_ids_are_forever
    assert okx.order_expiry_seconds is not None
    assert okx.settle_seconds >= okx.order_expiry_seconds + 10


def test_a_time_out_inside_okx_says_nothing_and_the_order_is_found(
    okx: OKXBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    fault = {"kind": "accept_then_5xx", "status": 400, "text": "50004"}
    exchange.fault(fault, account=user.user_id, endpoint=PLACE)
    sent_at, request = now(), an_order(symbol=BTC)
    with pytest.raises(OutcomeUnknown, match="50004"):
        okx.place_order(request)
    found = okx.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at)
    assert found is not None and found.status is VenueOrderStatus.FILLED


def test_an_order_that_the_look_up_does_not_know_is_found_in_the_history(
    okx: OKXBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    sent_at, request = now(), an_order(symbol=BTC)
    ack = okx.place_order(request)
    for ask in (
        lambda: okx.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at),
        lambda: okx.get_order(ack.venue_order_id),
    ):
        exchange.fault("api_error 51603", account=user.user_id, endpoint=PLACE)
        found = ask()
        assert found is not None and found.venue_order_id == ack.venue_order_id
        assert found.status is VenueOrderStatus.FILLED


def test_an_order_that_ended_without_a_trade_and_was_forgotten_is_an_order_that_nobody_knows(
    okx: OKXBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    """OKX keeps a cancelled order without a trade for two hours. What has traded it keeps for months."""
    sent_at, request = now(), an_order(price=resting_price(okx, BTC), order_type=OrderType.LIMIT_GTC, symbol=BTC)
    ack = okx.place_order(request)
    okx.cancel_order(ack.venue_order_id)
    exchange.fault("api_error 51603", account=user.user_id, endpoint=PLACE, times=2)
    nothing = {"kind": "body", "text": '{"code": "0", "msg": "", "data": []}'}
    exchange.fault(nothing, account=user.user_id, endpoint="trade/orders-history", times=2)
    assert okx.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at) is None
    assert okx.get_order(ack.venue_order_id) is None
    assert okx.get_order_fills(ack.venue_order_id, since=sent_at) == []
    assert okx.fetch_holdings().of("USDT").total == D(10000)


def test_a_look_up_whose_history_cannot_be_read_has_not_found_nothing(
    okx: OKXBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    exchange.fault("5xx", account=user.user_id, endpoint="trade/orders-history")
    with pytest.raises(UnreadableReply):
        okx.find_order("0" * 32, symbol=BTC, sent_at=now())


def test_an_order_whose_time_is_over_does_not_leave(okx: OKXBroker, exchange: ExchangeProcess) -> None:
    seen, request = exchange.last_seq(), an_order(symbol=BTC)
    with pytest.raises(RetryLater, match="not sent"):
        okx.place_order(dataclasses.replace(request, leave_before=SystemClock().monotonic() + 0.1))
    assert exchange.journal(seen, type="request", client_order_id=request.client_order_id) == []


def test_a_market_buy_that_cannot_be_paid_is_not_made_smaller(okx: OKXBroker, exchange: ExchangeProcess) -> None:
    seen, request = exchange.last_seq(), an_order(quantity="5", symbol=BTC)
    with pytest.raises(InsufficientFunds):
        okx.place_order(request)
    assert accepted(exchange, seen, request.client_order_id) == 0
    assert okx.fetch_holdings().of("BTC").total == D("0.5")


# -- markets that are gone ------------------------------------------------------------------------------------------
def test_an_order_in_a_market_that_is_listed_no_more_is_found_among_all_and_an_absent_one_is_absent(
    okx: OKXBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    sent_at, request = now(), an_order(symbol=BTC, quantity="0.002")
    ack = okx.place_order(request)

    def delist() -> None:
        exchange.clear_faults()
        exchange.fault("api_error 51001", times=None, account=user.user_id, endpoint="trade/order")
        for endpoint in ("trade/orders-history", "trade/fills"):
            exchange.fault("api_error 51001", account=user.user_id, endpoint=endpoint)

    delist()
    found = okx.find_order(request.client_order_id, symbol=BTC, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id
    assert sum(fill.quantity for fill in okx.get_order_fills(ack.venue_order_id, since=sent_at)) == D("0.002")
    delist()
    by_number = okx.get_order(ack.venue_order_id)
    assert by_number is not None and by_number.status is VenueOrderStatus.FILLED
    delist()
    assert okx.find_order("f" * 32, symbol=BTC, sent_at=sent_at) is None
    exchange.clear_faults()
    waiting = an_order(symbol=BTC, price=resting_price(okx, BTC), order_type=OrderType.LIMIT_GTC)
    okx.place_order(waiting)
    delist()
    still_there = okx.find_order(waiting.client_order_id, symbol=BTC, sent_at=sent_at)
    assert still_there is not None and still_there.status is VenueOrderStatus.OPEN


# -- time -----------------------------------------------------------------------------------------------------------
def test_a_reading_signed_by_a_wrong_time_is_made_again_by_a_new_one_and_an_order_is_not(
    okx: OKXBroker, wiring: Wiring, exchange: ExchangeProcess, user: AccountRef
) -> None:
    seen = exchange.last_seq()
    exchange.fault("api_error 50102", account=user.user_id, endpoint="account/balance")
    assert okx.fetch_holdings().of("USDT").total == D(10000)
    assert len(exchange.journal(seen, type="request", account=user.user_id, endpoint="account/balance")) == 2
    assert exchange.journal(seen, type="request", endpoint="public/time"), "its time was measured anew"
    exchange.fault("api_error 50102", account=user.user_id, endpoint=PLACE)
    request = an_order(symbol=BTC)
    with pytest.raises(RetryLater):
        okx.place_order(request)
    assert accepted(exchange, seen, request.client_order_id) == 0


# -- keys and accounts ----------------------------------------------------------------------------------------------
def test_a_demo_key_and_a_real_one_are_told_apart_with_what_to_do(okx: OKXBroker) -> None:
    demo = other_context(okx, demo=True)
    with pytest.raises(CredentialsRejected, match="trading needs okx"):
        demo.connect()
    demo.close()


def test_a_demo_key_opens_its_demo_account(wiring: Wiring, user: AccountRef) -> None:
    access = wiring.access(user, tier="demo")
    real = wiring.broker(user, access=access)
    assert isinstance(real, OKXBroker)
    with pytest.raises(CredentialsRejected, match="demo"):
        real.connect()
    demo = other_context(real, demo=True)
    assert demo.connect()
    demo.close()


def test_a_wrong_passphrase_is_named(okx: OKXBroker) -> None:
    access = okx._context.access
    wrong = dataclasses.replace(access.credentials, api_passphrase=SecretStr("not this one"))
    broker = other_context(okx, access=dataclasses.replace(access, credentials=wrong))
    with pytest.raises(CredentialsRejected, match="passphrase"):
        broker.connect()
    broker.close()


def test_a_key_that_is_refused_twice_is_left_alone(okx: OKXBroker, exchange: ExchangeProcess, user: AccountRef) -> None:
    exchange.fault("api_error 50111", times=None, account=user.user_id)
    for _ in range(2):
        with pytest.raises(CredentialsRejected):
            okx.fetch_holdings()
    seen = exchange.last_seq()
    with pytest.raises(CredentialsRejected):
        okx.place_order(an_order(symbol=BTC))
    assert "refuses the API key" in okx.key_refusal
    assert exchange.journal(seen, type="request", account=user.user_id) == []


def test_a_missing_right_is_no_fault_of_the_key(okx: OKXBroker, exchange: ExchangeProcess, user: AccountRef) -> None:
    exchange.fault("api_error 50120", times=3, account=user.user_id, endpoint=PLACE)
    for _ in range(3):
        with pytest.raises(CredentialsRejected, match="lacks the right"):
            okx.place_order(an_order(symbol=BTC))
    assert okx.key_refusal == ""
    assert okx.fetch_holdings().of("USDT").total == D(10000)


def test_what_a_key_may_do_and_whose_account_it_opens_is_told(okx: OKXBroker, wiring: Wiring, user: AccountRef) -> None:
    report = okx.key_report
    assert report is not None and report.names_account and report.withdraw_rights == ()
    again = wiring.broker(user, access=okx._context.access)
    again.connect()
    assert again.key_report == report
    stranger = wiring.broker(AccountRef.user(BrokerType.OKX, f"{user.user_id}x"))
    stranger.connect()
    assert stranger.key_report is not None and stranger.key_report.identity != report.identity


def test_an_account_in_a_margin_mode_is_refused(okx: OKXBroker, exchange: ExchangeProcess, user: AccountRef) -> None:
    config = '{"code": "0", "msg": "", "data": [{"acctLv": "3", "perm": "read_only,trade", "uid": "1"}]}'
    exchange.fault({"kind": "body", "text": config}, account=user.user_id, endpoint="account/config")
    with pytest.raises(KeyUnfit, match="spot mode"):
        okx.connect()
    assert not okx.connected


def test_money_in_the_funding_account_is_pointed_out_once(
    wiring: Wiring, user: AccountRef, exchange: ExchangeProcess, caplog: pytest.LogCaptureFixture
) -> None:
    broker = wiring.broker(user, balance="0")
    exchange.control("POST", f"/accounts/okx/{user.user_id}/deposit", {"asset": "USDT", "amount": "250"})
    with caplog.at_level(logging.WARNING):
        assert broker.fetch_holdings().of("USDT").total == 0
        broker.fetch_holdings()
    told = [record.getMessage() for record in caplog.records if "funding account" in record.getMessage()]
    assert len(told) == 1 and "250" in told[0] and "transfer" in told[0]


def test_a_balance_is_known_though_the_funding_account_cannot_be_read(
    wiring: Wiring, user: AccountRef, exchange: ExchangeProcess
) -> None:
    broker = wiring.broker(user, balance="0")
    exchange.fault("5xx", times=None, account=user.user_id, endpoint="asset/balances")
    assert broker.fetch_holdings().of("BTC").total == D("0.5")


def test_a_venue_under_maintenance_is_no_wrong_key(okx: OKXBroker, exchange: ExchangeProcess, user: AccountRef) -> None:
    exchange.fault("api_error 50001", account=user.user_id, endpoint="account/config")
    with pytest.raises(VenueInMaintenance):
        okx.connect()
    assert okx.connect()


# -- orders, trades and prices --------------------------------------------------------------------------------------
def test_a_fee_is_taken_of_what_was_received(okx: OKXBroker) -> None:
    since = now()
    bought = okx.get_order_fills(okx.place_order(an_order(quantity="0.01", symbol=BTC)).venue_order_id, since=since)
    sold = okx.get_order_fills(
        okx.place_order(an_order(Side.SELL, quantity="0.005", symbol=BTC)).venue_order_id, since=since
    )
    assert {fill.fee_currency for fill in bought} == {"BTC"}
    assert {fill.fee_currency for fill in sold} == {"USDT"}
    held = okx.fetch_holdings()
    assert held.of("BTC").total == D("0.505") - sum(fill.fee for fill in bought)
    paid = sum(fill.notional for fill in bought)
    received = sum(fill.notional - fill.fee for fill in sold)
    assert abs(held.of("USDT").total - (D(10000) - paid + received)) < D("0.0001")


def test_old_trades_are_asked_of_the_list_that_has_them(okx: OKXBroker, wiring: Wiring) -> None:
    okx.place_order(an_order(symbol=BTC))
    wiring.calls.clear()
    recent, old = (okx.get_fills_since(now() - timedelta(days=days)) for days in (1, 30))
    assert [endpoint for _, endpoint, _, _ in wiring.calls] == ["GET trade/fills", "GET trade/fills-history"]
    assert recent == old and len(old) > 0


def test_an_order_named_without_its_market_is_not_understood(okx: OKXBroker) -> None:
    number = okx.place_order(an_order(symbol=BTC)).venue_order_id.rpartition("-")[2]
    with pytest.raises(UnreadableReply, match="MARKET-NUMBER"):
        okx.get_order(number)


def test_prices_of_a_few_are_asked_one_by_one_and_of_many_at_once(okx: OKXBroker, exchange: ExchangeProcess) -> None:
    listed = [symbol for symbol, one in okx.get_trading_pairs().items() if one.tradable][:40]
    seen = exchange.last_seq()
    assert set(okx.get_best_bid_ask_batch(["ETH/USDT", BTC])) == {"ETH/USDT", BTC}
    assert len(okx.get_best_bid_ask_batch(listed)) > 10
    asked = [line["endpoint"] for line in exchange.journal(seen, type="request", brokerage="okx")]
    assert asked == ["market/ticker", "market/ticker", "market/tickers"]


def test_more_candles_than_one_answer_holds_are_read_without_a_gap(okx: OKXBroker) -> None:
    candles = okx.get_candles(BTC, interval_minutes=1, limit=450)
    assert len(candles) == 450
    steps = {later.opened_at - earlier.opened_at for earlier, later in pairwise(candles)}
    assert steps == {timedelta(minutes=1)}


# -- pace -----------------------------------------------------------------------------------------------------------
def test_too_many_requests_slow_down_this_key_alone(
    wiring: Wiring, exchange: ExchangeProcess, user: AccountRef
) -> None:
    wiring.key_budgets = RateBudgets(lambda label: RateBudget(wiring.clock, name=label, limit=5, decay_per_second=5))
    wiring.public_budget = RateBudget(wiring.clock, name="address", limit=5, decay_per_second=5)
    broker = wiring.broker(user)
    broker.connect()
    exchange.fault("api_error 50011", account=user.user_id, endpoint="account/balance")
    with pytest.raises(RetryLater):
        broker.fetch_holdings()
    api_key = broker._context.access.credentials.api_key  # type: ignore[attr-defined]
    assert wiring.key_budgets.for_key(api_key, label="").used >= 4.5
    assert wiring.public_budget.used < 4


# -- the library ----------------------------------------------------------------------------------------------------
def test_nothing_of_ccxt_is_loaded_before_something_is_signed() -> None:
    program = "import sys, bot.brokers.by_ccxt.broker; print('ccxt' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("exchange_id", ["okx", "binance"])
def test_another_account_costs_a_few_kilobytes(exchange_id: str) -> None:
    def signer() -> CcxtSigner:
        urls = {"rest": "http://127.0.0.1:1", "private": "http://127.0.0.1:1/api/v3"}
        return CcxtSigner(exchange_id, urls=urls, api_key="k", api_secret="s", passphrase="p", milliseconds=lambda: 1)

    kept = [signer()]
    tracemalloc.start()
    try:
        kept += [signer() for _ in range(20)]
        assert tracemalloc.get_traced_memory()[0] / 20 < 100_000
    finally:
        tracemalloc.stop()
    assert len(kept) == 21


@pytest.mark.parametrize("seconds", [1.0, 26.0])
def test_a_deadline_that_okx_cannot_keep_is_refused_at_the_start(okx: OKXBroker, seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="order_deadline_seconds"):
        other_context(okx, order_deadline_seconds=seconds)

"""What is Kraken's own: nonces, the lock over all accounts, ids that may be used again, deadlines, paging."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import krakenex
import pytest
import responses

from bot.brokers.base import Urgency
from bot.brokers.kraken.broker import KrakenBroker
from bot.brokers.kraken.context import nonce_path
from bot.brokers.kraken.keys import KrakenKeys
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceStatus
from bot.domain.errors import (
    CredentialsRejected,
    InsufficientFunds,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
)
from bot.domain.order import OrderType
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from tests.contract_brokers.conftest import HOLD_SECONDS, Wiring
from tests.contract_brokers.orders import BTC, an_order, now, resting_price
from tests.exchange_process import ExchangeProcess

D = Decimal


@pytest.fixture
def user(request: pytest.FixtureRequest) -> AccountRef:
    return AccountRef.user(BrokerType.KRAKEN, f"k{abs(hash(request.node.name)) % 10**9}")


@pytest.fixture
def kraken(wiring: Wiring, user: AccountRef) -> KrakenBroker:
    broker = wiring.broker(user)
    assert isinstance(broker, KrakenBroker)
    broker.connect()
    return broker


def other(user: AccountRef) -> AccountRef:
    return AccountRef.user(BrokerType.KRAKEN, f"{user.user_id}b")


# -- the lock -------------------------------------------------------------------------------------------------------
def test_a_hung_call_of_one_account_costs_another_at_most_one_hold_and_then_nothing(
    wiring: Wiring, kraken: KrakenBroker, user: AccountRef, exchange: ExchangeProcess
) -> None:
    well = wiring.broker(other(user))
    well.connect()
    exchange.fault("hang", times=None, account=user.user_id)
    clock = SystemClock()
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(kraken.get_account_balance_detailed)
        while exchange.journal(type="request", account=user.user_id, endpoint="BalanceEx") == []:
            assert not hung.done()
        started = clock.monotonic()
        assert well.get_account_balance() == D(10000)
        assert clock.monotonic() - started < HOLD_SECONDS + 1
        assert hung.result(5).status is BalanceStatus.UNKNOWN
    seen = exchange.last_seq()
    with pytest.raises(RetryLater, match="only its exits"):
        kraken.fetch_holdings()
    assert exchange.journal(seen, type="request", account=user.user_id) == [], "a parked key sends nothing"
    started = clock.monotonic()
    assert well.get_account_balance() == D(10000)
    assert clock.monotonic() - started < HOLD_SECONDS / 2
    with kraken.urgent(Urgency.EXIT), pytest.raises(UnreadableReply):
        kraken.fetch_holdings()
    assert len(exchange.journal(seen, type="request", account=user.user_id)) == 1, "an exit's call is sent"


def test_private_calls_of_all_accounts_are_never_in_flight_together_and_public_ones_need_no_turn(
    wiring: Wiring, kraken: KrakenBroker
) -> None:
    lock = wiring.locks.for_key("any")
    inside = threading.Event()
    done = threading.Event()

    def hold() -> None:
        with lock.hold(key="somebody", urgency=Urgency.POLL, timeout_seconds=1):
            inside.set()
            done.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(5)
    assert kraken.get_best_bid_ask(BTC).bid > 0
    wiring.locks.for_key("any").hold_seconds = 60
    with ThreadPoolExecutor(1) as pool:
        private = pool.submit(kraken.fetch_holdings)
        while lock.waiting == 0:
            assert not private.done()
        done.set()
        assert private.result(5).of("USD").total == D(10000)
    thread.join(5)


def test_many_accounts_at_once_are_all_served_with_rising_nonces(wiring: Wiring, user: AccountRef) -> None:
    brokers = [wiring.broker(AccountRef.user(BrokerType.KRAKEN, f"{user.user_id}x{n}")) for n in range(8)]

    def work(number: int) -> int:
        brokers[number].connect()
        return sum(1 for _ in range(10) if brokers[number].fetch_holdings().of("USD").total == D(10000))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [10] * 8
    assert {outcome for _, _, _, outcome in wiring.calls} == {"ok"}


def test_the_list_of_markets_is_read_once_for_all_accounts(
    wiring: Wiring, user: AccountRef, exchange: ExchangeProcess
) -> None:
    wiring.forget_markets()
    seen = exchange.last_seq()
    brokers = [wiring.broker(AccountRef.user(BrokerType.KRAKEN, f"{user.user_id}y{n}")) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        lists = list(pool.map(lambda broker: broker.get_trading_pairs(), brokers))
    assert all(pairs is lists[0] for pairs in lists)
    assert len(exchange.journal(seen, type="request", endpoint="AssetPairs")) == 1


# -- nonces ---------------------------------------------------------------------------------------------------------
def use_key_elsewhere(exchange: ExchangeProcess, user: AccountRef, *, ahead_seconds: int) -> None:
    """Another program uses the same key with a nonce ahead of the clock."""
    opened = exchange.open_account("kraken", user.venue_account_name)
    api = krakenex.API(opened.api_key, opened.api_secret)
    api.uri = exchange.rest_url("kraken")
    api._nonce = lambda: SystemClock().wall_ns() + ahead_seconds * 1_000_000_000
    assert api.query_private("Balance", {}, timeout=5)["error"] == []
    api.close()


def test_a_key_once_used_a_little_ahead_of_us_recovers_by_itself(
    kraken: KrakenBroker, user: AccountRef, exchange: ExchangeProcess
) -> None:
    use_key_elsewhere(exchange, user, ahead_seconds=10)
    for _ in range(2):
        with pytest.raises(RetryLater, match="Invalid nonce"):
            kraken.fetch_holdings()
    assert kraken.fetch_holdings().of("USD").total == D(10000)
    assert kraken.nonces.refusals_in_a_row == 0


def test_a_key_that_somebody_keeps_ahead_of_us_stops_after_three_refusals_and_says_so(
    wiring: Wiring, kraken: KrakenBroker, user: AccountRef, exchange: ExchangeProcess
) -> None:
    use_key_elsewhere(exchange, user, ahead_seconds=86_400)
    for _ in range(2):
        with pytest.raises(RetryLater):
            kraken.fetch_holdings()
    seen = exchange.last_seq()
    for _ in range(3):
        with pytest.raises(CredentialsRejected, match="another program uses this API key"):
            kraken.fetch_holdings()
    assert len(exchange.journal(seen, type="request", account=user.user_id)) == 1
    assert wiring.broker(other(user)).fetch_holdings().of("USD").total == D(10000)


def test_refused_nonces_are_counted_over_new_attempts_to_connect(
    wiring: Wiring, user: AccountRef, exchange: ExchangeProcess
) -> None:
    use_key_elsewhere(exchange, user, ahead_seconds=86_400)
    for _ in range(2):
        with pytest.raises(RetryLater):
            wiring.broker(user).connect()
    for _ in range(2):
        with pytest.raises(CredentialsRejected, match="another program"):
            wiring.broker(user).connect()


def test_a_closed_broker_sends_nothing_any_more(
    kraken: KrakenBroker, user: AccountRef, exchange: ExchangeProcess
) -> None:
    kraken.get_trading_pairs()
    seen = exchange.last_seq()
    kraken.close()
    with pytest.raises(RetryLater, match="closed"):
        kraken.place_order(an_order())
    assert exchange.journal(seen, type="request", account=user.user_id) == []


def test_a_lost_nonce_file_and_a_clock_an_hour_back_are_overcome_with_the_venues_time(
    wiring: Wiring, kraken: KrakenBroker, user: AccountRef, tmp_path: Path
) -> None:
    kraken.fetch_holdings()
    nonce_path(tmp_path, user).unlink()
    wiring.clock, wiring.keys = SystemClock(offset_seconds=-3600), KrakenKeys()  # as after a restart
    again = wiring.broker(user)
    assert isinstance(again, KrakenBroker)
    with pytest.raises(RetryLater, match="Invalid nonce"):
        again.connect()
    assert again.connect()
    assert again.fetch_holdings().of("USD").total == D(10000)


def test_a_nonce_file_that_makes_no_sense_stops_its_own_account_only(
    wiring: Wiring, user: AccountRef, tmp_path: Path, exchange: ExchangeProcess
) -> None:
    nonce_path(tmp_path, user).write_text("garbage")
    seen = exchange.last_seq()
    with pytest.raises(CredentialsRejected, match=nonce_path(tmp_path, user).name):
        wiring.broker(user).connect()
    assert exchange.journal(seen, type="request", account=user.user_id) == []
    assert wiring.broker(other(user)).connect()


def test_a_disk_that_takes_no_writes_sends_nothing_and_leaves_the_balance_unknown(
    wiring: Wiring, user: AccountRef, tmp_path: Path, exchange: ExchangeProcess
) -> None:
    (tmp_path / f"{nonce_path(tmp_path, user).name}.new").mkdir()
    broker = wiring.broker(user)
    seen = exchange.last_seq()
    with pytest.raises(RetryLater, match="sends nothing"):
        broker.connect()
    with pytest.raises(RetryLater, match="not sent"):
        broker.place_order(an_order())
    reading = broker.get_account_balance_detailed()
    assert reading.status is BalanceStatus.UNKNOWN and "sends nothing" in reading.reason
    assert exchange.journal(seen, type="request", account=user.user_id) == []


def test_a_locked_out_key_is_left_in_peace_also_by_a_new_broker(
    wiring: Wiring, kraken: KrakenBroker, user: AccountRef, exchange: ExchangeProcess
) -> None:
    exchange.fault({"kind": "api_error", "text": "EGeneral:Temporary lockout"}, account=user.user_id)
    with pytest.raises(RetryLater) as locked:
        kraken.fetch_holdings()
    assert locked.value.retry_after_seconds == 900
    seen = exchange.last_seq()
    with pytest.raises(RetryLater, match="locked this key out"):
        kraken.fetch_holdings()
    with pytest.raises(RetryLater, match="locked this key out"):
        wiring.broker(user).connect()
    assert exchange.journal(seen, type="request", account=user.user_id) == []


# -- orders ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("EService:Busy", OutcomeUnknown),
        ("EGeneral:Internal error", OutcomeUnknown),
        ("ENew:Never seen", OutcomeUnknown),
        ("EGeneral:Invalid arguments:cl_ord_id not unique", OutcomeUnknown),
        ("EOrder:Insufficient funds", InsufficientFunds),
        ("EOrder:Order minimum not met", OrderRefused),
        ("EOrder:Rate limit exceeded", RetryLater),
        ("EService:Deadline elapsed", RetryLater),
        ("EGeneral:Permission denied", CredentialsRejected),
    ],
)
def test_an_order_is_refused_only_on_a_word_that_proves_it(
    kraken: KrakenBroker, user: AccountRef, exchange: ExchangeProcess, text: str, kind: type[VenueError]
) -> None:
    exchange.fault({"kind": "api_error", "text": text}, account=user.user_id, endpoint="AddOrder")
    with pytest.raises(kind) as refused:
        kraken.place_order(an_order())
    assert type(refused.value) is kind
    assert refused.value.venue_code == text


@pytest.mark.parametrize(
    "reply",
    [
        '{"error": [], "result": {"descr": {"order": "buy"}}}',
        '{"error": [], "result": {"descr": {}, "txid": []}}',
        '{"error": [], "result": {"descr": {}, "txid": ["A", "B"]}}',
        '{"error": [], "result": {"descr": {}, "txid": [null]}}',
        '{"error": [], "result": []}',
        '{"error": [], "result": {"txid": ["../OAAAAA"]}}',
        '{"error": [], "result": {"txid": "OAAAAA-BBBBB-CCCCCC"}}',
        '{"error": ["EOrder:Insufficient funds"], "result": {"txid": ["OAAAAA-BBBBB-CCCCCC"]}}',
        '{"error": ["EOrder:Insufficient funds", "EService:Busy"]}',
        '{"error": {}, "result": {"txid": ["OAAAAA-BBBBB-CCCCCC"]}}',
        '{"error": ["EGeneral:Not a known one"]}',
        '{"error": []}',
        '{"error": ["EOrder:Insufficient funds"], "error": []}',
        "[]",
        "",
    ],
)
def test_an_acceptance_that_names_no_order_is_unknown(kraken: KrakenBroker, wiring: Wiring, reply: str) -> None:
    kraken.get_trading_pairs()
    with responses.RequestsMock() as venue:
        venue.add(responses.POST, f"{wiring.exchange.rest_url('kraken')}/0/private/AddOrder", body=reply)
        with pytest.raises(OutcomeUnknown):
            kraken.place_order(an_order())


def test_an_id_on_an_open_order_is_not_used_for_a_second_one(kraken: KrakenBroker, exchange: ExchangeProcess) -> None:
    price = resting_price(kraken)
    request = an_order(price=price, order_type=OrderType.LIMIT_GTC)
    seen = exchange.last_seq()
    kraken.place_order(request)
    with pytest.raises(OutcomeUnknown, match="not unique"):
        kraken.place_order(request)
    assert len(exchange.journal(seen, type="accept", client_order_id=request.client_order_id)) == 1


def test_of_two_orders_that_used_one_id_the_one_sent_last_is_found(kraken: KrakenBroker) -> None:
    client_id = SystemIds().token()
    kraken.place_order(an_order(client_order_id=client_id))
    second = kraken.place_order(an_order(client_order_id=client_id))
    found = kraken.find_order(client_id, symbol=BTC, sent_at=now())
    assert found is not None and found.venue_order_id == second.venue_order_id


def test_every_fill_of_many_pages_comes_once_and_in_order(kraken: KrakenBroker) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    acks = [kraken.place_order(an_order(quantity="0.0002")) for _ in range(107)]
    fills = kraken.get_fills_since(since)
    assert sorted({fill.venue_order_id for fill in fills}) == sorted(ack.venue_order_id for ack in acks)
    assert len({fill.trade_id for fill in fills}) == len(fills)
    assert [fill.executed_at for fill in fills] == sorted(fill.executed_at for fill in fills)
    assert sum(fill.quantity for fill in fills) == D("0.0002") * 107


def test_a_websocket_token_is_given(kraken: KrakenBroker) -> None:
    assert len(kraken.get_ws_token()) > 10


def test_every_market_of_the_venue_keeps_its_identity_through_each_of_its_names(kraken: KrakenBroker) -> None:
    catalogue = kraken._catalogue()
    assert len(catalogue.pairs) > 1400
    assert not catalogue.unreadable
    for symbol, pair in catalogue.pairs.items():
        names = (pair.symbol, pair.rest_id, pair.altname, pair.wsname)
        assert {catalogue.symbol_of(name) for name in names} == {symbol}
        assert pair.instrument.venue_symbol == pair.rest_id

"""What is each venue's own in its ledger: what is not done yet, what is taken back, pages, bad replies, dates."""

import contextlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from bot.brokers.base import BaseBroker
from bot.brokers.http_session import HttpReply
from bot.domain.account import AccountRef, BrokerType
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.errors import CredentialsRejected, MarketClosed, RetryLater, UnreadableReply
from bot.domain.order import Side
from tests.contract_brokers.conftest import OpenGate, Wiring
from tests.contract_brokers.matrix.rigs import RIGS
from tests.contract_brokers.mutation import VALUES, dropped, paths, renamed, replaced, written
from tests.contract_brokers.orders import an_order, now
from tests.exchange_process import ExchangeProcess

OF_A_READING = (UnreadableReply, RetryLater, CredentialsRejected)
SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
Document = Any
Answer = Callable[[str, Mapping[str, str]], Document | None]


class Scripted:
    """One broker at the real exchange, with answers of a test's own where it gives any; remembers what was asked."""

    def __init__(self, broker: BaseBroker) -> None:
        self.broker = broker
        self.answer: Answer = lambda _path, _asked: None
        self.asked: list[tuple[str, dict[str, str]]] = []
        session: Any = broker._session  # type: ignore[attr-defined]
        self._through = session.exchange
        session.exchange = self._exchange

    def _exchange(self, verb: str, url: str, **more: Any) -> HttpReply:
        parts = urlsplit(url)
        asked = dict(parse_qsl(parts.query)) | {name: str(value) for name, value in (more.get("params") or {}).items()}
        data = more.get("data")
        if data:
            asked |= (
                data if isinstance(data, dict) else dict(parse_qsl(data.decode() if isinstance(data, bytes) else data))
            )
        self.asked.append((parts.path, asked))
        document = self.answer(parts.path, asked)
        if document is None:
            reply: HttpReply = self._through(verb, url, **more)
            return reply
        return document if isinstance(document, HttpReply) else HttpReply(200, json.dumps(document).encode())

    def asked_at(self, ending: str) -> list[dict[str, str]]:
        return [asked for path, asked in self.asked if path.endswith(ending)]

    def events(self) -> list[CashEvent]:
        return list(self.broker.get_cash_events(SINCE))


Open = Callable[[BrokerType], Scripted]


@pytest.fixture
def opened(wiring: Wiring, request: pytest.FixtureRequest) -> Open:
    wiring.gate = OpenGate(wiring.clock, "any")
    wiring.read_seconds = 5.0

    def open_at(broker_type: BrokerType) -> Scripted:
        account = AccountRef.user(broker_type, f"l{zlib.crc32(request.node.name.encode())}")
        broker = wiring.broker(account)
        broker.connect()
        broker.get_trading_pairs()
        return Scripted(broker)

    return open_at


def millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


# -- Kraken ---------------------------------------------------------------------------------------------------------
def kraken_rows(times: list[datetime], **changes: Any) -> dict[str, Any]:
    row = {"refid": "R", "type": "deposit", "subtype": "", "asset": "ZUSD", "amount": "1.0000", "fee": "0.0000"}
    return {f"L{number:05}-AAAAA-AAAAAA": {**row, "time": at.timestamp(), **changes} for number, at in enumerate(times)}


def kraken_ledger(rows: dict[str, Any], *, failing: set[int] | None = None) -> Answer:
    """Pages as Kraken gives them; the calls numbered in `failing` are refused for the counter."""
    calls: list[None] = []

    def answer(path: str, asked: Mapping[str, str]) -> Document | None:
        if not path.endswith("Ledgers"):
            return None
        calls.append(None)
        if len(calls) - 1 in (failing or ()):
            return {"error": ["EService:Unavailable"]}
        start, end = float(asked["start"]), float(asked.get("end", "inf"))
        chosen = {name: row for name, row in rows.items() if start < row["time"] <= end}
        newest = sorted(chosen, key=lambda name: (-chosen[name]["time"], name))
        skip = int(asked["ofs"])
        page = {name: chosen[name] for name in newest[skip : skip + 50]}
        return {"error": [], "result": {"ledger": page, "count": len(chosen)}}

    return answer


def test_a_kraken_reading_that_is_broken_off_goes_on_where_it_was(opened: Open) -> None:
    kraken = opened(BrokerType.KRAKEN)
    rows = kraken_rows([SINCE + timedelta(minutes=number) for number in range(180)])
    kraken.answer = kraken_ledger(rows, failing={2})
    with pytest.raises(RetryLater):
        kraken.events()
    before = len(kraken.asked_at("Ledgers"))
    kraken.answer = kraken_ledger(rows | kraken_rows([]))
    assert {event.event_id for event in kraken.events()} == set(rows)
    later = kraken.asked_at("Ledgers")[before:]
    assert len(later) == 3, "what is new, and the two pages that were missing"
    assert len({event.event_id for event in kraken.events()}) == 180, "and a whole reading after it"


def test_many_kraken_entries_of_one_moment_are_all_read(opened: Open) -> None:
    kraken = opened(BrokerType.KRAKEN)
    rows = kraken_rows([SINCE + timedelta(minutes=1)] * 120)
    kraken.answer = kraken_ledger(rows)
    assert len(kraken.events()) == 120


def test_a_kraken_page_that_comes_short_is_no_end(opened: Open) -> None:
    kraken = opened(BrokerType.KRAKEN)
    page = kraken_rows([SINCE] * 30)
    kraken.answer = lambda path, _: (
        {"error": [], "result": {"ledger": page, "count": 80}} if path.endswith("Ledgers") else None
    )
    with pytest.raises(UnreadableReply, match="80 entries are told of and 30"):
        kraken.events()


@pytest.mark.parametrize(
    ("word", "subtype", "kind"),
    [
        ("reward", "", CashKind.STAKING),
        ("earn", "reward", CashKind.STAKING),
        ("earn", "allocation", CashKind.TRANSFER),
        ("transfer", "spottostaking", CashKind.TRANSFER),
        ("sale", "", CashKind.CONVERSION),
        ("nft_rebate", "", CashKind.OTHER),
        ("never seen", "at all", CashKind.OTHER),
    ],
)
def test_krakens_other_words(opened: Open, word: str, subtype: str, kind: CashKind) -> None:
    kraken = opened(BrokerType.KRAKEN)
    kraken.answer = kraken_ledger(kraken_rows([SINCE], type=word, subtype=subtype, amount="-2.5", fee="0.5"))
    (event,) = kraken.events()
    assert (event.kind, event.asset, event.change) == (kind, "USD", D("-3.0"))
    assert event.detail == f"{word} {subtype}".strip()


def test_a_kraken_key_that_may_not_read_the_ledger_goes_on_trading_and_says_what_it_lacks(wiring: Wiring) -> None:
    account = AccountRef.user(BrokerType.KRAKEN, "blind-to-ledgers")
    rights = [*RIGS[BrokerType.KRAKEN].rights, "create-ws-token"]
    broker = wiring.broker(account, permissions=rights)
    broker.connect()
    with pytest.raises(UnreadableReply, match="query-ledger"):
        broker.get_cash_events(SINCE)
    assert broker.key_refusal == "" and broker.fetch_holdings().assets


# -- Coinbase -------------------------------------------------------------------------------------------------------
def coinbase_row(number: int, at: datetime, **changes: Any) -> dict[str, Any]:
    amount = {"amount": "1.5", "currency": "USD"}
    created = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "id": f"t{number}",
        "type": "fiat_deposit",
        "status": "completed",
        "amount": amount,
        "created_at": created,
        **changes,
    }


def usd_pages(*pages: tuple[list[dict[str, Any]], str | None]) -> Answer:
    """Pages of the dollar wallet with the address of the next, `+` for the right one; other wallets are the venue's."""

    def answer(path: str, asked: Mapping[str, str]) -> Document | None:
        if path.endswith("/brokerage/accounts"):
            money = {"value": "10", "currency": "USD"}
            wallet = {"uuid": "usd-wallet", "currency": "USD", "available_balance": money, "hold": {"value": "0"}}
            return {"accounts": [wallet], "has_next": False}
        if not path.endswith("/transactions"):
            return None
        number = int(asked.get("starting_after", "0"))
        rows, following = pages[number]
        following = f"{path}?limit=100&starting_after={number + 1}" if following == "+" else following
        return {"pagination": {"next_uri": following}, "data": rows}

    return answer


def test_coinbase_tells_what_was_pending_when_it_is_done_and_never_what_came_to_nothing(opened: Open) -> None:
    coinbase = opened(BrokerType.COINBASE)
    long_ago = SINCE - timedelta(days=6)
    waiting = coinbase_row(1, long_ago, status="pending")
    failed = [coinbase_row(2 + n, SINCE, status=s) for n, s in enumerate(("failed", "canceled", "expired"))]
    coinbase.answer = usd_pages(([*failed, waiting], None))
    assert coinbase.events() == []
    coinbase.answer = usd_pages(([*failed, {**waiting, "status": "completed"}], None))
    (event,) = coinbase.broker.get_cash_events(SINCE + timedelta(minutes=5))
    assert (event.event_id, event.at) == ("t1", long_ago)


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example/v2/accounts/usd-wallet/transactions?starting_after=1",
        "//evil.example/v2/accounts/usd-wallet/transactions?starting_after=1",
        "/v2/accounts/another/transactions?starting_after=1",
        "/v2/accounts/usd-wallet/transactions",
        "http://[",
        7,
    ],
)
def test_a_coinbase_page_that_leads_elsewhere_is_not_followed(opened: Open, following: Any) -> None:
    coinbase = opened(BrokerType.COINBASE)
    coinbase.answer = usd_pages(([coinbase_row(1, SINCE)], following), ([], None))
    with pytest.raises(UnreadableReply, match="next_uri"):
        coinbase.events()
    assert len(coinbase.asked_at("/transactions")) == 1


def test_a_coinbase_list_that_goes_in_circles_is_no_list(opened: Open) -> None:
    coinbase = opened(BrokerType.COINBASE)
    page = ([coinbase_row(1, SINCE)], "/v2/accounts/usd-wallet/transactions?limit=100&starting_after=0")
    coinbase.answer = usd_pages(page)
    with pytest.raises(UnreadableReply, match="circles"):
        coinbase.events()


def test_quiet_coinbase_wallets_are_left_alone_until_their_balance_changes(
    opened: Open, exchange: ExchangeProcess
) -> None:
    coinbase = opened(BrokerType.COINBASE)
    broker, ledger = coinbase.broker, coinbase.broker._ledger  # type: ignore[attr-defined]
    since = now()
    broker.get_cash_events(since)
    # As if a quarter of an hour had passed since anything changed.
    from dataclasses import replace

    quiet = timedelta(minutes=16)
    ledger._wallets = {name: replace(one, changed_at=one.changed_at - quiet) for name, one in ledger._wallets.items()}
    asked = len(coinbase.asked_at("/transactions"))
    broker.get_cash_events(since + timedelta(seconds=1))
    assert len(coinbase.asked_at("/transactions")) == asked, "nothing has changed"
    exchange.move("coinbase", broker.account.venue_account_name, "dividend", "USD", "4.5")
    events = broker.get_cash_events(since + timedelta(seconds=2))
    assert [event.amount for event in events if event.kind is CashKind.DIVIDEND] == [D("4.5")]
    assert len(coinbase.asked_at("/transactions")) == asked + 1, "only the wallet that has changed"


def test_a_key_that_coinbase_does_not_take_for_its_wallets_goes_on_trading(opened: Open) -> None:
    coinbase = opened(BrokerType.COINBASE)
    coinbase.answer = lambda path, _: HttpReply(401, b"Unauthorized") if path.endswith("/transactions") else None
    for _ in range(4):
        with pytest.raises(UnreadableReply):
            coinbase.events()
    assert coinbase.broker.key_refusal == "" and coinbase.broker.fetch_holdings().assets


# -- OKX ------------------------------------------------------------------------------------------------------------
def okx_bill(number: int, at: datetime, **changes: Any) -> dict[str, Any]:
    row = {"billId": str(number), "type": "1", "subType": "11", "ccy": "USDT", "balChg": "5", "fee": "0", "ordId": ""}
    return {**row, "ts": str(millis(at)), **changes}


def okx_bills(rows: list[dict[str, Any]], ending: str = "/bills") -> Answer:
    def answer(path: str, asked: Mapping[str, str]) -> Document | None:
        if not path.endswith(ending):
            return None
        after = int(asked.get("after", 10**30))
        older = [row for row in sorted(rows, key=lambda row: -int(row["billId"])) if int(row["billId"]) < after]
        return {"code": "0", "msg": "", "data": older[:100]}

    return answer


def test_old_okx_bills_are_read_from_the_archive(opened: Open) -> None:
    okx = opened(BrokerType.OKX)
    okx.answer = okx_bills([okx_bill(number, SINCE) for number in range(1, 206)], "/bills-archive")
    assert len(okx.broker.get_cash_events(now() - timedelta(days=8))) == 205
    assert len(okx.asked_at("/bills-archive")) == 3 and not okx.asked_at("/bills")


@pytest.mark.parametrize(
    ("number", "change", "kind"),
    [
        ("7", "-0.4", CashKind.FEE),
        ("28", "2", CashKind.CONVERSION),
        ("11", "-1", CashKind.ADJUSTMENT),
        ("5", "-3", CashKind.OTHER),
        ("999", "1", CashKind.OTHER),
    ],
)
def test_okx_bills_of_other_types(opened: Open, number: str, change: str, kind: CashKind) -> None:
    okx = opened(BrokerType.OKX)
    okx.answer = okx_bills([okx_bill(1, now(), type=number, balChg=change, fee="-0.1")])
    (event,) = okx.broker.get_cash_events(now())
    # The change of the balance is after whatever fee the bill tells of.
    assert (event.kind, event.change, event.fee) == (kind, D(change), D(0)) and number in event.detail


def test_money_that_only_lands_in_okx_funding_is_no_event_of_the_trading_account(
    opened: Open, exchange: ExchangeProcess
) -> None:
    okx, since = opened(BrokerType.OKX), now() + timedelta(minutes=20)
    before = okx.broker.get_cash_events(since)
    path = f"/accounts/okx/{okx.broker.account.venue_account_name}/deposit"
    exchange.control("POST", path, {"asset": "USDT", "amount": "500"})
    assert okx.broker.get_cash_events(since) == before


# -- Binance --------------------------------------------------------------------------------------------------------
def binance_deposit(**changes: Any) -> dict[str, Any]:
    row = {"id": "d1", "amount": "5", "coin": "USDT", "network": "TRX", "status": 1, "walletType": 0}
    return {**row, "insertTime": millis(SINCE), "completeTime": millis(SINCE + timedelta(hours=1)), **changes}


def binance_withdrawal(**changes: Any) -> dict[str, Any]:
    row = {"id": "w1", "amount": "8.91", "transactionFee": "0.004", "coin": "USDT", "status": 6, "walletType": 0}
    return {**row, "applyTime": "2026-03-01 12:30:00", "network": "ETH", **changes}


def binance_lists(**lists: list[dict[str, Any]]) -> Answer:
    def answer(path: str, asked: Mapping[str, str]) -> Document | None:
        if path.endswith("deposit/hisrec"):
            return lists.get("deposits", []) if asked["offset"] == "0" else []
        if path.endswith("withdraw/history"):
            return lists.get("withdrawals", []) if asked["offset"] == "0" else []
        return None

    return answer


def test_binance_tells_what_is_done_and_only_of_the_spot_account(opened: Open) -> None:
    binance = opened(BrokerType.BINANCE)
    not_yet = [binance_deposit(id=f"p{status}", status=status) for status in (0, 2, 7, 8)]
    under_way = [binance_withdrawal(id=f"p{status}", status=status) for status in (0, 2, 3, 4)]
    binance.answer = binance_lists(
        deposits=[
            binance_deposit(),
            *not_yet,
            binance_deposit(id="d2", walletType=1),
            binance_deposit(id="d3", status=6),
        ],
        withdrawals=[binance_withdrawal(), *under_way, binance_withdrawal(id="w2", walletType=1)],
    )
    events = {event.event_id: event for event in binance.events() if event.at < SINCE + timedelta(days=1)}
    assert set(events) == {"deposit-d1", "deposit-d3", "withdrawal-w1"}
    out = events["withdrawal-w1"]
    assert (out.amount, out.fee, out.change) == (D("-8.91"), D("0.004"), D("-8.914"))
    assert out.at == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert events["deposit-d1"].at == SINCE + timedelta(hours=1), "when it arrived, not when it was seen first"


def test_binance_is_asked_for_no_longer_a_time_than_it_tells_of(opened: Open) -> None:
    binance = opened(BrokerType.BINANCE)
    binance.broker.get_cash_events(now() - timedelta(days=200))
    for ending, days in (("deposit/hisrec", 90), ("convert/tradeFlow", 30), ("assetDividend", 180), ("dribblet", 90)):
        windows = sorted((int(asked["startTime"]), int(asked["endTime"])) for asked in binance.asked_at(ending))
        assert all(0 < end - start <= days * 86_400_000 for start, end in windows), ending
        assert all(end == start for (_, end), (start, _) in pairwise(windows)), ending


def test_more_binance_distributions_than_one_answer_lists_are_asked_for_by_halves(opened: Open) -> None:
    binance = opened(BrokerType.BINANCE)
    rows: list[dict[str, Any]] = [
        {"id": 7000 + number, "amount": "1", "asset": "BNB", "divTime": millis(SINCE) + number * 1000, "enInfo": "x"}
        for number in range(1200)
    ]

    def answer(path: str, asked: Mapping[str, str]) -> Document | None:
        if not path.endswith("assetDividend"):
            return None
        chosen = [row for row in rows if int(asked["startTime"]) <= row["divTime"] <= int(asked["endTime"])]
        return {"rows": chosen[-int(asked["limit"]) :], "total": len(chosen)}

    binance.answer = answer
    assert len([event for event in binance.events() if event.kind is CashKind.DIVIDEND]) == 1200


def test_a_host_without_some_of_binances_lists_tells_the_rest(opened: Open) -> None:
    binance = opened(BrokerType.BINANCE)
    listed = binance_lists(deposits=[binance_deposit()])

    def answer(path: str, asked: Mapping[str, str]) -> Document | None:
        if path.endswith(("tradeFlow", "dribblet", "assetDividend", "asset/transfer")):
            return HttpReply(404, b'{"code": -5000, "msg": "Path not found"}')
        return listed(path, asked)

    binance.answer = answer
    assert "deposit-d1" in {event.event_id for event in binance.events()}
    asked = len(binance.asked_at("dribblet"))
    binance.events()
    assert len(binance.asked_at("dribblet")) == asked, "what is not there is asked for once"


# -- Alpaca ---------------------------------------------------------------------------------------------------------
def activity(word: str, number: int = 1, stamp: str = "20260302143000123", **changes: Any) -> dict[str, Any]:
    row = {"id": f"{stamp}::{number:08}-0000-4000-8000-000000000000", "activity_type": word, "date": "2026-03-02"}
    return {**row, "net_amount": "0", "status": "executed", **changes}


def alpaca_list(*rows: dict[str, Any]) -> Answer:
    return lambda path, asked: list(rows) if path.endswith("/account/activities") else None


def test_a_dividends_quantity_is_what_it_was_paid_for_and_no_change_of_shares(opened: Open) -> None:
    alpaca = opened(BrokerType.ALPACA)
    alpaca.answer = alpaca_list(activity("DIV", symbol="T", qty="2", per_share_amount="0.51", net_amount="1.02"))
    (event,) = alpaca.events()
    assert (event.kind, event.asset, event.amount, event.reference) == (CashKind.DIVIDEND, "USD", D("1.02"), "T")


def test_a_split_is_told_in_shares_and_a_reorganisation_in_shares_and_money(opened: Open) -> None:
    alpaca = opened(BrokerType.ALPACA)
    alpaca.answer = alpaca_list(
        activity("SPLIT", 1, symbol="AAPL", qty="30"),
        activity("MA", 3, symbol="OLD", qty="-5", net_amount="120.5"),
    )
    events = alpaca.events()
    assert {(event.kind, event.asset, event.amount) for event in events} == {
        (CashKind.SPLIT, "AAPL", D(30)),
        (CashKind.ADJUSTMENT, "USD", D("120.5")),
        (CashKind.ADJUSTMENT, "OLD", D(-5)),
    }
    assert len({event.event_id for event in events}) == 3


def test_a_split_in_two_activities_is_one_event_and_half_of_it_is_none(opened: Open) -> None:
    alpaca = opened(BrokerType.ALPACA)
    stamp = f"{now():%Y%m%d%H%M%S}000"
    taken = activity("SPLIT", 1, stamp, symbol="AAPL", qty="-100", date=f"{now():%Y-%m-%d}")
    given = activity("SPLIT", 2, stamp, symbol="AAPL", qty="10", date=f"{now():%Y-%m-%d}")
    alpaca.answer = alpaca_list(taken)
    assert alpaca.events() == []
    alone = activity("SPLIT", 3, symbol="AAPL", qty="-90")
    alpaca.answer = alpaca_list(alone)
    assert [event.amount for event in alpaca.events()] == [D(-90)], "nothing more has come of it for long"
    for both in ((taken, given), (given, taken)):
        alpaca.answer = alpaca_list(*both)
        (split,) = alpaca.events()
        assert (split.kind, split.amount, split.event_id) == (CashKind.SPLIT, D(-90), f"{given['id']}/shares")
    alpaca.answer = alpaca_list({**taken, "status": "canceled"}, {**given, "status": "canceled"})
    assert [event.amount for event in alpaca.events()] == [D(-90), D(90)]


def test_what_alpaca_takes_back_is_told_with_its_taking_back(opened: Open) -> None:
    alpaca = opened(BrokerType.ALPACA)
    alpaca.answer = alpaca_list(activity("CSD", net_amount="100"))
    (told,) = alpaca.events()
    alpaca.answer = alpaca_list(activity("CSD", net_amount="100", status="canceled"))
    first, back = alpaca.events()
    assert first == told and back.amount == -100 and back.reference == told.event_id
    alpaca.answer = alpaca_list(activity("CSD", net_amount="100", status="pending"))
    assert alpaca.events() == []


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({}, datetime(2026, 3, 2, 14, 30, tzinfo=UTC)),
        ({"created_at": "2026-03-02T15:00:00.5Z"}, datetime(2026, 3, 2, 15, 0, 0, 500_000, tzinfo=UTC)),
        ({"stamp": "20260101000000000"}, datetime(2026, 3, 2, tzinfo=UTC)),
        ({"stamp": "20269999999999"}, datetime(2026, 3, 2, tzinfo=UTC)),
        ({"stamp": "x"}, datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)
def test_an_alpaca_day_gets_its_time_from_the_id_or_is_its_beginning(
    opened: Open, changes: dict[str, Any], at: datetime
) -> None:
    alpaca = opened(BrokerType.ALPACA)
    alpaca.answer = alpaca_list(activity("FEE", net_amount="-0.02", **changes))
    (event,) = alpaca.events()
    assert (event.kind, event.at) == (CashKind.FEE, at)


def test_orders_of_a_stock_whose_shares_were_split_wait_until_the_venue_has_told_it(
    opened: Open, exchange: ExchangeProcess
) -> None:
    alpaca = opened(BrokerType.ALPACA).broker
    name, aapl = alpaca.account.venue_account_name, "AAPL/USD"
    alpaca.get_cash_events(now())
    alpaca.fetch_holdings()
    exchange.move("alpaca", name, "deposit", "AAPL", "100")
    alpaca.fetch_holdings()
    assert alpaca.awaits(aapl, Side.SELL) is None, "shares that cost something were no split"
    exchange.move("alpaca", name, "adjustment", "AAPL", "450")
    alpaca.fetch_holdings()
    awaited = alpaca.awaits(aapl, Side.SELL)
    assert awaited is not None and "split of AAPL/USD" in awaited.sentence
    assert alpaca.awaits("MSFT/USD", Side.SELL) is None
    with pytest.raises(MarketClosed, match="split"):
        alpaca.place_order(an_order(Side.SELL, "1", symbol=aapl))
    assert [event.amount for event in alpaca.get_cash_events(now()) if event.kind is CashKind.SPLIT] == [D(450)]
    assert alpaca.awaits(aapl, Side.SELL) is None


def test_shares_of_nothing_are_not_readable(opened: Open) -> None:
    alpaca = opened(BrokerType.ALPACA)
    alpaca.answer = alpaca_list(activity("SPLIT", qty="30"))
    with pytest.raises(UnreadableReply, match="symbol"):
        alpaca.events()


def test_alpacas_regulatory_fees_of_a_day_are_events_of_the_account(opened: Open, exchange: ExchangeProcess) -> None:
    alpaca = opened(BrokerType.ALPACA)
    exchange.move("alpaca", alpaca.broker.account.venue_account_name, "fee", "USD", "0.03", reference="TAF fee")
    (event,) = [one for one in alpaca.broker.get_cash_events(now()) if one.kind is CashKind.FEE]
    assert (event.asset, event.amount, event.detail) == ("USD", D("-0.03"), "FEE TAF fee")


# -- any reply at all -----------------------------------------------------------------------------------------------
WHOLE = (b"", b"null", b"[]", b"{}", b"7", b'"ok"', b"<html>", b"[" * 5000, b'{"a":NaN}', b"\xff\xfe")
MOVES = {
    BrokerType.KRAKEN: ("staking", "ETH", "0.5"),
    BrokerType.COINBASE: ("staking", "ETH", "0.5"),
    BrokerType.OKX: ("conversion", "BTC", "0.1"),
    BrokerType.BINANCE: ("conversion", "BTC", "0.1"),
    BrokerType.ALPACA: ("dividend", "USD", "0.5"),
}


def spoiled(body: bytes) -> Iterator[bytes]:
    document = json.loads(body)
    for turn, place in enumerate(paths(document)):
        yield written(dropped(document, place))
        if isinstance(place[-1], str):
            yield written(renamed(document, place))
        for value in VALUES[turn % 6 :: 6]:
            yield written(replaced(document, place, value))
    yield from WHOLE


@pytest.mark.parametrize("broker_type", list(MOVES), ids=str)
def test_a_ledger_of_any_reply_is_read_or_not_readable(
    opened: Open, exchange: ExchangeProcess, broker_type: BrokerType
) -> None:
    scripted, since = opened(broker_type), now()
    kind, asset, amount = MOVES[broker_type]
    more = {"into": {"asset": "ETH", "amount": "1"}} if kind == "conversion" else {}
    exchange.move(str(broker_type), scripted.broker.account.venue_account_name, kind, asset, amount, **more)
    session: Any = scripted.broker._session  # type: ignore[attr-defined]
    heard: list[HttpReply] = []

    def listen(*asked: Any, **also: Any) -> HttpReply:
        heard.append(scripted._through(*asked, **also))
        return heard[-1]

    session.exchange = listen
    assert scripted.broker.get_cash_events(since)
    good = list(heard)
    for number, reply in enumerate(good):
        if len(reply.body) > 20_000 or (broker_type is BrokerType.BINANCE and len(reply.body) < 100):
            continue
        for body in spoiled(reply.body):
            replies = iter([*good[:number], HttpReply(reply.status, body), *good[number + 1 :]])
            session.exchange = lambda *_asked, left=replies, **_also: next(left, good[-1])
            with contextlib.suppress(*OF_A_READING):
                for event in scripted.broker.get_cash_events(since):
                    assert event.change.is_finite() and event.at.tzinfo is not None

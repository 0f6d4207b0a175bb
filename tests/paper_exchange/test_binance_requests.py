"""Who is let in at the Binance front: keys, signatures, times, rights, weights."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from paper_exchange.binance.limits import FIRST_BAN_NS, ORDERS_IN_TEN_SECONDS, PATIENCE, WEIGHT_A_MINUTE, Limits
from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.binance_caller import SYMBOL, BinanceCaller, now_ms

SECOND_NS = 1_000_000_000
START_NS = 1_800_000_000 * SECOND_NS
BALANCES = {"USDT": "100000", "BTC": "1"}


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[BinanceCaller]:
    account = exchange.open_account("binance", request.node.name[:60], BALANCES)
    with BinanceCaller(exchange, account) as opened:
        yield opened


def _signature(caller: BinanceCaller, text: str) -> str:
    return hmac.new(caller.account.api_secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_parameters_may_be_in_the_query_in_the_form_or_in_both(caller: BinanceCaller) -> None:
    order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET"}
    size, stamp = {"quantity": "0.001"}, {"timestamp": now_ms()}
    assert caller.call("POST", "order", {**order, **size}).status == 200
    assert caller.call("POST", "order", order, in_body=size).status == 200
    form = urlencode({**order, **size, **stamp})
    body = f"{form}&signature={_signature(caller, form)}".encode()
    whole = caller._send("POST", "order", "", body, caller.key_header)
    assert whole.status == 200, whole
    twice = caller.call("POST", "order", {**order, **size}, in_body={"quantity": "1000"})
    assert (twice.status, twice.body["executedQty"]) == (200, "0.00100000")


def test_the_signature_is_that_of_the_text_as_sent_whatever_its_case(caller: BinanceCaller) -> None:
    text = urlencode({"timestamp": now_ms()})
    assert (
        caller.raw("GET", "account", f"{text}&signature={_signature(caller, text).upper()}", caller.key_header).status
        == 200
    )
    forged = caller.raw("GET", "account", f"{text}&signature={'0' * 64}", caller.key_header)
    assert (forged.status, forged.body) == (400, {"code": -1022, "msg": "Signature for this request is not valid."})
    changed = caller.raw(
        "GET", "account", f"{text}&omitZeroBalances=true&signature={_signature(caller, text)}", caller.key_header
    )
    assert changed.body["code"] == -1022
    bare = caller.raw("GET", "account", text, caller.key_header)
    assert (bare.status, bare.body["code"]) == (400, -1102)
    assert "'signature'" in bare.body["msg"]


def test_wrong_keys_are_told(caller: BinanceCaller) -> None:
    text = urlencode({"timestamp": now_ms()})
    signed = f"{text}&signature={_signature(caller, text)}"
    for key in ("", "too-short"):
        answer = caller.raw("GET", "account", signed, {"X-MBX-APIKEY": key} if key else {})
        assert (answer.status, answer.body["code"]) == (401, -2014)
    unknown = caller.raw("GET", "account", signed, {"X-MBX-APIKEY": "A" * 64})
    words = "Invalid API-key, IP, or permissions for action."
    assert (unknown.status, unknown.body) == (401, {"code": -2015, "msg": words})


def test_a_request_must_be_neither_early_nor_older_than_its_window(caller: BinanceCaller) -> None:
    def code(offset_ms: int, **window: str) -> int:
        answer = caller.get("account", timestamp=now_ms() + offset_ms, **window)
        return 0 if answer.status == 200 else int(answer.body["code"])

    assert code(0) == code(500) == code(-3000) == code(-40_000, recvWindow="60000") == 0
    assert code(3000) == code(-6000) == code(-2000, recvWindow="1000") == code(-5000, recvWindow="1500.500") == -1021
    assert code(0, recvWindow="60001") == -1131
    assert code(0, recvWindow="1.2345") == code(0, recvWindow="-1") == -1100
    assert caller.get("account", timestamp=now_ms() * 1000).status == 200
    assert caller.get("account", timestamp="soon").body["code"] == -1100


def test_a_timestamp_must_be_sent(caller: BinanceCaller) -> None:
    text = "omitZeroBalances=true"
    answer = caller.raw("GET", "account", f"{text}&signature={_signature(caller, text)}", caller.key_header)
    assert (answer.status, answer.body["code"]) == (400, -1102) and "'timestamp'" in answer.body["msg"]


def test_a_key_may_only_do_what_it_is_allowed_to(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("binance", "reader", BALANCES, permissions=["enableReading"])
    with BinanceCaller(exchange, account) as reader:
        assert reader.get("account").status == 200
        refused = reader.order("no", "BUY", "MARKET", quantity="0.001")
        rights = reader.get("/sapi/v1/account/apiRestrictions").body
    assert (refused.status, refused.body["code"]) == (401, -2015)
    assert (rights["enableReading"], rights["enableSpotAndMarginTrading"]) == (True, False)
    assert (rights["enableWithdrawals"], rights["ipRestrict"]) == (False, True)


def test_parameters_that_nobody_reads_or_that_come_twice_are_refused(caller: BinanceCaller) -> None:
    assert caller.public("time", x="1").body["code"] == -1101
    assert caller.public("depth", symbol=SYMBOL, colour="red").body["code"] == -1104
    assert caller.raw("GET", "depth", f"symbol={SYMBOL}&symbol=ETHUSDT").body["code"] == -1101
    assert caller.raw("GET", "depth", "symbol=").body["code"] == -1105
    assert caller.get("/sapi/v1/capital/config/getall", colour="red").status == 200


def test_what_is_no_endpoint_is_not_found(caller: BinanceCaller) -> None:
    for method, path in (("GET", "nothing"), ("PUT", "order"), ("GET", "/"), ("GET", "/fapi/v1/time")):
        answer = caller.raw(method, path, "")
        assert (answer.status, answer.body["code"]) == (404, -5000)


def test_every_reply_says_what_was_used(caller: BinanceCaller) -> None:
    first = int(caller.public("time").headers["X-MBX-USED-WEIGHT-1M"])
    second = int(caller.get("account").headers["X-MBX-USED-WEIGHT-1M"])
    assert second - first == 20 or second < first  # a new minute may have begun
    assert "X-MBX-USED-WEIGHT-1M" in caller.get("order", symbol=SYMBOL, orderId=1).headers
    placed = caller.order("count", "BUY", "MARKET", quantity="0.001")
    assert (placed.headers["X-MBX-ORDER-COUNT-10S"], placed.headers["X-MBX-ORDER-COUNT-1D"]) == ("1", "1")
    counts = caller.get("rateLimit/order").body
    assert [count["count"] for count in counts][1] == 1


def test_a_strict_account_is_stopped_above_the_weight_of_a_minute_and_banned_if_it_goes_on() -> None:
    limits = Limits()
    assert limits.charge(WEIGHT_A_MINUTE, START_NS, strict=True) is None
    assert limits.charge(1, START_NS, strict=False) is None
    refused = limits.charge(1, START_NS + 20 * SECOND_NS, strict=True)
    assert refused is not None and (refused.status, refused.retry_after_seconds) == (429, 40)
    assert limits.charge(1, START_NS + 60 * SECOND_NS, strict=True) is None
    limits.charge(WEIGHT_A_MINUTE, START_NS + 61 * SECOND_NS, strict=False)
    answers = [limits.charge(1, START_NS + 62 * SECOND_NS, strict=True) for _ in range(PATIENCE + 1)]
    assert [answer.status for answer in answers if answer][-2:] == [429, 418]
    banned = limits.charge(1, START_NS + 130 * SECOND_NS, strict=True)
    assert banned is not None and (banned.status, banned.retry_after_seconds) == (418, 52)
    assert limits.charge(1, START_NS + 62 * SECOND_NS + FIRST_BAN_NS, strict=True) is None


def test_a_fault_can_say_that_the_address_is_over_its_limit_or_banned(
    exchange: ExchangeProcess, caller: BinanceCaller
) -> None:
    for text, status, seconds in (("429: 7", 429, "7"), ("418: 180", 418, "180"), ("-1003", 429, "1")):
        exchange.fault({"kind": "api_error", "text": text}, account=caller.account.name, endpoint="account")
        answer = caller.get("account")
        assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (status, -1003, seconds)
    assert caller.get("account").status == 200


def test_a_strict_account_sends_a_hundred_orders_in_ten_seconds() -> None:
    limits = Limits()
    answers = [limits.charge_order("binance:a", START_NS, strict=True) for _ in range(ORDERS_IN_TEN_SECONDS + 1)]
    assert answers[:-1] == [None] * ORDERS_IN_TEN_SECONDS and answers[-1] is not None
    assert answers[-1].retry_after_seconds == 10
    assert limits.charge_order("binance:b", START_NS, strict=True) is None
    assert limits.charge_order("binance:a", START_NS + 10 * SECOND_NS, strict=True) is None


def test_a_strict_account_over_its_weight_is_told_when_to_come_back() -> None:
    with ExchangeProcess(seed=19) as process:
        account = process.open_account("binance", "strict", BALANCES, strict=True)
        with BinanceCaller(process, account) as caller:
            answers = [caller.get("openOrders") for _ in range(WEIGHT_A_MINUTE // 80 + PATIENCE + 2)]
            # Should the minute end meanwhile, all of it fits into the next.
            answers += [caller.get("openOrders") for _ in range(WEIGHT_A_MINUTE // 80 + PATIENCE + 2)]
    limited = next(answer for answer in answers if answer.status == 429)
    assert limited.body["code"] == -1003 and 1 <= int(limited.headers["Retry-After"]) <= 60
    assert any(answer.status == 418 and int(answer.headers["Retry-After"]) > 60 for answer in answers)

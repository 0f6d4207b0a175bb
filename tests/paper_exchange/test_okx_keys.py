"""Who is let in at the OKX front: signature, passphrase, clock, environment, rights and rates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from paper_exchange.api_keys import AccountRegistry
from paper_exchange.okx.front import OKX
from tests.exchange_process import ExchangeProcess, PaperAccount
from tests.paper_exchange.okx_caller import INSTRUMENT, OkxCaller


@pytest.fixture(scope="module")
def account(exchange: ExchangeProcess) -> PaperAccount:
    return exchange.open_account("okx", "keys", {"USDT": "1000"})


@pytest.fixture
def caller(exchange: ExchangeProcess, account: PaperAccount) -> Iterator[OkxCaller]:
    with OkxCaller(exchange, account) as opened:
        yield opened


def _with(exchange: ExchangeProcess, account: PaperAccount, **changed: str) -> OkxCaller:
    fields = {"api_key": account.api_key, "api_secret": account.api_secret, "api_passphrase": account.api_passphrase}
    return OkxCaller(exchange, PaperAccount("okx", account.name, **{**fields, **changed}))


def test_a_key_has_a_passphrase_and_opens_the_account(caller: OkxCaller) -> None:
    assert caller.account.api_passphrase
    answer = caller.get("account/config")
    assert (answer.status, answer.code) == (200, "0")
    assert answer.rows[0]["perm"] == "read_only,trade" and answer.rows[0]["acctLv"] == "1"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"api_key": "unknown"}, "50111"),
        ({"api_secret": "0" * 32}, "50113"),
        ({"api_passphrase": "wrong"}, "50105"),
    ],
)
def test_a_wrong_key_secret_or_passphrase_is_told_apart(
    exchange: ExchangeProcess, account: PaperAccount, changed: dict[str, str], code: str
) -> None:
    with _with(exchange, account, **changed) as stranger:
        answer = stranger.get("account/balance")
    assert (answer.status, answer.code) == (401, code)
    assert answer.rows == []


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("OK-ACCESS-KEY", "50103"),
        ("OK-ACCESS-PASSPHRASE", "50104"),
        ("OK-ACCESS-SIGN", "50106"),
        ("OK-ACCESS-TIMESTAMP", "50107"),
    ],
)
def test_a_missing_header_is_named(caller: OkxCaller, header: str, code: str) -> None:
    answer = caller.send("GET", "/api/v5/account/balance", b"", headers={header: ""})
    assert (answer.status, answer.code) == (401, code)


@pytest.mark.parametrize("ahead_seconds", [-31.0, 32.0])
def test_a_clock_that_is_half_a_minute_wrong_is_refused(caller: OkxCaller, ahead_seconds: float) -> None:
    caller.ahead_seconds = ahead_seconds
    answer = caller.get("account/balance")
    assert (answer.status, answer.code) == (401, "50102")


def test_a_clock_that_is_some_seconds_wrong_is_taken(caller: OkxCaller) -> None:
    caller.ahead_seconds = -20.0
    assert caller.get("account/balance").code == "0"


def test_a_timestamp_that_is_none_is_refused(caller: OkxCaller) -> None:
    answer = caller.send("GET", "/api/v5/account/balance", b"", headers={"OK-ACCESS-TIMESTAMP": "yesterday"})
    assert (answer.status, answer.code) == (401, "50112")


def test_the_signature_covers_query_and_body_as_they_are_sent(caller: OkxCaller) -> None:
    target = "/api/v5/account/balance"
    moved = caller.headers("GET", f"{target}?ccy=USDT", b"")
    assert caller.send("GET", f"{target}?ccy=BTC", b"", headers=moved).code == "50113"
    body = b'{ "instId":"BTC-USDT",  "ordId":"1" }'
    assert caller.send("POST", "/api/v5/trade/cancel-order", body).rows[0]["sCode"] == "51400"
    other = caller.headers("POST", "/api/v5/trade/cancel-order", body)
    tighter = b'{"instId":"BTC-USDT","ordId":"1"}'
    assert caller.send("POST", "/api/v5/trade/cancel-order", tighter, headers=other).code == "50113"


def test_a_live_key_is_no_good_for_demo_trading_nor_a_demo_key_for_live(
    exchange: ExchangeProcess, caller: OkxCaller
) -> None:
    demo = {"x-simulated-trading": "1"}
    live = caller.send("GET", "/api/v5/account/balance", b"", headers=demo)
    assert (live.status, live.code) == (401, "50101")
    assert caller.send("GET", "/api/v5/account/balance", b"", headers={"x-simulated-trading": "0"}).code == "0"
    with OkxCaller(exchange, exchange.open_account("okx", "demo", {"USDT": "1"}, tier="demo")) as other:
        assert other.get("account/balance").code == "50101"
        assert other.send("GET", "/api/v5/account/balance", b"", headers=demo).code == "0"


def test_a_key_that_may_only_read_can_not_trade(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("okx", "reader", {"USDT": "1000"}, permissions=["read_only"])
    with OkxCaller(exchange, account) as reader:
        answer = reader.order("r1", "market", sz="100", tgtCcy="quote_ccy")
        assert (answer.status, answer.code) == (200, "50120")
        assert reader.get("account/config").rows[0]["perm"] == "read_only"
        exchange.control(
            "POST", "/accounts/okx/reader/permissions", {"permissions": ["read_only", "trade", "withdraw"]}
        )
        assert reader.get("account/config").rows[0]["perm"] == "read_only,withdraw,trade"
        reader.placed("r1", "market", sz="100", tgtCcy="quote_ccy")


def test_a_new_key_has_a_new_passphrase_and_the_old_one_is_gone(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("okx", "rotated", {"USDT": "1000"})
    new = exchange.control("POST", "/accounts/okx/rotated/key", {})
    assert new["api_passphrase"] != account.api_passphrase
    with OkxCaller(exchange, account) as old, _with(exchange, account, **new) as fresh:
        assert old.get("account/balance").code == "50111"
        assert fresh.get("account/balance").code == "0"


def test_the_passphrase_survives_a_restart(tmp_path: Path) -> None:
    with ExchangeProcess(state=tmp_path) as exchange:
        account = exchange.open_account("okx", "kept", {"USDT": "1000"})
        exchange.stop()
        exchange.start()
        assert exchange.open_account("okx", "kept") == account
        with OkxCaller(exchange, account) as caller:
            assert caller.get("account/balance").code == "0"


def test_accounts_saved_before_there_were_passphrases_are_taken_back_without() -> None:
    registry = AccountRegistry([OKX])
    saved = {
        "brokerage": "okx", "name": "old", "api_key": "k", "api_secret": "s", "public_key": None, "permissions": [],
        "tier": "live", "strict": False, "nonce_window": 0, "created_ns": 1,
    }  # fmt: skip
    registry.restore([saved])
    restored = registry.by_key("okx", "k")
    assert restored is not None and restored.passphrase == ""


def test_posts_want_json(caller: OkxCaller) -> None:
    form = caller.send("POST", "/api/v5/trade/order", b"{}", headers={"Content-Type": "text/plain"})
    assert (form.status, form.code) == (400, "50006")
    empty = caller.send("POST", "/api/v5/trade/order", b"")
    assert (empty.status, empty.code) == (400, "50000")
    for body in (b"[1]", b"nonsense", b'"text"', b"[]"):
        answer = caller.send("POST", "/api/v5/trade/order", body)
        assert (answer.status, answer.code) == (400, "50002"), body


def test_an_endpoint_that_is_none_is_not_found(caller: OkxCaller) -> None:
    for path in ("trade/no-such", "no/such/thing"):
        assert caller.get(path).status == 404
    assert caller.send("POST", "/api/v5/account/balance", b"{}").status == 404


def test_a_strict_account_that_calls_too_often_is_held_back(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("okx", "strict", {"USDT": "1000"}, strict=True)
    with OkxCaller(exchange, account) as strict:
        answers = [strict.get("account/config") for _ in range(6)]
        assert [answer.code for answer in answers] == ["0"] * 5 + ["50011"]
        assert answers[-1].status == 429
        assert strict.get("account/balance").code == "0", "every endpoint has its own limit"


def test_limits_of_orders_count_by_instrument_and_for_the_whole_account(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("okx", "strict-trader", {"USDT": "1000"}, strict=True)
    wrong = {"tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0", "px": "1"}
    with OkxCaller(exchange, account) as strict:
        batch = [{**wrong, "instId": INSTRUMENT}] * 20
        codes = [strict.post("trade/batch-orders", batch).code for _ in range(16)]
        assert codes == ["1"] * 15 + ["50011"]
        assert strict.post("trade/batch-orders", [{**wrong, "instId": "ETH-USDT"}]).code == "1"

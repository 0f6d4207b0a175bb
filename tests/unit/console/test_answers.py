"""What the API answers over a store: every route something, wrong questions a sentence, and no secret in anything."""

import base64
import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from bot.console.api_orders import csv_line
from bot.console.environment import console_environment
from bot.console.routes import all_routes
from tests.unit.console.served import (
    CONTROL_PASSWORD,
    CONTROL_TOKEN,
    VIEW_TOKEN,
    WITH_PASSWORDS,
    Served,
)

# Of each path with a part in it: one that is there, if the store has one.
PATHS: Mapping[str, str] = {"label": "kraken", "symbol": "BTC-USD", "signal_id": "x", "client_order_id": "x", "id": "1"}
UNKNOWN = {"/api/v1/copies/x", "/api/v1/orders/x", "/api/v1/markets/BTC-USD", "/api/v1/controls/1"}
QUERIES = {"/api/v1/decisions": "?account=kraken", "/api/v1/why": "?account=kraken", "/api/v1/scans": "?account=kraken"}
WITH_EXPONENT = re.compile(r'"-?[0-9.]+E[+-]?[0-9]+"')
READING = [route for route in all_routes() if route.method == "GET" and not route.health and route.path != "/metrics"]
VIEW: Mapping[str, str | None] = {"Authorization": f"Bearer {VIEW_TOKEN}"}


@pytest.mark.parametrize("path", [route.path.format(**PATHS) for route in READING])
def test_every_question_is_answered(public: Served, path: str) -> None:
    answer = public.get(path + QUERIES.get(path, ""), **VIEW)
    assert answer.status == (404 if path in UNKNOWN else 200), answer.text
    if path.endswith(".csv"):
        assert answer.headers["content-type"].startswith("text/csv")
        assert "attachment" in answer.headers["content-disposition"]
        assert next(csv.reader(io.StringIO(answer.text)))
    else:
        assert isinstance(answer.json, dict)
        assert not _floats_of_money(answer.json), "money is text"
        assert not WITH_EXPONENT.search(answer.text)


def _floats_of_money(value: object, name: str = "") -> list[str]:
    if isinstance(value, dict):
        return [found for key, one in value.items() for found in _floats_of_money(one, str(key))]
    if isinstance(value, list):
        return [found for one in value for found in _floats_of_money(one, name)]
    money = ("quantity", "price", "equity", "available", "held", "fee", "value_quote", "cost_quote", "profit_quote")
    return [name] if isinstance(value, float) and name in money else []


@pytest.mark.parametrize(
    "question",
    [
        *("orders?limit=0", "orders?limit=501", "orders?limit=ten", "orders?limit=-1", "orders?limit=1e2"),
        *("orders?limit=" + "9" * 5000, "orders?before=x", "orders?before=" + "9" * 30, "orders?state=lost"),
        *("orders?symbol=%00", "orders?symbol=a%20b%20c", "events?after=yesterday", "events?before=2026-01-31"),
        *("pnl?from=31.1.2026", "pnl?from=2026-02-01&to=2026-01-01", "pnl?from=2026-99-01", "fills?limit=%D9%A1"),
        *("log?level=LOUD", "log?limit=99999", "copies?limit=x", "controls?limit=x", "alerts?limit=x"),
        *("markets/%00", "orders/%00", "fills.csv?since=never", "decisions?account=kraken&limit=0"),
    ],
)
def test_a_wrong_question_is_answered_with_a_sentence(public: Served, question: str) -> None:
    answer = public.get(f"/api/v1/{question}", **VIEW)
    assert answer.status in (400, 404), answer.text
    assert len(answer.json["error"].split()) >= 4
    assert len(answer.body) < 600


@pytest.mark.parametrize(
    "question",
    [
        *(
            "accounts/krakn",
            "orders?account=krakn",
            "fills?account=krakn",
            "events?account=krakn",
            "positions?account=krakn",
        ),
        *(
            "why?account=krakn",
            "scans?account=krakn",
            "money?account=krakn",
            "pnl?account=krakn",
            "decisions?account=krakn",
        ),
        *("pnl.csv?account=krakn", "fills.csv?account=krakn"),
    ],
)
def test_an_account_that_there_is_not_is_answered_with_the_nearest(public: Served, question: str) -> None:
    answer = public.get(f"/api/v1/{question}", **VIEW)
    assert answer.status == 404, answer.text
    assert "kraken" in answer.json["error"]


def test_what_others_wrote_comes_back_as_text_of_json(public: Served) -> None:
    answer = public.get(f"/api/v1/accounts/{quote('<script>alert(1)</script>', safe='')}", **VIEW)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_without_a_store_the_answer_says_what_to_do(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        answer = served.open_page().get("/api/v1/overview")
    assert answer.status == 503
    assert "./start.sh" in answer.json["error"]


# -- tables for spreadsheets ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "-", "--1", "-x", '=HYPERLINK("http://evil")', "\n=1"]
)
def test_a_text_that_would_be_a_formula_is_made_harmless(text: str) -> None:
    assert next(csv.reader(io.StringIO(csv_line([text]))))[0] == f"'{text}"


@pytest.mark.parametrize("text", ["-1", "-0.00000001", "12.5", "BTC/USD", "", "a=b", "2026-01-31"])
def test_numbers_and_plain_texts_stay_as_they_are(text: str) -> None:
    assert next(csv.reader(io.StringIO(csv_line([text, "x"]))))[0] == text


# -- secrets ----------------------------------------------------------------------------------------------------------
KEYS = {
    "KRAKEN_API_KEY": "canary-kraken-key-0123456789",
    "KRAKEN_API_SECRET": "canary-kraken-secret-9876543210",
    "COINBASE_API_SECRET": "canary-coinbase-abcdefgh",
    "PAPER_EXCHANGE_TOKEN": "canary-exchange-token-xyz",
    "NIJA__PAPER__EXCHANGE_TOKEN": "canary-exchange-token-two",
    "AWS_SECRET_ACCESS_KEY": "canary-aws-secret",
}


def test_no_key_of_a_brokerage_is_in_what_the_console_is_given() -> None:
    given = console_environment({**KEYS, **WITH_PASSWORDS, "STATE_DIR": "/x", "PORT": "1"})
    assert not [value for value in given.values() if "canary" in value]
    assert given["NIJA_CONSOLE_PASSWORD"] == CONTROL_PASSWORD
    assert given["STATE_DIR"] == "/x"


def test_no_password_token_or_key_is_in_any_answer_or_log(
    books: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    with Served(books, bind="0.0.0.0", environ=WITH_PASSWORDS) as served:
        served.post("/api/v1/sign-in", {"password": CONTROL_PASSWORD + "!"})
        served.post("/api/v1/sign-in", {"password": CONTROL_PASSWORD})
        token: dict[str, str | None] = {"Authorization": f"Bearer {CONTROL_TOKEN}"}
        answers = [served.get(r.path.format(**PATHS) + QUERIES.get(r.path, ""), **token) for r in all_routes()]
        answers += [served.get(path, **token) for path in ("/", f"/{CONTROL_TOKEN}", "/api/v1/stream?topics=x")]
        key = (books / "console_session_key").read_bytes().hex()
    printed = capfd.readouterr()
    said = [caplog.text, printed.out, printed.err, *(str(one.headers) + one.body.decode() for one in answers)]
    for secret in (*WITH_PASSWORDS.values(), key):
        encoded = (secret, quote(secret), secret.encode().hex(), base64.b64encode(secret.encode()).decode())
        assert not [each for each in said for form in encoded if form in each]

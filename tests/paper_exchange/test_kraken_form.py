from __future__ import annotations

import pytest

from paper_exchange.kraken.form import Params, parse_body

FORM = "application/x-www-form-urlencoded; charset=utf-8"


def form(text: str) -> Params:
    params = parse_body(text.encode(), FORM)
    assert params is not None
    return params


def json_params(text: str) -> Params:
    params = parse_body(text.encode(), "application/json; charset=utf-8")
    assert params is not None
    return params


@pytest.mark.parametrize(
    ("spelling", "value"),
    [("True", True), ("true", True), ("1", True), ("False", False), ("false", False), ("0", False), ("", False)],
)
def test_every_spelling_of_true_and_false_is_understood(spelling: str, value: bool) -> None:
    assert form(f"validate={spelling}").flag("validate") is value


def test_lists_are_comma_joined_text_or_json_arrays() -> None:
    assert form("txid=O1%2CO2,O3").items("txid") == ["O1", "O2", "O3"]
    assert json_params('{"orders": ["O1", 42]}').items("orders") == ["O1", "42"]
    assert form("nonce=1").items("txid") == []


def test_a_conditional_close_is_read_from_brackets_and_from_json() -> None:
    for params in (
        form("close%5Bordertype%5D=limit&close[price]=%2B1%25"),
        json_params('{"close": {"ordertype": "limit", "price": "+1%"}}'),
    ):
        close = params.nested("close")
        assert close is not None
        assert (close.text("ordertype"), close.text("price")) == ("limit", "+1%")


def test_json_numbers_keep_the_text_they_had() -> None:
    params = json_params('{"nonce": 1795228946571000001, "volume": 0.10000000, "validate": true}')
    assert params.text("nonce") == "1795228946571000001"
    assert params.text("volume") == "0.10000000"
    assert params.flag("validate")


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", b'"text"', b"[" * 100_000])
def test_json_that_is_no_object_is_not_understood(body: bytes) -> None:
    assert parse_body(body, "application/json") is None

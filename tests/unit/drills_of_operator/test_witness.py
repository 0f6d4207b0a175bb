"""What a drill reads from the exchange's journal."""

from decimal import Decimal
from typing import Any

from bot.diagnostics.drills.witness import Witness


def line(kind: str, account: str | None = "ann", **more: Any) -> dict[str, Any]:
    common = {
        "seq": 1,
        "brokerage": "okx",
        "symbol": "ETH/USDT",
        "side": "buy",
        "error": None,
        "fee": "0",
        "nonce": None,
    }
    return {**common, "fee_asset": None, "client_order_id": None, "type": kind, "account": account, **more}


def test_what_is_held_is_what_was_bought_less_what_was_sold_and_less_fees_taken_from_it() -> None:
    seen = Witness(
        [
            line("fill", quantity="2", fee="0.002", fee_asset="ETH"),
            line("fill", quantity="0.5", side="sell", fee="1.7", fee_asset="USDT"),
            line("fill", "bob", quantity="9"),
            line("fill", quantity="9", symbol="BTC/USDT"),
            line("fill", quantity="9", brokerage="kraken"),
        ],
        "okx",
    )
    assert seen.traded("ann", "buy", "ETH/USDT") == 2
    assert seen.held("ann", "ETH/USDT") == Decimal("1.498")


def test_an_order_that_was_accepted_twice_under_one_id_is_named() -> None:
    orders = [line("accept", client_order_id=name) for name in ("a", "b", "a", None, None)]
    assert Witness(orders, "okx").taken_twice() == ["a"]
    assert Witness(orders[:2], "okx").taken_twice() == []


def test_refusals_for_a_nonce_are_counted_by_account_and_others_are_not() -> None:
    seen = Witness(
        [
            line("refuse", error="EAPI:Invalid nonce", nonce="5"),
            line("refuse", "bob", error="EAPI:Invalid nonce", nonce="5"),
            line("refuse", error="EOrder:Insufficient funds"),
        ],
        "okx",
    )
    assert (seen.nonce_refusals("ann"), seen.nonce_refusals()) == (1, 2)


def test_lines_of_nobody_are_left_out() -> None:
    assert Witness([line("request", None)], "okx").of("request") == []

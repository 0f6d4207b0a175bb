"""limits ACCOUNT: the smallest and largest order, what sets each, and why none is possible."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.app import main
from bot.domain.decision import ExitStatus
from bot.domain.position import ExitPlan, Position
from bot.domain.quote import Quote, Ticker
from bot.market.scan_prices import ScanPrices
from bot.seams.clock import SystemClock
from bot.storage import positions
from bot.storage.exit_states import ExitState, save_exit_state
from bot.storage.market_rows import put
from bot.storage.schema import market_catalogue, market_scout
from tests.memory_broker import BTC as LISTED_BTC
from tests.stored_bot import COINBASE, DAIVON, KRAKEN, StoredBot, now, write_configuration
from tests.unit.diagnostics.conftest import Answer, Ask

D = Decimal
BTC = "BTC/USD"
Say = Callable[..., Answer]


@pytest.fixture
def say(ask: Ask) -> Say:
    return lambda *words: ask(main, "limits", *words)


@pytest.fixture
def running(bot: StoredBot) -> StoredBot:
    """A master with 900.5 USD, a user with 900.5 USD, and a market at 50,000 with a minimum of 5 USD."""
    bot.runs()
    bot.accounts([KRAKEN, DAIVON])
    market(bot, BTC, "50000")
    return bot


def market(bot: StoredBot, symbol: str, ask: str, *, seconds_ago: float = 1.0, **changes: Any) -> None:
    listed = {
        "broker": "kraken", "symbol": symbol, "venue_symbol": symbol, "status": "online", "tradable": True,
        "lot_step": D("0.00000001"), "tick_size": D("0.1"), "minimum_quantity": D("0.00005"),
        "minimum_notional": D(5), "changed_at": now(),
    }  # fmt: skip
    priced = {
        "broker": "kraken", "symbol": symbol, "bid": D(ask), "ask": D(ask), "last_price": D(ask),
        "volume_base": None, "priced_at": now() - timedelta(seconds=seconds_ago),
    }  # fmt: skip
    bot.store.write(lambda connection: put(connection, market_catalogue, [listed | changes]))
    bot.store.write(lambda connection: put(connection, market_scout, [priced]))


def configure(home: Path, **risk: object) -> None:
    lines = [f"  {name}: {value}" for name, value in risk.items()]
    write_configuration(home, masters="\n".join(["masters:", "  - {broker: kraken}", "risk:", *lines, ""]))


def order_of(answer: Answer) -> dict[str, Any]:
    (order,) = answer.json["possible_orders"]
    found: dict[str, Any] = order
    return found


def test_a_masters_next_order_is_its_part_of_the_cash_and_its_largest_all_that_limits_and_cash_leave(
    running: StoredBot, home: Path, say: Say
) -> None:
    configure(home, order_fraction_of_balance_percent=10, max_order_notional_usd=400)
    order = order_of(say("kraken", BTC, "--json"))
    assert D(order["next_notional"]) == pytest.approx(D("90.05"), abs=D("0.001"))
    assert order["next_set_by"] == "order_fraction_of_balance_percent 10"
    assert (D(order["smallest_notional"]), order["smallest_set_by"]) == (D(5), "the venue's minimum notional")
    assert order["largest_set_by"] == "max_order_notional_usd"
    assert 390 < D(order["largest_notional"]) <= 400
    assert order["why_none"] is None


def test_without_limits_cash_sets_the_largest(running: StoredBot, home: Path, say: Say) -> None:
    names = ("order", "symbol", "account", "total")
    configure(home, order_fraction_of_balance_percent=10, **{f"max_{name}_notional_usd": "null" for name in names})
    answer = say("kraken", "btc")
    assert answer.code == 0
    assert "Its largest possible order is" in answer.text
    order = order_of(say("kraken", BTC, "--json"))
    assert order["largest_set_by"] == "available cash, less the fee"
    assert 880 < D(order["largest_notional"]) < D("900.5")


def test_an_order_that_the_limits_would_veto_is_not_possible_and_the_limit_is_named(
    running: StoredBot, home: Path, say: Say
) -> None:
    configure(home, order_fraction_of_balance_percent=10, max_order_notional_usd=50)
    answer = say("kraken", BTC)
    assert answer.code == 1
    assert "No order is possible because order notional: 90.05 USD for this order would be more than 50." in answer.text


def test_a_size_below_the_venues_minimum_is_no_order(running: StoredBot, home: Path, say: Say) -> None:
    configure(home, order_fraction_of_balance_percent=10)
    market(running, BTC, "50000", minimum_notional=D(100))
    order = order_of(say("kraken", BTC, "--json"))
    assert "100" in order["why_none"]
    assert (order["next"], D(order["smallest_notional"])) == (None, D(100))


def test_what_is_not_known_sizes_nothing(running: StoredBot, home: Path, say: Say) -> None:
    configure(home, order_fraction_of_balance_percent=10)
    market(running, "ETH/USD", "3000", seconds_ago=4000)
    assert order_of(say("kraken", "ETH/USD", "--json"))["why_none"] == "the price of ETH/USD is 66 min old"
    market(running, "SOL/USD", "100", tradable=False, status="cancel_only")
    assert "is not traded now: cancel_only" in order_of(say("kraken", "SOL/USD", "--json"))["why_none"]
    running.account(KRAKEN, balance_status="stale", balance_reason="no answer")
    assert order_of(say("kraken", BTC, "--json"))["why_none"] == "its balance is stale: no answer"


def test_a_closed_gate_is_said_before_any_size(running: StoredBot, home: Path, say: Say) -> None:
    configure(home, order_fraction_of_balance_percent=10)
    running.account(KRAKEN, waiting_for="8 positions and 0 open entries, the cap is 8")
    answer = say("kraken", BTC)
    assert answer.code == 1
    assert "No order is possible because of this: kraken makes no entries now: 8 positions" in answer.text


def test_a_users_next_order_is_its_share_of_the_masters_and_its_caps_set_the_largest(
    running: StoredBot, home: Path, say: Say
) -> None:
    write_configuration(
        home,
        masters="masters:\n  - {broker: kraken}\nrisk: {order_fraction_of_balance_percent: 10}\n",
        users="""[{"user_id": "daivon_frazier", "name": "D", "account_type": "retail", "broker_type": "kraken",
                  "enabled": true, "max_symbol_notional_usd": 120}]""",
    )
    running.account(KRAKEN, cash_available=D(9000), cash_held=D(0), holdings_json=usd("9000"))
    running.account(DAIVON, cash_available=D(900), cash_held=D(0), holdings_json=usd("900"))
    order = order_of(say(DAIVON.label, BTC, "--json"))
    assert (D(order["next_notional"]), order["next_set_by"]) == (D(90), "its share of the master's next order")
    assert (D(order["largest_notional"]), order["largest_set_by"]) == (D(120), "max_symbol_notional_usd")
    held = Position(
        account_id=DAIVON.label, symbol=BTC, quantity=D("0.001"), average_entry_price=D(50000), opened_at=now(),
        highest_price=D(50000), exit_plan=ExitPlan(),
    )  # fmt: skip
    running.store.write(lambda connection: positions.save_position(connection, held))
    order = order_of(say(DAIVON.label, BTC, "--json"))
    assert (D(order["next_notional"]), order["next_set_by"]) == (D(70), "max_symbol_notional_usd")


@pytest.mark.parametrize(("told", "reserve"), [("1.2", "1.012"), ("0.1", "1.001"), (None, "1.004")])
def test_a_users_largest_copy_keeps_back_the_fee_of_that_user(
    running: StoredBot, home: Path, say: Say, told: str | None, reserve: str
) -> None:
    configure(home, order_fraction_of_balance_percent=10)
    proofs = "{}" if told is None else f'{{"taker_fee_percent": "{told}"}}'
    running.account(DAIVON, cash_available=D(900), cash_held=D(0), holdings_json=usd("900"), proofs_json=proofs)
    order = order_of(say(DAIVON.label, BTC, "--json"))
    assert order["largest_set_by"] == "available cash"
    # With the half percent by which a copy may be dearer than what it copies.
    assert D(order["largest_notional"]) == pytest.approx(900 / (D("1.005") * D(reserve)), abs=D("0.001"))


def test_a_share_below_the_minimum_is_why_a_user_copies_nothing(running: StoredBot, home: Path, say: Say) -> None:
    configure(home, order_fraction_of_balance_percent=10)
    running.account(DAIVON, cash_available=D(40), cash_held=D(0), holdings_json=usd("40"))
    answer = say(DAIVON.label, BTC)
    assert answer.code == 1
    assert "No order is possible because below minimum:" in answer.text


def test_without_a_market_the_ones_that_matter_are_listed(running: StoredBot, home: Path, say: Say) -> None:
    configure(home, order_fraction_of_balance_percent=10)
    market(running, "ETH/USD", "3000")
    market(running, "ETH/EUR", "2800")
    assert [each["symbol"] for each in say("kraken", "--json").json["possible_orders"]] == [BTC, "ETH/USD"]
    assert say("krakn").code == 2


def usd(amount: str) -> str:
    return f'{{"USD": {{"available": "{amount}", "held": "0"}}}}'


def test_where_no_watch_looks_a_price_at_which_an_exit_was_judged_will_do(
    running: StoredBot, home: Path, say: Say
) -> None:
    configure(home, order_fraction_of_balance_percent=10)
    market(running, "ETH/USD", "3000", seconds_ago=4000)
    judged = ExitState(
        account_id=DAIVON.label, symbol="ETH/USD", at=now(), cycle=1, status=ExitStatus.ARMED, reason="", bid=D(3100)
    )
    running.store.write(lambda connection: save_exit_state(connection, judged))
    order = order_of(say("kraken", "ETH/USD", "--json"))
    assert (order["price"], order["why_none"]) == ("3100", None)


def test_a_brokerage_that_nobody_watches_has_the_prices_of_its_masters_scans(
    running: StoredBot, home: Path, say: Say
) -> None:
    configure(home, order_fraction_of_balance_percent=10)
    running.account(COINBASE)
    assert "There is no market 'BTC/USD' for coinbase" in say("coinbase", BTC, "--json").text
    clock = SystemClock()
    found = Ticker(Quote(BTC, D(49_990), D(50_000), clock.now()))
    ScanPrices(running.store, clock, broker="coinbase").note({BTC: LISTED_BTC}, {BTC: found})
    order = order_of(say("coinbase", BTC, "--json"))
    assert (order["price"], order["why_none"]) == ("50000", None)
    assert D(order["next_notional"]) == pytest.approx(D("90.05"), abs=D("0.001"))

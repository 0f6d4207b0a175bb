"""What a newcomer gets: all masters trade on a real wire, and every one of their users copies."""

from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.account import BrokerType
from tests.bot_process import SHIPPED, BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

SEED = 7


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=SEED, options=["--alpaca-session", "always-open"]) as process:
        yield process


def brokers_with_answers(bot: BotProcess) -> dict[str, dict[str, Any]]:
    """Per brokerage the first signal of which every user has an answer."""
    done: dict[str, dict[str, Any]] = {}
    for signal in bot.copies():
        if len(signal["users"]) == 2 and all(user["status"] != "planned" for user in signal["users"]):
            done.setdefault(signal["broker"], signal)
    return done


def test_all_masters_trade_and_all_their_users_copy_to_the_lot(exchange: ExchangeProcess, tmp_path: Path) -> None:
    environ = environment(tmp_path, exchange, **SHIPPED)
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        wait_until(lambda: len(brokers_with_answers(bot)) == 5, seconds=120, what="a copied signal at each brokerage")
        signals = bot.copies()
        assert bot.stop() == 0
        journal = exchange.journal()
        log = bot.log()
    for signal in signals:
        for user in signal["users"]:
            check_size(signal, user)
    check_journal(bot, journal)
    for line in (
        "Kraken MASTER connected",
        "Kraken registered as MASTER broker in multi-account manager",
        "STARTING MASTER BROKER THREADS",
        "Started independent trading thread for kraken (MASTER)",
        "STARTING USER BROKER THREADS",
        "Started independent trading thread for daivon_frazier_kraken (USER)",
        "Copy trade engine started - user trades will be replicated",
        "kraken - Cycle #1",
        "kraken cycle completed successfully",
        "Trading cycle mode: MASTER (full strategy)",
        "Trading cycle mode: USER (position management only)",
        "USER MODE: Skipping market scan (signals come from copy trade engine)",
        "Scanning for new opportunities...",
        "daivon_frazier_kraken (USER) - Cycle #1",
        "no real money can move",
        "INDEPENDENT",
    ):
        assert line in log


def check_size(signal: dict[str, Any], user: dict[str, Any]) -> None:
    """size = master's size × ratio of the balances, rounded down to the venue's lot."""
    if signal["kind"] != "entry" or user["status"] in ("skipped", "planned"):
        return
    ratio = Decimal(user["user_balance"]) / Decimal(signal["master_balance"])
    ideal = Decimal(signal["quantity"]) * ratio
    planned = Decimal(user["planned_quantity"])
    assert planned <= ideal
    # The lot is a power of ten at each venue; what was cut off is less than one lot.
    lot = Decimal(1).scaleb(planned.normalize().as_tuple().exponent)
    assert planned == (ideal / lot).to_integral_value(rounding=ROUND_FLOOR) * lot
    assert user["status"] == "copied"
    assert Decimal(user["filled_quantity"]) == planned


def check_journal(bot: BotProcess, journal: list[dict[str, Any]]) -> None:
    """The exchange saw exactly the orders that the answers speak of, and each once."""
    accepted = [line for line in journal if line["type"] == "accept"]
    ids = [line["client_order_id"] for line in accepted]
    assert len(set(ids)) == len(ids)
    by_users = {line["client_order_id"] for line in accepted if line["account"] != "master"}
    answered = {
        user["client_order_id"] for signal in bot.copies() for user in signal["users"] if user["client_order_id"]
    }
    assert answered <= by_users
    # A user's own stop or target is the only order of his that no signal speaks of, and it is a sale.
    for line in accepted:
        if line["client_order_id"] in by_users - answered:
            assert line["side"] == "sell"


def test_a_master_of_10000_who_buys_500_moves_its_users_by_50_and_250(
    exchange: ExchangeProcess, tmp_path: Path
) -> None:
    """Over the wire, from fills in the exchange's journal alone: parts of balances, whatever the price."""
    environ = environment(tmp_path, exchange, **SHIPPED, NIJA__RISK__ORDER_FRACTION_OF_BALANCE_PERCENT="5")
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        wait_until(lambda: len(brokers_with_answers(bot)) == 5, seconds=120, what="a copied signal at each brokerage")
        bot.stop()
    for brokerage in BrokerType:
        lines = [line for line in exchange.journal() if line["brokerage"] == brokerage]
        first = next(line for line in lines if line["type"] == "accept" and line["account"] == "master")
        bought: dict[str, Decimal] = {}
        for line in lines:
            if line["type"] == "fill" and line["side"] == "buy" and line["symbol"] == first["symbol"]:
                bought[line["account"]] = bought.get(line["account"], Decimal(0)) + Decimal(line["quantity"])
        for user, part in (("daivon_frazier", Decimal("0.1")), ("tania_gilbert", Decimal("0.5"))):
            ideal = bought["master"] * part
            assert bought[user] <= ideal
            assert ideal - bought[user] < ideal * Decimal("0.01")


def test_the_bot_stops_by_itself_after_the_time_it_was_given(tmp_path: Path) -> None:
    """With an exchange of its own, which must be gone afterwards."""
    with BotProcess(environment(tmp_path), "--for", "3", log=tmp_path / "out.txt") as bot:
        assert bot.process.wait(30) == 0
        assert "ran for the 3 s it was asked to" in bot.log()
    assert not (tmp_path / "paper" / "endpoint.json").exists()

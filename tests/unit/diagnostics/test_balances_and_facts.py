"""What is known of money and of the six facts, with its age; what is not known is a word."""

from datetime import timedelta
from typing import Any

from bot.diagnostics import broker_status, independent_status
from tests.stored_bot import KRAKEN, StoredBot, now
from tests.unit.diagnostics.conftest import Ask

UNREAD: dict[str, Any] = {"cash_available": None, "cash_held": None, "balance_taken_at": None, "holdings_json": "{}"}


def test_an_unknown_balance_is_a_word_and_never_a_number(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, **UNREAD, balance_status="unknown", balance_reason="EService:Unavailable")
    text = ask(broker_status.main).text
    assert "unknown: EService:Unavailable" in text
    assert "0.00" not in text
    balance = ask(broker_status.main, "--json").json["accounts"][0]["balance"]
    assert (balance["status"], balance["reason"]) == ("unknown", "EService:Unavailable")
    assert (balance["available"], balance["held"], balance["holdings"]) == (None, None, None)


def test_a_value_of_an_earlier_run_does_not_stand_in_for_an_unknown_balance(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, balance_status="unknown", balance_reason="no balance was read yet")
    assert "unknown: no balance was read yet" in ask(broker_status.main).text
    assert ask(broker_status.main, "--json").json["accounts"][0]["balance"]["available"] is None


def test_a_balance_shows_its_whole_and_what_is_in_orders(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN)
    assert "950.00 USD (fresh, 0 s), 49.50 of it in orders" in ask(broker_status.main).text
    balance = ask(broker_status.main, "--json").json["accounts"][0]["balance"]
    assert (balance["available"], balance["held"]) == ("900.5", "49.5")


def test_a_balance_that_nobody_read_for_long_is_not_fresh_whatever_was_written(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, balance_taken_at=now() - timedelta(minutes=5))
    assert "950.00 USD (stale, 5 min)" in ask(broker_status.main).text
    assert ask(broker_status.main, "--json").json["accounts"][0]["balance"]["status"] == "stale"


def test_a_stale_balance_says_the_error_behind_it(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, balance_status="stale", balance_reason="timed out", balance_errors=3)
    assert "950.00 USD (stale, 0 s: timed out)" in ask(broker_status.main).text


def test_each_fact_has_its_time(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, funded_at=None, armed_at=None)
    facts = ask(broker_status.main, "--json").json["accounts"][0]["facts"]
    assert list(facts) == ["configured", "authenticated", "permitted", "funded", "armed", "last order or fill"]
    assert facts["funded"] is None
    assert facts["permitted"].endswith("Z")


def test_a_reason_is_shown_as_the_venue_wrote_it(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, health="degraded", health_reason="[/red] [bold]EGeneral:Permission denied")
    assert "[/red] [bold]EGeneral:Permission denied" in ask(broker_status.main).text


def test_masters_and_users_stand_apart_and_each_line_is_independent(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.accounts()
    text = ask(independent_status.main).text
    masters, users = text.split("USERS")
    assert "INDEPENDENT Trader-kraken: healthy, 9 cycles" in masters
    assert "INDEPENDENT Trader-coinbase" in masters
    assert "INDEPENDENT Trader-daivon_frazier_kraken" in users


def test_an_account_without_a_thread_is_not_given_one(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, armed_at=None, waiting_for="not funded")
    text = ask(independent_status.main).text
    assert "INDEPENDENT kraken: no thread yet: not funded" in text
    assert "Trader-kraken" not in text

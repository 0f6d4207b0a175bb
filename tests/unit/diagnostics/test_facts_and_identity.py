"""Facts with their proofs, phases, warnings and waits as the commands show them; a person's word for a new account."""

import json
from datetime import timedelta

from bot.app import main as bot_main
from bot.diagnostics import active_trading, broker_status
from bot.domain.account import AccountRef
from bot.storage import identities
from tests.stored_bot import DAIVON, KRAKEN, StoredBot, now
from tests.unit.diagnostics.conftest import Ask

PROOFS = {
    "authenticated": "GetApiKeyInfo answered",
    "permitted": "GetApiKeyInfo lists 8 rights, with the 5 needed",
    "last_order": "buy BTC/USD is filled",
    "last_fill": "bought 0.1 BTC/USD",
}
ACCEPT = ("accounts", "accept-identity", DAIVON.label, "--by", "Anna", "--reason", "he moved")


def test_each_fact_is_shown_with_its_age_and_what_proved_it(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, proofs_json=json.dumps(PROOFS), phase="ready")
    answer = ask(broker_status.main)
    for proof in ("GetApiKeyInfo answered", "bought 0.1"):
        assert proof in answer.text
    shown = ask(broker_status.main, "--json").json["accounts"][0]
    assert shown["phase"] == "ready"
    assert shown["proofs"]["permitted"] == PROOFS["permitted"]
    assert shown["proofs"]["last order or fill"] == PROOFS["last_fill"], "the newer of the two"


def test_a_fact_that_is_not_true_has_no_proof(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, proofs_json=json.dumps(PROOFS), permitted_at=None, last_order_at=now() + timedelta(seconds=1))
    proofs = ask(broker_status.main, "--json").json["accounts"][0]["proofs"]
    assert "permitted" not in proofs
    assert proofs["last order or fill"] == PROOFS["last_order"]


def test_a_phase_that_says_more_than_the_health_is_shown_with_it(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, health="failed", phase="failed_config", health_reason="money can be withdrawn")
    assert "failed (failed_config)" in ask(broker_status.main).text


def test_a_warning_and_a_wait_are_shown_of_one_who_trades_too(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(DAIVON, warning="MONEY CAN BE WITHDRAWN", waiting_for="waiting for master since 12:00")
    text = ask(broker_status.main).text
    assert f"{DAIVON.label}: WARNING: MONEY CAN BE WITHDRAWN" in text
    assert f"{DAIVON.label}: waiting for master since 12:00" in text
    assert "waiting for master since 12:00" in ask(active_trading.main).text


def pinned(bot: StoredBot, account: AccountRef) -> str | None:
    with bot.store.read() as connection:
        found = identities.pin_of(connection, account.label)
    return None if found is None else found.identity


def test_a_person_accepts_that_a_key_opens_another_account(ask: Ask, bot: StoredBot) -> None:
    bot.account(DAIVON)
    bot.store.write(lambda connection: identities.pin(connection, DAIVON.label, "portfolio 1", at=now()))
    answer = ask(bot_main, *ACCEPT)
    assert (answer.code, answer.errors) == (0, "")
    assert "the account that its key opens next is the right one" in answer.text
    assert "It was portfolio 1" in answer.text
    assert pinned(bot, DAIVON) is None


def test_an_account_that_is_not_there_is_refused_and_nothing_changes(ask: Ask, bot: StoredBot) -> None:
    bot.account(KRAKEN)
    bot.store.write(lambda connection: identities.pin(connection, KRAKEN.label, "portfolio 1", at=now()))
    answer = ask(bot_main, *ACCEPT, "--json")
    assert (answer.code, answer.json["done"]) == (2, False)
    assert f"no account {DAIVON.label}" in answer.json["said"]
    assert pinned(bot, KRAKEN) == "portfolio 1"

"""The commands that read the store: what they say of accounts, and how they end."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bot.diagnostics import active_trading, broker_status, independent_status, kraken_status
from bot.domain.account import AccountRef, BrokerType
from tests.stored_bot import COINBASE, DAIVON, KRAKEN, USERS, StoredBot, now, write_configuration
from tests.unit.diagnostics.conftest import Answer, Main

Ask = Callable[..., Answer]
EVERY = [broker_status.main, independent_status.main, active_trading.main, kraken_status.main]


@pytest.mark.parametrize("main", EVERY)
def test_before_the_first_run_they_say_what_to_run(ask: Ask, main: Main) -> None:
    answer = ask(main)
    assert (answer.code, answer.text) == (3, "")
    assert "has not run yet" in answer.errors
    assert "./start.sh" in answer.errors


@pytest.mark.parametrize("main", EVERY)
def test_before_the_first_run_json_is_still_json(ask: Ask, main: Main) -> None:
    answer = ask(main, "--json")
    assert answer.code == 3
    assert answer.json["running"] is False
    assert answer.json["accounts"] == []
    assert "./start.sh" in answer.json["said"]


def test_looking_creates_no_store(ask: Ask, home: Path) -> None:
    ask(broker_status.main)
    assert not (home / "nija.db").exists()


@pytest.mark.parametrize("main", EVERY)
def test_an_unknown_option_is_wrong_use(ask: Ask, main: Main) -> None:
    with pytest.raises(SystemExit) as ended:
        ask(main, "--jsn")
    assert ended.value.code == 2


@pytest.mark.parametrize("main", EVERY)
def test_a_broken_configuration_is_wrong_use_and_named(ask: Ask, home: Path, main: Main) -> None:
    write_configuration(home, masters="mastres: []\n")
    answer = ask(main)
    assert answer.code == 2
    assert "mastres" in answer.errors


@pytest.mark.parametrize("main", EVERY)
def test_all_well_is_0(ask: Ask, bot: StoredBot, main: Main) -> None:
    bot.runs()
    bot.accounts()
    answer = ask(main)
    assert answer.code == 0, answer.text
    assert "running in paper mode" in answer.text
    assert ask(main, "--json").code == 0


@pytest.mark.parametrize("main", EVERY)
def test_one_account_that_does_not_trade_is_1(ask: Ask, bot: StoredBot, main: Main) -> None:
    bot.runs()
    bot.accounts()
    bot.account(DAIVON, health="degraded", health_reason="balance unknown: timed out")
    answer = ask(main)
    assert answer.code == 1
    assert "timed out" in answer.text


def test_kraken_alone_does_not_mind_coinbase(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.accounts()
    bot.account(COINBASE, health="failed", health_reason="key rejected")
    assert ask(kraken_status.main).code == 0
    assert [one["account"] for one in ask(kraken_status.main, "--json").json["accounts"]] == [
        "kraken",
        "daivon_frazier_kraken",
    ]
    assert ask(broker_status.main).code == 1


@pytest.mark.parametrize("main", EVERY)
def test_a_stopped_bot_is_3_with_the_last_state_and_its_age(ask: Ask, bot: StoredBot, main: Main) -> None:
    bot.runs()
    bot.accounts()
    bot.ended("signal SIGTERM")
    answer = ask(main)
    assert answer.code == 3
    assert "not running: it stopped 0 s ago (signal SIGTERM)" in answer.text
    assert "kraken" in answer.text.lower()
    assert {one["trading"] for one in ask(main, "--json").json["accounts"]} == {False}


def test_a_killed_bot_is_not_taken_for_a_running_one(ask: Ask, bot: StoredBot) -> None:
    # No process has this number: it is above what Linux gives out.
    bot.runs(pid=2**22 + 1)
    bot.accounts()
    answer = ask(broker_status.main)
    assert answer.code == 3
    assert "ended without a word" in answer.text


@pytest.mark.parametrize("seconds", [16, 3600, -3600])
def test_a_process_that_does_not_beat_is_not_running(ask: Ask, bot: StoredBot, seconds: float) -> None:
    bot.runs(heartbeat_ago=seconds)
    bot.accounts()
    answer = ask(broker_status.main)
    assert answer.code == 3
    assert "has not been heard of" in answer.text


def test_a_store_without_a_run_says_so(ask: Ask, bot: StoredBot) -> None:
    answer = ask(broker_status.main)
    assert answer.code == 3
    assert "has not run yet" in answer.text


def test_a_file_that_is_no_store_is_named(ask: Ask, home: Path) -> None:
    (home / "nija.db").write_bytes(b"not a database, and long enough to be looked at" * 10)
    answer = ask(broker_status.main)
    assert answer.code == 3
    assert "cannot be read" in answer.errors


def test_a_store_in_a_directory_with_odd_letters_is_found(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = home / "50% of it # and ü"
    odd.mkdir()
    monkeypatch.setenv("STATE_DIR", str(odd))
    with StoredBot(odd) as bot:
        bot.runs()
        bot.accounts()
        assert ask(broker_status.main).code == 0


# -- trading, only with proof -------------------------------------------------------------------------------------------
def lines_of(ask: Ask) -> list[str]:
    return ask(active_trading.main).text.splitlines()[1:]


def test_trading_is_said_with_its_proof(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.accounts()
    assert lines_of(ask) == [
        "MASTER ACCOUNT: TRADING (Broker: COINBASE): last order 50 s ago, last fill 50 s ago, last cycle 0 s ago",
        "MASTER ACCOUNT: TRADING (Broker: KRAKEN): last order 50 s ago, last fill 50 s ago, last cycle 0 s ago",
        "USER: Daivon Frazier: TRADING (Broker: KRAKEN): last order 50 s ago, last fill 50 s ago, last cycle 0 s ago",
    ]


def test_an_account_that_never_ordered_says_none_yet(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, last_order_at=None, last_fill_at=None)
    assert "TRADING (Broker: KRAKEN): last order none yet, last fill none yet, last cycle" in lines_of(ask)[0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"armed_at": None, "waiting_for": "not funded: 3.00 is below 10 USD"}, "not funded: 3.00 is below 10 USD"),
        ({"armed_at": None, "health": "failed", "health_reason": "key rejected"}, "key rejected"),
        ({"armed_at": None}, "not armed yet"),
        ({"health": "starting", "health_reason": "connected"}, "starting: connected"),
        ({"health": "degraded", "health_reason": "[Errno 111] refused"}, "degraded: [Errno 111] refused"),
        ({"health": "failed"}, "failed"),
        ({"last_cycle_at": None}, "no cycle has ended yet"),
        ({"last_cycle_at": now() - timedelta(seconds=600)}, "its last cycle ended 10 min ago"),
        ({"last_cycle_at": now() + timedelta(seconds=3600)}, "its last cycle ended"),
    ],
)
def test_without_proof_it_is_not_trading_and_says_why(
    ask: Ask, bot: StoredBot, changes: dict[str, object], why: str
) -> None:
    bot.runs()
    bot.account(KRAKEN, **changes)
    assert lines_of(ask)[0].startswith(f"MASTER ACCOUNT: NOT TRADING (Broker: KRAKEN): {why}")
    account = ask(broker_status.main, "--json").json["accounts"][0]
    assert (account["trading"], account["why_not_trading"].startswith(why)) == (False, True)


def test_an_account_that_is_only_configured_never_trades(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    later = dict.fromkeys(("authenticated_at", "permitted_at", "funded_at", "armed_at", "last_cycle_at"))
    bot.account(DAIVON, name="Daivon Frazier", health="starting", health_reason="not connected yet", **later)
    answer = ask(active_trading.main)
    assert "USER: Daivon Frazier: NOT TRADING (Broker: KRAKEN): not connected yet" in answer.text
    assert ": TRADING" not in answer.text


# -- balances -----------------------------------------------------------------------------------------------------------
UNREAD = {"cash_available": None, "cash_held": None, "balance_taken_at": None, "holdings_json": "{}"}


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


# -- facts --------------------------------------------------------------------------------------------------------------
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


# -- accounts that come and go ------------------------------------------------------------------------------------------
def test_an_account_added_since_the_start_is_named_and_needs_a_restart(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.accounts([KRAKEN, COINBASE])
    answer = ask(broker_status.main)
    assert answer.code == 1
    assert "daivon_frazier_kraken: the running bot does not know this account yet; restart it" in answer.text


def test_an_account_that_left_long_ago_is_not_reported_for_ever(ask: Ask, bot: StoredBot) -> None:
    bot.accounts()
    gone = AccountRef.user(BrokerType.COINBASE, "gone")
    bot.account(gone, updated_at=now() - timedelta(days=9), last_cycle_at=now() - timedelta(days=9))
    bot.runs()
    assert "gone" not in ask(broker_status.main).text


def test_an_account_switched_on_again_is_not_shown_from_its_old_row(ask: Ask, bot: StoredBot) -> None:
    bot.accounts()
    bot.account(DAIVON, name="Daivon Frazier", updated_at=now() - timedelta(days=1))
    bot.runs()
    assert "USER: Daivon Frazier: NOT TRADING (Broker: KRAKEN): the running bot does not know" in "\n".join(
        lines_of(ask)
    )


def test_a_user_who_is_switched_off_stays_visible(ask: Ask, bot: StoredBot, home: Path) -> None:
    write_configuration(home, users=USERS.replace("true", "false"))
    bot.runs()
    bot.accounts([KRAKEN, COINBASE])
    answer = ask(broker_status.main)
    assert answer.code == 0
    assert "daivon_frazier_kraken: switched off" in answer.text


# -- Kraken's nonces ----------------------------------------------------------------------------------------------------
def test_the_nonce_file_of_each_key_is_shown(ask: Ask, bot: StoredBot, home: Path) -> None:
    bot.runs()
    bot.accounts()
    ceiling = "1767225600000000000"
    (home / "kraken_nonce_master.txt").write_text(
        f'{{"format": "nija-kraken-nonce/1", "unit": "ns", "key": "ab", "ceiling": "{ceiling}"}}'
    )
    text = ask(kraken_status.main).text
    assert "kraken: nonces up to 2026-01-01T00:00:00.000000Z may have been used" in text
    assert "daivon_frazier_kraken: no nonce file yet" in text


def test_a_damaged_nonce_file_is_something_wrong(ask: Ask, bot: StoredBot, home: Path) -> None:
    bot.runs()
    bot.accounts()
    (home / "kraken_nonce_user_daivon_frazier.txt").write_text("17672256")
    answer = ask(kraken_status.main)
    assert answer.code == 1
    assert "kraken_nonce_user_daivon_frazier.txt cannot be used" in answer.text
    assert ask(kraken_status.main, "--json").json["nonces"][1]["problem"]

"""Bad input and failures, through the program's own entry: a clear sentence, the account named, the rest unaffected."""

import fcntl
import json
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess, PaperAccount

ANNA = {"user_id": "anna", "name": "Anna", "account_type": "retail", "broker_type": "kraken", "enabled": True}
FAST = {"NIJA__PACE__PAPER__CYCLE_SECONDS": "0.4", "NIJA__BALANCE__CACHE_SECONDS": "0"}
# Something to copy from the first cycle on, and for as long as it takes until everybody has connected.
BUYING = {
    "NIJA__STRATEGY__PLUGIN": "benchmarks.kill_drill.busy_strategy:BusyStrategy",
    "NIJA__RISK__SCAN_SYMBOLS_LIMIT": "6",
    "NIJA__RISK__MAX_ENTRIES_PER_MINUTE": "600",
}
ENTERING = {"NIJA__RISK__MAX_ENTRIES_PER_CYCLE": "1", "NIJA__RISK__MAX_POSITIONS": "50"}


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7) as process:
        yield process


def configuration(tmp_path: Path, users: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """Variables that point at user files of the test's own."""
    directory = tmp_path / "config" / "users"
    directory.mkdir(parents=True)
    for broker, entries in users.items():
        (directory / f"retail_{broker}.json").write_text(json.dumps(entries))
    return {"NIJA_CONFIG_DIR": str(tmp_path / "config")}


def user(user_id: str, broker: str = "kraken", **more: Any) -> dict[str, Any]:
    return ANNA | {"user_id": user_id, "name": user_id.title(), "broker_type": broker, "paper_balance": 1000} | more


def run_to_its_end(environ: Mapping[str, str], *words: str, log: Path) -> tuple[int, str]:
    """Exit code and everything that was said by a bot that is expected to end by itself."""
    with BotProcess(environ, *words, log=log) as bot:
        return bot.process.wait(30), bot.log()


def answers(bot: BotProcess, user_id: str) -> list[dict[str, Any]]:
    """The user's answers to entries, oldest first, without those that are still to come."""
    return answers_among(bot.copies(), user_id)


def answers_among(signals: Sequence[Mapping[str, Any]], user_id: str) -> list[dict[str, Any]]:
    """The same of signals that were listed once for several users."""
    entries = [shown for shown in signals if shown["kind"] == "entry"]
    found = [one for shown in entries for one in shown["users"] if one["user_id"] == user_id]
    return [one for one in found if one["status"] != "planned"]


# -- what the operator wrote ------------------------------------------------------------------------------------------
def anna(**changes: Any) -> bytes:
    return json.dumps([ANNA | changes], indent=1).encode()


BROKEN_FILES = {
    "an unknown key": (anna(ballance=5), ("'ballance'", "paper_balance")),
    "a key twice": (anna()[:-4] + b',\n  "enabled": false }]', ("'enabled'", "line 7")),
    "the same account twice": (json.dumps([ANNA, ANNA], indent=1).encode(), ("anna",)),
    "a path as an id": (anna(user_id="../anna"), ("user_id",)),
    "UTF-16": (anna().decode().encode("utf-16"), ("UTF-8",)),
    "no JSON": (b"users: anna\n", ("json:1:", "'users'")),
    "a flag in quotes": (anna(enabled="yes"), ("enabled", "true or false")),
}


@pytest.mark.parametrize("broken", BROKEN_FILES)
def test_a_broken_user_file_is_refused_by_file_line_and_field_before_anything_starts(
    tmp_path: Path, broken: str
) -> None:
    content, words = BROKEN_FILES[broken]
    (tmp_path / "config/users").mkdir(parents=True)
    (tmp_path / "config/users/retail_kraken.json").write_bytes(content)
    state = tmp_path / "state"
    environ = environment(state, NIJA_CONFIG_DIR=str(tmp_path / "config"))
    code, said = run_to_its_end(environ, "--for", "5", log=tmp_path / "out.txt")
    assert code == 2
    assert said.count("NIJA cannot start:") == len(said.splitlines())
    assert "retail_kraken.json:" in said
    for word in words:
        assert word in said
    assert not state.exists()


@pytest.mark.parametrize("words", [("--for", "abc"), ("--for", "-1"), ("--for", "nan"), ("--fro", "1"), ("trade",)])
def test_wrong_use_is_told_with_exit_code_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, said = run_to_its_end(environment(tmp_path / "state"), *words, log=tmp_path / "out.txt")
    assert code == 2
    assert words[-1] in said or words[0] in said
    assert not (tmp_path / "state").exists()


def a_file(path: Path) -> None:
    path.write_text("no database, no lock, no log")


@pytest.mark.parametrize(
    ("name", "make"), [("nija.db", a_file), ("nija.db", Path.mkdir), ("nija.log", Path.mkdir), ("lock", Path.mkdir)]
)
def test_a_state_directory_that_cannot_be_used_is_refused_in_one_sentence(tmp_path: Path, name: str, make: Any) -> None:
    make(tmp_path / name)
    code, said = run_to_its_end(environment(tmp_path), log=tmp_path / "out.txt")
    assert code == 2
    assert "NIJA cannot start" in said
    assert str(tmp_path / name) in said
    assert "Traceback" not in said
    assert not (tmp_path / "paper").exists()


def test_a_state_directory_that_takes_no_files_is_refused(tmp_path: Path) -> None:
    """`/proc` takes no file from anybody, not even from root, who may write to a directory without write permission."""
    code, said = run_to_its_end(environment(Path("/proc/self")), log=tmp_path / "out.txt")
    assert code == 2
    assert "STATE_DIR /proc/self cannot be" in said
    assert "Traceback" not in said


# -- modes ------------------------------------------------------------------------------------------------------------
def test_live_mode_without_any_key_names_the_variables_and_leaves_the_directory_free(tmp_path: Path) -> None:
    code, said = run_to_its_end(environment(tmp_path, TRADING_MODE="live"), log=tmp_path / "out.txt")
    assert code == 2
    for broker in ("KRAKEN", "COINBASE"):
        assert f"{broker}_MASTER_API_KEY and {broker}_MASTER_API_SECRET" in said
    assert "Traceback" not in said
    code, said = run_to_its_end(environment(tmp_path), "--for", "0.1", log=tmp_path / "paper.txt")
    assert code == 0


def test_a_directory_of_paper_trading_is_refused_for_live_trading_and_the_other_way_round(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    code, _ = run_to_its_end(environment(tmp_path, exchange), "--for", "0.1", log=tmp_path / "paper.txt")
    assert code == 0
    master = exchange.open_account("kraken", "owner")
    live = live_environment(tmp_path, exchange) | keys_of("KRAKEN_MASTER", master)
    code, said = run_to_its_end(live, log=tmp_path / "live.txt")
    assert code == 2
    assert "holds the state of paper trading" in said
    assert not exchange.journal(account="owner", type="request")


def live_environment(state: Path, exchange: ExchangeProcess) -> dict[str, str]:
    """Live mode whose venues are the paper exchange: the mode knows addresses and keys, not who answers.

    At one public call a second, as real venues want it, a first look at all markets takes a minute.
    """
    return environment(
        state,
        None,
        **BUYING,
        TRADING_MODE="live",
        NIJA__KRAKEN__TIER="pro",
        NIJA__KRAKEN__PUBLIC_CALLS_PER_SECOND="1000",
        NIJA__COINBASE__PUBLIC_CALLS_PER_SECOND="1000",
        NIJA__KRAKEN__REST_URL=exchange.rest_url("kraken"),
        NIJA__COINBASE__REST_URL=exchange.rest_url("coinbase"),
        NIJA__PACE__LIVE__CYCLE_SECONDS="0.4",
        NIJA__PACE__LIVE__MASTER_CONNECTION_DELAY_SECONDS="0",
        NIJA__PACE__LIVE__USER_CONNECTION_DELAY_SECONDS="0",
        NIJA__PACE__LIVE__MIN_CONNECTION_DELAY_SECONDS="0",
        LOG_LEVEL="DEBUG",
    )


def keys_of(prefix: str, account: PaperAccount) -> dict[str, str]:
    return {f"{prefix}_API_KEY": account.api_key, f"{prefix}_API_SECRET": account.api_secret}


def test_live_accounts_with_a_missing_malformed_or_wrong_key_wait_alone_and_no_key_is_ever_shown(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    kraken_users = [user("good"), user("torn"), user("wrong"), user("none")]
    users = {"kraken": kraken_users, "coinbase": [user("coin", "coinbase")]}
    opened = {
        "KRAKEN_MASTER": exchange.open_account("kraken", "live_master"),
        "KRAKEN_USER_GOOD": exchange.open_account("kraken", "live_good", {"USD": "1000"}),
        "KRAKEN_USER_TORN": exchange.open_account("kraken", "live_torn", {"USD": "1000"}),
        "KRAKEN_USER_WRONG": exchange.open_account("kraken", "live_wrong", {"USD": "1000"}),
        "COINBASE_MASTER": exchange.open_account("coinbase", "live_master"),
        "COINBASE_USER_COIN": exchange.open_account("coinbase", "live_coin", {"USD": "1000"}),
    }
    keys: dict[str, str] = {}
    for prefix, account in opened.items():
        keys |= keys_of(prefix, account)
    keys["KRAKEN_USER_TORN_API_SECRET"] = keys["KRAKEN_USER_TORN_API_SECRET"][:40]
    keys["KRAKEN_USER_WRONG_API_SECRET"] = keys["KRAKEN_USER_GOOD_API_SECRET"]
    state = tmp_path / "state"
    environ = live_environment(state, exchange) | keys | configuration(tmp_path, users)
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        for label in ("good_kraken", "coin_coinbase"):
            bot.says(f"{label}: buy ", seconds=90)
        accounts = bot.accounts()
        assert "KRAKEN_USER_TORN_API_SECRET" in accounts["torn_kraken"]["why_not_trading"]
        assert "KRAKEN_USER_NONE_API_KEY" in accounts["none_kraken"]["why_not_trading"]
        assert "refused" in accounts["wrong_kraken"]["why_not_trading"]
        assert "copied" in {one["status"] for one in answers(bot, "good")}
        shown = [Path(f"/proc/{bot.process.pid}/cmdline").read_bytes(), json.dumps(accounts).encode()]
        shown.append(bot.command("bot.py", "config", "show").stdout.encode())
        assert bot.stop() == 0
    assert "MODE: LIVE" in bot.log()
    assert "Traceback" not in bot.log()
    shown += [file.read_bytes() for file in files_below(tmp_path) if file.parent.name != "config"]
    assert_nothing_shown(keys.values(), shown)


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def assert_nothing_shown(secrets: Any, shown: Sequence[bytes]) -> None:
    """No secret, and of a key of several lines no line of it, in any of the texts."""
    parts = {part for secret in secrets for part in secret.splitlines() if len(part) > 16 and "-----" not in part}
    assert len(parts) >= 3
    for text in shown:
        for part in parts:
            assert part.encode() not in text


# -- one bot, stopping ------------------------------------------------------------------------------------------------
def test_a_second_bot_on_the_same_state_is_told_who_is_there_and_signals_end_the_first(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    environ = environment(tmp_path, exchange, **FAST)
    with BotProcess(environ, log=tmp_path / "first.txt") as first:
        first.says("Metrics at", seconds=30)
        code, said = run_to_its_end(environ, log=tmp_path / "second.txt")
        assert code == 4
        assert f"process {first.process.pid}" in said
        assert str(tmp_path) in said
        assert first.process.poll() is None
        assert first.stop() == 0
    assert "Stopping: signal SIGTERM" in first.log()
    assert first.command("check_broker_status.py").returncode == 3


def test_a_second_sigterm_ends_a_bot_that_still_waits_for_a_venue(tmp_path: Path, exchange: ExchangeProcess) -> None:
    environ = environment(tmp_path, exchange, NIJA__KRAKEN__READ_TIMEOUT_SECONDS="30", **FAST)
    environ |= configuration(tmp_path, {"kraken": [user("hung")]})
    with BotProcess(environ | {"NIJA__SHUTDOWN_SECONDS": "30"}, log=tmp_path / "out.txt") as bot:
        bot.says("Started independent trading thread for hung_kraken")
        fault = exchange.fault("hang", times=None, account="hung")
        try:
            wait_until(lambda: was_hit(exchange, fault), seconds=30, what="the user's thread waits for the venue")
            bot.process.send_signal(signal.SIGTERM)
            bot.says("Stopping: signal SIGTERM")
            bot.process.send_signal(signal.SIGTERM)
            assert bot.process.wait(10) == 5
        finally:
            exchange.control("DELETE", f"/faults/{fault}")


def was_hit(exchange: ExchangeProcess, fault: int) -> bool:
    return any(one["id"] == fault and one["applied"] for one in exchange.faults())


def test_a_bot_told_to_stop_while_it_starts_says_so_and_opens_no_account(tmp_path: Path) -> None:
    with BotProcess(environment(tmp_path), log=tmp_path / "out.txt") as bot:
        wait_until((tmp_path / "lock").exists, seconds=30, what="the bot has begun")
        assert bot.stop() == 0
        assert "Stopping: signal SIGTERM" in bot.log()
        assert "Cycle #" not in bot.log()


def test_a_signal_that_comes_when_all_is_done_does_not_spoil_a_clean_end(tmp_path: Path) -> None:
    with BotProcess(environment(tmp_path), "--for", "0.1", log=tmp_path / "out.txt") as bot:
        bot.says("Stopped. State is in")
        with (tmp_path / "lock").open("rb") as lock:
            wait_until(lambda: is_free(lock), seconds=30, what="the bot lets go of its lock, which it does last")
        while bot.process.poll() is None:
            bot.process.send_signal(signal.SIGTERM)
        assert bot.process.returncode == 0


def is_free(lock: BinaryIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_a_taken_metrics_port_is_said_and_trading_goes_on(tmp_path: Path, exchange: ExchangeProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environ = environment(tmp_path, exchange, **FAST) | {"METRICS_PORT": str(port)}
        with BotProcess(environ, log=tmp_path / "out.txt") as bot:
            bot.says(f"port {port} cannot be used (Address already in use). Trading goes on")
            bot.says("kraken cycle completed successfully")
            assert bot.stop() == 0
    assert "Traceback" not in bot.log()


# -- users ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def own_exchange() -> Iterator[ExchangeProcess]:
    """For tests that speak of every trade: an order that a bot of another test left on its way is none of theirs."""
    with ExchangeProcess(seed=7) as process:
        yield process


def test_each_user_gets_its_own_answer_and_a_deposit_gives_a_poor_one_its_thread(
    tmp_path: Path, own_exchange: ExchangeProcess
) -> None:
    exchange = own_exchange
    users = [user("rich"), user("shady", shadow=True), user("off", enabled=False), user("poor", paper_balance=3)]
    environ = environment(tmp_path, exchange, **FAST, **ENTERING, **configuration(tmp_path, {"kraken": users}))
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        bot.says("poor_kraken: skipped", seconds=60)
        bot.says("rich_kraken: buy ", seconds=60)
        accounts = bot.accounts()
        assert "off_kraken" not in accounts
        assert "not funded: 3.00 is below 10 USD" in accounts["poor_kraken"]["why_not_trading"]
        assert accounts["poor_kraken"]["cycles"] == 0
        exchange.control("POST", "/accounts/kraken/poor/deposit", {"asset": "USD", "amount": "997"})
        bot.says("Started independent trading thread for poor_kraken (USER)")
        wait_until(lambda: bot.accounts()["poor_kraken"]["trading"], seconds=60, what="the poor one is ready to copy")
        assert bot.stop() == 0
        assert answers(bot, "rich")[0]["status"] == "copied"
        assert answers(bot, "poor")[0]["status"] == "skipped"
        assert "not funded" in answers(bot, "poor")[0]["detail"]
        assert {one["reason"] for one in answers(bot, "shady")} == {"shadow"}
        assert not answers(bot, "off")
    traded = {line["account"] for line in exchange.journal(type="accept", brokerage="kraken")}
    assert "rich" in traded
    assert not {"shady", "off"} & traded


def test_what_a_master_traded_before_the_bot_knew_it_is_neither_booked_nor_copied(tmp_path: Path) -> None:
    """A second installation over the same venue accounts, minutes after the first: the first one's trades stay its."""
    with ExchangeProcess(seed=7) as exchange:
        with BotProcess(environment(tmp_path / "old", exchange, **FAST), log=tmp_path / "old.txt") as old:
            old.says("tania_gilbert_kraken: buy ", seconds=60)
            assert old.stop() == 0
        with BotProcess(environment(tmp_path / "new", exchange, **FAST, **ENTERING), log=tmp_path / "new.txt") as new:
            new.says("tania_gilbert_kraken: buy ", seconds=60)
            cycles = new.accounts()["kraken"]["cycles"]
            wait_until(lambda: new.accounts()["kraken"]["cycles"] > cycles + 1, seconds=30, what="two more cycles")
            assert new.stop() == 0
    assert "found in the account's history" not in new.log()


def test_with_independence_off_only_one_master_trades_and_the_other_says_why(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    environ = environment(tmp_path, exchange, MULTI_BROKER_INDEPENDENT="false", **FAST)
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:

        def one_of_two() -> list[dict[str, Any]]:
            accounts = bot.accounts()
            found = [accounts[name] for name in ("kraken", "coinbase") if name in accounts]
            trades = any(one["trading"] for one in found)
            waits = any("another master trades" in one["why_not_trading"] for one in found)
            return found if trades and waits else []

        masters = wait_until(one_of_two, seconds=60, what="one master trades, the other says why not")
        assert sorted(one["cycles"] > 0 for one in masters) == [False, True]
        assert bot.stop() == 0


# -- what a venue says ------------------------------------------------------------------------------------------------
def balance_reply(amount: str) -> str:
    return '{"error": [], "result": {"ZUSD": {"balance": %s, "hold_trade": "0"}}}' % amount  # noqa: UP031


NONSENSE = {
    "not JSON": "<!doctype html><p>Bad gateway",
    "NaN": balance_reply("NaN"),
    "NaN as text": balance_reply('"NaN"'),
    "negative": balance_reply('"-5"'),
    "huge": balance_reply('"1e999999999"'),
    "nothing": balance_reply("null"),
    "another shape": '{"error": [], "result": [1, 2]}',
}


def test_a_nonsense_balance_is_unknown_with_its_reason_and_only_that_user_is_skipped(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    """One user per kind of nonsense, all at once, beside one whose balance is read."""
    broken = {f"u{number}": text for number, text in enumerate(NONSENSE.values())}
    users = [user(name) for name in (*broken, "sound")]
    faults = [
        exchange.fault({"kind": "body", "text": text}, times=None, account=name, endpoint="BalanceEx")
        for name, text in broken.items()
    ]
    environ = environment(tmp_path, exchange, **FAST, **BUYING, **configuration(tmp_path, {"kraken": users}))
    environ["NIJA__MASTERS__COINBASE__ENABLED"] = "false"
    try:
        with BotProcess(environ, log=tmp_path / "out.txt") as bot:
            bot.says("sound_kraken: buy ", seconds=90)
            signals, accounts = bot.copies(), bot.accounts()
            # Those before everybody had connected say nothing about balances.
            copied = [one for one in signals if [a["status"] for a in answers_among([one], "sound")] == ["copied"]]
            assert copied
            for name in broken:
                shown = accounts[f"{name}_kraken"]
                assert shown["balance"]["available"] is None
                assert shown["balance"]["status"] == "unknown"
                assert f"{name}_kraken" in shown["balance"]["reason"]
                assert shown["health"] == "degraded"
                answered = answers_among(copied, name)
                assert {one["reason"] for one in answered} == {"balance_unknown"}
                assert answered[0]["detail"]
            assert accounts["sound_kraken"]["health"] == "healthy"
            for fault in faults:
                exchange.control("DELETE", f"/faults/{fault}")
            wait_until(
                lambda: all(one["health"] == "healthy" for one in bot.accounts().values()),
                seconds=90,
                what="every user is well again",
            )
            assert bot.stop() == 0
    finally:
        exchange.clear_faults()
    assert "Traceback" not in bot.log()


def test_a_master_whose_balance_and_history_became_nonsense_enters_nothing_but_still_gets_out(tmp_path: Path) -> None:
    with ExchangeProcess(seed=5) as exchange:
        environ = environment(tmp_path, exchange, **FAST, **ENTERING)
        with BotProcess(environ, log=tmp_path / "out.txt") as bot:
            bot.says("_kraken: buy ", seconds=60)
            (symbol, *_) = wait_until(lambda: copied_symbols(bot), seconds=60, what="a copied entry at Kraken")
            for endpoint in ("BalanceEx", "TradesHistory"):
                exchange.fault({"kind": "body", "text": "oops"}, times=None, account="master", endpoint=endpoint)
            wait_until(
                lambda: bot.accounts()["kraken"]["balance"]["status"] == "stale", seconds=60, what="a stale balance"
            )
            began = exchange.last_seq()
            assert bot.accounts()["kraken"]["health"] in ("degraded", "failed")
            assert bot.accounts()["coinbase"]["health"] == "healthy"
            fall(exchange, symbol)
            sellers = {"master", "daivon_frazier", "tania_gilbert"}
            wait_until(
                lambda: sellers <= {line["account"] for line in sold(exchange, symbol, began)},
                seconds=60,
                what="the master's exit and its copies",
            )
            assert not [
                line
                for line in exchange.journal(began, type="accept", brokerage="kraken", account="master")
                if line["side"] == "buy"
            ]
            assert bot.stop() == 0


def copied_symbols(bot: BotProcess) -> list[str]:
    return [
        shown["symbol"]
        for shown in bot.copies()
        if shown["broker"] == "kraken" and all(one["status"] == "copied" for one in shown["users"])
    ]


def fall(exchange: ExchangeProcess, symbol: str) -> None:
    """Far enough for every stop."""
    quote = next(one for one in exchange.control("GET", "/market") if one["symbol"] == symbol)
    exchange.set_price(symbol, Decimal(quote["bid"]) * Decimal("0.9"))


def sold(exchange: ExchangeProcess, symbol: str, since: int) -> list[dict[str, Any]]:
    lines = exchange.journal(since, type="fill", brokerage="kraken", side="sell")
    return [line for line in lines if line["symbol"] == symbol]

"""Keys tried at a brokerage that answers: what is wrong is said as it is typed, and nothing is traded."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.app import main
from bot.brokers.credentials import Credentials, find_credentials
from bot.diagnostics.setup import init
from bot.diagnostics.setup.key_trial import KeyTrials
from bot.diagnostics.setup.place import Place
from bot.domain.account import AccountRef, BrokerType
from bot.settings import Settings, load_settings
from bot.supervision.instance_lock import InstanceLock
from tests.exchange_process import ExchangeProcess, PaperAccount
from tests.unit.setup.script import Script

VENUES = ("kraken", "coinbase", "okx", "binance", "alpaca")


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7) as process:
        yield process


@pytest.fixture
def variables(exchange: ExchangeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Those of a process whose brokerages are all at the exchange, in live mode."""
    (tmp_path / "config").mkdir()
    set_there = {
        "NIJA_CONFIG_DIR": str(tmp_path / "config"),
        "STATE_DIR": str(tmp_path / "state"),
        **{f"NIJA__{venue.upper()}__REST_URL": exchange.rest_url(venue) for venue in VENUES},
        **{f"NIJA__{venue.upper()}__PRIVATE_STREAM": "false" for venue in VENUES},
        "NIJA__KRAKEN__ORDER_ENTRY": "rest",
    }
    for name, value in set_there.items():
        monkeypatch.setenv(name, value)
    return set_there


@pytest.fixture
def settings(variables: dict[str, str]) -> Settings:
    return load_settings(environ=variables)


@pytest.fixture
def trials(settings: Settings) -> Iterator[KeyTrials]:
    made = KeyTrials(settings)
    yield made
    made.close()


def keys(prefix: str, opened: PaperAccount) -> dict[str, str]:
    found = {f"{prefix}_API_KEY": opened.api_key, f"{prefix}_API_SECRET": opened.api_secret}
    return found | ({f"{prefix}_API_PASSPHRASE": opened.api_passphrase} if opened.api_passphrase else {})


def credentials(account: AccountRef, opened: PaperAccount) -> Credentials:
    who = "MASTER" if account.user_id is None else f"USER_{account.user_id.upper()}"
    found = find_credentials(account, ["ann"], keys(f"{str(account.broker).upper()}_{who}", opened))
    assert isinstance(found, Credentials)
    return found


@pytest.mark.parametrize("venue", VENUES)
def test_a_good_key_shows_its_rights_and_its_cash(venue: str, exchange: ExchangeProcess, trials: KeyTrials) -> None:
    currency = "USDT" if venue in ("okx", "binance") else "USD"
    opened = exchange.open_account(venue, "good", {currency: "5000"})
    master = AccountRef.master(BrokerType(venue))
    tried = trials.try_key(master, credentials(master, opened))
    assert tried.problem == ""
    assert f"cash 5000 {currency}" in tried.proof
    assert exchange.journal(type="accept", account="good") == []


def test_a_key_that_may_withdraw_or_may_not_trade_is_told_in_the_brokerages_words(
    exchange: ExchangeProcess, trials: KeyTrials
) -> None:
    master = AccountRef.master(BrokerType.KRAKEN)
    trade = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"]
    rich = exchange.open_account("kraken", "rich", permissions=[*trade, "withdraw-funds"])
    assert "withdrawn with this key (withdraw-funds)" in trials.try_key(master, credentials(master, rich)).problem
    poor = exchange.open_account("kraken", "poor", permissions=trade[:3])
    assert "lacks the right to modify-trades, close-trades" in trials.try_key(master, credentials(master, poor)).problem


def test_two_keys_of_one_account_are_noticed_and_a_key_typed_anew_is_not_held_against_its_owner(
    exchange: ExchangeProcess, trials: KeyTrials
) -> None:
    master, ann = AccountRef.master(BrokerType.COINBASE), AccountRef.user(BrokerType.COINBASE, "ann")
    first, second = (exchange.open_account("coinbase", name) for name in ("first", "second"))
    assert trials.try_key(master, credentials(master, first)).problem == ""
    assert "opens the same account as that of coinbase" in trials.try_key(ann, credentials(ann, first)).problem
    assert trials.try_key(master, credentials(master, second)).problem == ""
    assert trials.try_key(ann, credentials(ann, first)).problem == ""


def test_an_account_with_too_little_is_worth_a_word(exchange: ExchangeProcess, trials: KeyTrials) -> None:
    master = AccountRef.master(BrokerType.BINANCE)
    opened = exchange.open_account("binance", "bare", {"USDT": "3"})
    tried = trials.try_key(master, credentials(master, opened))
    assert tried.problem == ""
    assert "less than minimum_funded_usd (10)" in tried.doubts[0]


def test_while_a_bot_runs_its_keys_are_left_to_it(
    exchange: ExchangeProcess, settings: Settings, trials: KeyTrials
) -> None:
    settings.state_dir.mkdir()
    lock = InstanceLock(settings.state_dir)
    lock.acquire()
    try:
        master = AccountRef.master(BrokerType.KRAKEN)
        tried = trials.try_key(master, credentials(master, exchange.open_account("kraken", "busy")))
        assert "stop it, or use --offline" in tried.problem
    finally:
        lock.release()


def test_a_wrong_key_can_be_typed_again_until_the_brokerage_takes_it(
    exchange: ExchangeProcess, variables: dict[str, str]
) -> None:
    good = exchange.open_account("kraken", "typed")
    other = exchange.open_account("kraken", "typed_other")
    script = Script(
        [
            ("Paper or live", "live"),
            ("once more", "live"),
            ("Which", "kraken"),
            ("at Kraken", ""),
            ("losing", ""),
            ("peak", ""),
            ("Most", ""),
            ("Part", ""),
            ("How", ""),
            ("API key", good.api_key),
            ("secret", other.api_secret),
            ("Type it again", ""),
            ("API key", good.api_key),
            ("secret", good.api_secret),
            ("Write this", ""),
        ]
    )
    words = argparse.Namespace(offline=False, dry_run=False, no_run=True, json=False)
    assert init.by_questions(load_settings(environ=variables), words, script.dialogue()) == 0
    assert "EAPI:Invalid signature: the secret does not belong to this key" in script.shown
    assert "good: GetApiKeyInfo lists" in script.shown
    assert Place.of_this_process().dotenv()["KRAKEN_MASTER_API_SECRET"] == good.api_secret
    assert good.api_secret not in script.shown


def test_a_file_of_keys_of_which_one_is_refused_changes_nothing_unless_nobody_is_to_be_asked(
    exchange: ExchangeProcess, variables: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, other = exchange.open_account("kraken", "of_file"), exchange.open_account("kraken", "of_file_other")
    file = tmp_path / "keys.env"
    file.write_text(f"KRAKEN_MASTER_API_KEY={good.api_key}\nKRAKEN_MASTER_API_SECRET={other.api_secret}\n")
    asked = ["init", "--yes", "--mode", "live", "--broker", "kraken", "--env-file", str(file), "--no-run"]
    assert main(asked) == 1
    assert "the secret does not belong to this key" in capsys.readouterr().out
    place = Place.of_this_process()
    assert (place.yaml_path.exists(), place.dotenv_path.exists()) == (False, False)
    assert main([*asked, "--offline"]) == 0
    assert place.dotenv()["KRAKEN_MASTER_API_KEY"] == good.api_key
    out = capsys.readouterr().out
    assert good.api_key not in out
    assert other.api_secret not in out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "this is no terminal. Answer by flags: python bot.py init --help"),
        (["--json"], "--json is for --yes"),
        (["--mode", "live"], "are for --yes"),
        (["--max-positions", "3"], "are for --yes"),
        (["--yes", "--max-positions", "0"], "--max-positions: must be greater than or equal to 1"),
        (["--yes", "--broker", "krakn"], "please answer"),
        (["--yes", "--user", "ann"], "write it as id:brokerage"),
        (["--yes", "--env-file", "nowhere.env"], "there is no such file"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(
    flags: list[str], said: str, variables: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", *flags]) == 2
    assert said in capsys.readouterr().err
    assert list(Place.of_this_process().config_dir.iterdir()) == []


def test_a_second_run_tries_the_keys_that_are_there_and_replaces_one_in_place(
    exchange: ExchangeProcess, variables: dict[str, str]
) -> None:
    old, new = exchange.open_account("kraken", "old_key"), exchange.open_account("kraken", "new_key")
    coin = exchange.open_account("coinbase", "kept_key")
    secret = coin.api_secret.replace("\n", "\\n")
    there = f"""# mine
KRAKEN_MASTER_API_KEY={old.api_key}  # of May
KRAKEN_MASTER_API_SECRET={new.api_secret}
COINBASE_API_KEY={coin.api_key}
COINBASE_API_SECRET="{secret}"
"""
    place = Place.of_this_process()
    place.dotenv_path.write_text(there)
    answers = [("Paper or live", ""), ("Which", "kraken, coinbase"), ("at Kraken", ""), ("at Coinbase", "")]
    answers += [("losing", ""), ("peak", ""), ("Most", ""), ("Part", ""), ("How", ""), ("Paper needs no keys", "yes")]
    answers += [("keep it or type another", ""), ("API key", new.api_key), ("secret", new.api_secret)]
    script = Script([*answers, ("is there; keep it", ""), ("Write this", "")])
    words = argparse.Namespace(offline=False, dry_run=False, no_run=True, json=False)
    assert init.by_questions(load_settings(environ=variables), words, script.dialogue()) == 0
    assert script.left == []
    assert place.dotenv_path.read_text() == there.replace(old.api_key, new.api_key)

"""Keys as the program meets them at its start: too few rights, too many, another account's; told by name, alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_bad_input import configuration, keys_of, live_environment, user
from tests.bot_process import BotProcess, wait_until
from tests.exchange_process import ExchangeProcess

TRADE = {
    "kraken": ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"],
    "coinbase": ["view", "trade"],
}
WITHDRAW = {"kraken": "withdraw-funds", "coinbase": "transfer"}
CALLED = {"kraken": "withdraw-funds", "coinbase": "can_transfer"}


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7) as process:
        yield process


def orders_of(exchange: ExchangeProcess, name: str) -> list[object]:
    return [*exchange.journal(type="accept", account=name)]


def test_keys_with_too_few_or_too_many_rights_wait_alone_and_are_named_in_their_venues_words(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    keys: dict[str, str] = {}
    users: dict[str, list[dict[str, object]]] = {}
    for venue, rights in TRADE.items():
        keys |= keys_of(f"{venue.upper()}_MASTER", exchange.open_account(venue, "rights_master"))
        given = {"full": rights, "few": rights[:1], "rich": [*rights, WITHDRAW[venue]]}
        users[venue] = [user(f"{name}_{venue[0]}", venue) for name in given]
        for name, permissions in given.items():
            opened = exchange.open_account(venue, f"rights_{name}", {"USD": "1000"}, permissions=permissions)
            keys |= keys_of(f"{venue.upper()}_USER_{name.upper()}_{venue[0].upper()}", opened)
    environ = live_environment(tmp_path / "state", exchange) | keys | configuration(tmp_path, users)
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        for venue in TRADE:
            bot.says(f"full_{venue[0]}_{venue}: buy ", seconds=120)
        shown = bot.accounts()
        text = bot.command("check_broker_status.py").stdout
        assert bot.stop() == 0
    for venue, rights in TRADE.items():
        few, rich = shown[f"few_{venue[0]}_{venue}"], shown[f"rich_{venue[0]}_{venue}"]
        for one in (few, rich):
            assert (one["health"], one["phase"], one["trading"]) == ("failed", "failed_config", False)
            assert one["facts"]["authenticated"] is not None
            assert one["facts"]["permitted"] is None
        assert rights[-1] in few["why_not_trading"]
        assert f"money can be withdrawn with this API key ({CALLED[venue]})" in rich["why_not_trading"]
        full = shown[f"full_{venue[0]}_{venue}"]
        assert full["health"] == "healthy"
        assert full["proofs"]["permitted"].startswith(("GetApiKeyInfo lists", "key_permissions says can_view"))
        assert full["proofs"]["last order or fill"]
    assert "GetApiKeyInfo answered" in text
    for name in ("rights_few", "rights_rich"):
        assert orders_of(exchange, name) == []


def test_a_key_that_can_withdraw_trades_when_the_operator_says_so_and_the_warning_stays_in_sight(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    rights = [*TRADE["kraken"], "withdraw-funds"]
    keys = keys_of("KRAKEN_MASTER", exchange.open_account("kraken", "allowed", permissions=rights))
    only = configuration(tmp_path, {"kraken": []})
    environ = live_environment(tmp_path / "state", exchange) | keys | only | {"NIJA__ALLOW_WITHDRAW_KEYS": "true"}
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        bot.says("kraken health: healthy", seconds=90)
        assert "MONEY CAN BE WITHDRAWN with this API key (withdraw-funds)" in bot.accounts()["kraken"]["warning"]
        assert "kraken: WARNING: MONEY CAN BE WITHDRAWN" in bot.command("check_broker_status.py").stdout
        assert bot.stop() == 0
    assert "MONEY CAN BE WITHDRAWN" in bot.log()


def test_a_key_of_another_account_is_refused_by_name_until_a_person_accepts_it(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    opened = {
        "KRAKEN_MASTER": exchange.open_account("kraken", "pinned_master"),
        "KRAKEN_USER_ANN": exchange.open_account("kraken", "pinned_ann", {"USD": "1000"}),
        "COINBASE_MASTER": exchange.open_account("coinbase", "pinned_master"),
    }
    keys = {name: value for prefix, one in opened.items() for name, value in keys_of(prefix, one).items()}
    environ = live_environment(tmp_path / "state", exchange) | keys
    environ |= configuration(tmp_path, {"kraken": [user("ann")]})
    with BotProcess(environ, log=tmp_path / "first.txt") as bot:
        bot.says("ann_kraken: buy ", seconds=120)
        bot.says("coinbase health: healthy", seconds=90)
        assert bot.stop() == 0
    strangers = {
        "KRAKEN_USER_ANN": exchange.open_account("kraken", "stranger", {"USD": "1000"}),
        "COINBASE_MASTER": exchange.open_account("coinbase", "stranger"),
    }
    for prefix, one in strangers.items():
        environ |= keys_of(prefix, one)
    with BotProcess(environ, log=tmp_path / "second.txt") as bot:
        bot.says("kraken health: healthy", seconds=90)
        for label in ("ann_kraken", "coinbase"):
            bot.says(f"{label} not connected: the key is not used", seconds=90)
        shown = bot.accounts()
        assert "it opens another account" in shown["ann_kraken"]["why_not_trading"]
        assert "this account was portfolio " in shown["coinbase"]["why_not_trading"]
        assert {shown[label]["phase"] for label in ("ann_kraken", "coinbase")} == {"failed_config"}
        accepted = bot.command("bot.py", "accounts", "accept-identity", "coinbase", "--by", "Anna", "--reason", "moved")
        assert accepted.returncode == 0, accepted.stderr
        refused = bot.command("bot.py", "accounts", "accept-identity", "nobody", "--by", "Anna", "--reason", "x")
        assert refused.returncode == 2
        assert "There is no account nobody here" in refused.stderr
        assert bot.stop() == 0
    assert orders_of(exchange, "stranger") == []
    with BotProcess(environ, log=tmp_path / "third.txt") as bot:
        bot.says("coinbase health: healthy", seconds=90)
        bot.says("ann_kraken not connected: the key is not used", seconds=90)
        bot.says("coinbase cycle completed successfully", seconds=90)
        accounts = wait_until(
            lambda: (found := bot.accounts())["coinbase"]["trading"] and found,
            seconds=90,
            what="the account that was accepted trades",
        )
        assert accounts["ann_kraken"]["trading"] is False
        assert bot.stop() == 0

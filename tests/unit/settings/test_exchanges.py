"""Exchanges beside the five: named in the configuration, and refused with a sentence where that makes no sense."""

from pathlib import Path

import pytest

from bot.brokers.credential_names import unknown_variables, variables_of
from bot.brokers.credentials import Credentials, find_credentials
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError
from bot.settings import Settings, load_settings

BYBIT = "exchanges:\n  bybit: {ccxt_id: bybit, experimental: true}\n"
MASTER = "masters:\n- {broker: bybit}\n"
USER = (
    '[{"user_id": "ann", "name": "Ann", "account_type": "retail", "broker_type": "bybit", "enabled": true,'
    ' "description": ""}]'
)


def load(tmp_path: Path, yaml: str, *, user: str = "", mode: str = "live") -> Settings:
    config = tmp_path / "config"
    (config / "users").mkdir(parents=True)
    (config / "nija.yaml").write_text(yaml)
    if user:
        (config / "users" / "retail_bybit.json").write_text(user)
    return load_settings(environ={"TRADING_MODE": mode}, config_dir=config)


def problems(tmp_path: Path, yaml: str, *, user: str = "", mode: str = "live") -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, yaml, user=user, mode=mode)
    return refused.value.problems


def test_a_named_exchange_has_masters_and_users_as_the_five_have(tmp_path: Path) -> None:
    settings = load(tmp_path, BYBIT + MASTER, user=USER)
    bybit = BrokerType("bybit")
    assert settings.brokers() == (*BrokerType, bybit)
    assert [master.broker for master in settings.masters] == [bybit]
    assert [user.account for user in settings.users] == [AccountRef.user(bybit, "ann")]
    assert settings.quote_currency_of(bybit) == "USDT"
    assert settings.origins["exchanges.bybit.ccxt_id"].source == "config/nija.yaml:2"


def test_in_paper_mode_its_accounts_are_at_the_front_that_it_speaks_like(tmp_path: Path) -> None:
    yaml = "exchanges:\n  bybit: {ccxt_id: myokx, paper_front: okx}\n"
    settings = load(tmp_path, yaml + MASTER, user=USER, mode="paper")
    assert settings.paper_front_of(BrokerType("bybit")) is BrokerType.OKX
    assert settings.paper_front_of(BrokerType.KRAKEN) is BrokerType.KRAKEN


@pytest.mark.parametrize(
    ("yaml", "mode", "words"),
    [
        (BYBIT + MASTER, "paper", "bybit can't be traded in paper mode, which knows five brokerages"),
        (BYBIT.replace(", experimental: true", "") + MASTER, "live", "Write exchanges.bybit.experimental: true"),
        (BYBIT.replace("ccxt_id: bybit", "ccxt_id: bybitt"), "live", "which ccxt does not know: did you mean bybit"),
        (BYBIT.replace("ccxt_id: bybit", "ccxt_id: kraken"), "live", "write broker: kraken and no exchange for it"),
        (BYBIT.replace("true}", "true, settle_seconds: 5}") + MASTER, "live", "with real money it is at least 125"),
        (BYBIT.replace("  bybit:", "  okx:"), "live", "one of the five brokerages: its own section has its settings"),
        (BYBIT.replace("  bybit:", "  By-Bit:"), "live", "which is no name: 2 to 24 small letters and digits"),
        (BYBIT.replace("  bybit:", "  nija:"), "live", "which means something else here; choose another name"),
        (BYBIT.replace("ccxt_id", "ccxt_name"), "live", "did you mean ccxt_id?"),
        (MASTER, "live", "any other exchange is named in the section exchanges first"),
        ("exchanges:\n  bybitt: {ccxt_id: bybit}\n" + MASTER, "live", "or 'bybitt', not 'bybit'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(tmp_path: Path, yaml: str, mode: str, words: str) -> None:
    assert any(words in problem for problem in problems(tmp_path, yaml, mode=mode)), words


def test_ccxts_own_options_are_passed_on(tmp_path: Path) -> None:
    yaml = BYBIT.replace("true}", "true, options: {operatorId: 1234567890}}")
    assert dict(load(tmp_path, yaml).exchanges["bybit"].options) == {"operatorId": "1234567890"}


def test_users_of_an_exchange_that_nobody_named_are_refused_by_their_file(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "", user=USER)
    assert problem.startswith("config/users/retail_bybit.json is not a name of a user file")


def test_an_exchange_that_nobody_uses_is_refused_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "exchanges:\n  bybit: {ccxt_id: bybit}\n", mode="paper").exchanges["bybit"].ccxt_id == "bybit"


def test_its_keys_stand_in_variables_of_its_name_and_a_passphrase_is_only_looked_for() -> None:
    account = AccountRef.master(BrokerType("bybit"))
    environ = {"BYBIT_MASTER_API_KEY": "key" * 6, "BYBIT_MASTER_API_SECRET": "secret" * 4}
    found = find_credentials(account, [], environ)
    assert isinstance(found, Credentials) and found.api_passphrase is None
    found = find_credentials(account, [], {**environ, "BYBIT_MASTER_API_PASSPHRASE": "open sesame"})
    assert isinstance(found, Credentials) and found.api_passphrase is not None
    assert "BYBIT_MASTER_API_PASSPHRASE" in variables_of(account, [])
    with pytest.raises(ConfigurationError, match="BYBIT_MASTER_API_SECRET is missing"):
        find_credentials(account, [], {"BYBIT_MASTER_API_KEY": "key" * 6})


def test_a_misspelt_variable_of_a_named_exchange_is_noticed() -> None:
    brokers = (*BrokerType, BrokerType("bybit"))
    (unknown,) = unknown_variables({"BYBIT_MASTER_API_KEI": "x"}, [], (), brokers)
    assert unknown.nearest == "BYBIT_MASTER_API_KEY"
    assert unknown_variables({"BYBIT_MASTER_API_KEY": "x"}, [], (), brokers) == []


def test_the_five_stay_the_members_and_a_name_is_one_object() -> None:
    bybit = BrokerType("bybit")
    assert bybit is BrokerType("bybit") and bybit == "bybit" and not bybit.is_named
    assert bybit not in set(BrokerType) and len(BrokerType) == 5 and all(broker.is_named for broker in BrokerType)
    for text in ("By Bit", "bybit_x", "x", "", "ünï"):
        with pytest.raises(ValueError, match="is not a valid BrokerType"):
            BrokerType(text)

"""What a drill's bot is given of the operator's configuration and environment, and what never reaches it."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from bot.diagnostics.drills.surroundings import child_environment, copy_configuration
from bot.settings import Settings, load_settings

YAML = """\
trading_mode: live
database_url: postgresql://nija:secret@db.example.org/nija
failpoints: "ack_received:kill"
masters:
  - broker: kraken
    paper_balance: 4000
    strategy: {plugin: rsi_trend, parameters: {rsi_fast: 7}}
strategy:
  plugin: rsi_trend
  parameters: {rsi_slow: 21}
risk:
  max_positions: 3
"""
USERS = [
    {"user_id": "ann", "name": "Ann", "account_type": "retail", "broker_type": "kraken", "paper_balance": 700},
]
SECRETS = {
    "KRAKEN_MASTER_API_KEY": "key-1",
    "KRAKEN_MASTER_API_SECRET": "secret-1",
    "KRAKEN_USER_ANN_API_KEY": "key-2",
    "COINBASE_API_KEY": "key-3",
    "DATABASE_URL": "postgresql://a:secret-2@db/a",
    "NIJA__DATABASE_URL": "postgresql://a:secret-2@db/a",
    "NIJA__PAPER__EXCHANGE_TOKEN": "secret-3",
    "PAPER_EXCHANGE_TOKEN": "secret-3",
    "NIJA_CONSOLE_PASSWORD": "secret-4",
    "NIJA__NOTIFICATIONS__WEBHOOK": "https://hooks.example.org/secret-5",
    "TELEGRAM_BOT_TOKEN": "secret-6",
    "AWS_SECRET_ACCESS_KEY": "secret-7",
    "PYTHONPATH": "/somewhere/else",
}


@pytest.fixture
def operator(tmp_path: Path) -> Path:
    """The operator's `config/`."""
    config = tmp_path / "operator" / "config"
    (config / "users").mkdir(parents=True)
    (config / "nija.yaml").write_text(YAML, encoding="utf-8")
    (config / "users" / "retail_kraken.json").write_text(json.dumps(USERS), encoding="utf-8")
    return config


def surroundings(operator: Path, tmp_path: Path, variables: Mapping[str, str]) -> dict[str, str]:
    target = tmp_path / "drill" / "config"
    copy_configuration(operator, target)
    return child_environment(variables, config_dir=target, state_dir=tmp_path / "drill" / "state")


def settings_of(operator: Path, tmp_path: Path, variables: Mapping[str, str]) -> Settings:
    return load_settings(environ=surroundings(operator, tmp_path, variables))


def test_no_key_no_password_and_nobodys_address_reaches_the_bot_of_a_drill(operator: Path, tmp_path: Path) -> None:
    given = surroundings(operator, tmp_path, {**SECRETS, "PATH": "/usr/bin"})
    assert given["PATH"] == "/usr/bin"
    assert not SECRETS.keys() & given.keys() - {"NIJA__DATABASE_URL"}
    assert [value for value in given.values() if "secret-" in value or "key-" in value] == []


def test_whatever_the_operator_wrote_a_drill_moves_no_real_money_and_has_its_own_state(
    operator: Path, tmp_path: Path
) -> None:
    variables = {
        "TRADING_MODE": "live",
        "NIJA__TRADING_MODE": "live",
        "STATE_DIR": "/srv/nija",
        "NIJA_FAILPOINTS": "a:kill",
    }
    settings = settings_of(operator, tmp_path, variables)
    assert settings.trading_mode == "paper"
    assert settings.database_url is None
    assert settings.state_dir == tmp_path / "drill" / "state"
    assert settings.failpoints == ""
    assert not settings.console.enabled
    assert not settings.notifications.enabled


def test_users_limits_and_balances_are_the_operators_and_the_strategy_stands_still(
    operator: Path, tmp_path: Path
) -> None:
    variables = {"NIJA__RISK__STOP_LOSS_PERCENT": "4", "NIJA__STRATEGY__PARAMETERS__RSI_FAST": "5"}
    settings = settings_of(operator, tmp_path, variables)
    assert [(user.user_id, user.paper_balance) for user in settings.users] == [("ann", Decimal(700))]
    assert settings.risk.max_positions == 3
    assert settings.risk.stop_loss_percent == Decimal(4)
    assert settings.masters[0].paper_balance == Decimal(4000)
    assert settings.strategy.plugin.endswith(":StillStrategy")
    assert settings.masters[0].strategy is None


def test_an_installation_without_any_file_can_be_drilled_too(tmp_path: Path) -> None:
    (tmp_path / "operator").mkdir()
    settings = settings_of(tmp_path / "operator", tmp_path, {})
    assert settings.strategy.plugin.endswith(":StillStrategy")


def test_the_operators_own_files_are_not_changed(operator: Path, tmp_path: Path) -> None:
    surroundings(operator, tmp_path, {})
    assert (operator / "nija.yaml").read_text(encoding="utf-8") == YAML

"""Which source wins, and that the shipped file says what the program does."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError
from bot.domain.money import plain
from bot.settings import Settings, load_settings
from bot.settings.model import OperatorSettings
from bot.settings.origins import dotted, leaves, unit_of, value_text
from bot.settings.yaml_source import read_yaml
from bot.strategies.rsi_trend import RsiTrend

PROJECT = Path(__file__).parents[3]
SHIPPED = PROJECT / "config" / "nija.yaml"


def load(
    tmp_path: Path,
    yaml: str = "",
    *,
    dotenv: str = "",
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Settings:
    config = tmp_path / "config"
    config.mkdir(exist_ok=True)
    (config / "nija.yaml").write_text(yaml)
    (tmp_path / ".env").write_text(dotenv)
    return load_settings(
        environ=environ or {}, config_dir=config, dotenv_path=tmp_path / ".env", overrides=overrides or {}
    )


def test_each_source_wins_over_the_one_before_and_says_so(tmp_path: Path) -> None:
    everything = {
        "yaml": "metrics_port: 1\n",
        "dotenv": "METRICS_PORT=2\n",
        "environ": {"METRICS_PORT": "3"},
        "overrides": {"metrics_port": "4"},
    }
    expected = [
        (9108, "default"),
        (1, "config/nija.yaml:1"),
        (2, ".env METRICS_PORT"),
        (3, "environment METRICS_PORT"),
        (4, "command line"),
    ]
    for count, (port, source) in enumerate(expected):
        settings = load(tmp_path, **dict(list(everything.items())[:count]))  # type: ignore[arg-type]
        assert (settings.metrics_port, settings.origins["metrics_port"].source) == (port, source)


def test_a_directory_without_files_gives_the_defaults_and_no_users(tmp_path: Path) -> None:
    settings = load_settings(environ={}, config_dir=tmp_path / "nowhere")
    assert settings.users == ()
    assert settings.trading_mode == "paper"
    assert {master.broker for master in settings.masters if master.enabled} == set(BrokerType)
    assert settings.state_dir == tmp_path / "data"


def test_the_shipped_file_sets_every_setting_to_its_default() -> None:
    file = read_yaml(SHIPPED, "nija.yaml")
    shipped = load_settings(environ={}, config_dir=SHIPPED.parent)
    assert file.problems == []
    for location, value, _ in leaves(OperatorSettings()):
        assert location in file.lines, f"{dotted(location)} is not in {SHIPPED.name}"
        if location != ("state_dir",):
            assert shipped.origins[dotted(location)].value_text == value_text(value), dotted(location)


def test_the_shipped_file_tells_each_setting_unit_default_and_meaning() -> None:
    file, lines = read_yaml(SHIPPED, "nija.yaml"), SHIPPED.read_text().splitlines()
    for location, value, info in leaves(OperatorSettings()):
        if location[-1] in ("broker", "parameters"):
            continue
        comment = lines[file.lines[location] - 1].split("  # ")[1]
        unit = unit_of(str(location[-1]), info)
        default = f"default {value_text(value) or 'none'}"
        assert comment == "; ".join(filter(None, (unit, default, info.description))), dotted(location)


def test_the_shipped_file_lists_the_parameters_of_the_default_strategy() -> None:
    listed = dict(re.findall(r"^    # (\w+): ([0-9.]+)  # ", SHIPPED.read_text(), re.MULTILINE))
    assert listed == {item.name: plain(Decimal(item.default)) for item in RsiTrend.parameters}


def test_the_example_of_variables_can_be_used_as_it_is(tmp_path: Path) -> None:
    example = (PROJECT / ".env.example").read_text()
    assert load(tmp_path, dotenv=example).trading_mode == "paper"
    uncommented = re.sub(r"^#(?=[A-Z_]+=.)", "", example, flags=re.MULTILINE)
    assert load(tmp_path, dotenv=uncommented).paper.exchange_control_url == "http://127.0.0.1:7000"


def test_the_pace_is_that_of_the_mode(tmp_path: Path) -> None:
    assert load(tmp_path).pace.cycle_seconds == 5
    live = load(tmp_path, environ={"TRADING_MODE": "live"})
    assert (live.pace.cycle_seconds, live.pace.user_connection_delay_seconds) == (150, 5)


def test_a_setting_is_reached_by_its_path(tmp_path: Path) -> None:
    environ = {
        "NIJA__PACE__PAPER__CYCLE_SECONDS": "0.5",
        "NIJA__MASTERS__COINBASE__ENABLED": "no",
        "NIJA__COPYING__DENY_SYMBOLS": "BTC/USD, ETH/USD",
        "NIJA__STRATEGY__PARAMETERS__RSI_FAST": "7",
    }
    settings = load(tmp_path, "masters:\n- broker: coinbase\n  paper_balance: 7\n", environ=environ)
    assert settings.pace.cycle_seconds == 0.5
    assert settings.pace.max_total_stagger_seconds == 60
    assert [(master.broker, master.enabled, master.paper_balance) for master in settings.masters] == [
        (BrokerType.COINBASE, False, Decimal(7))
    ]
    assert settings.copying.deny_symbols == ("BTC/USD", "ETH/USD")
    assert dict(settings.strategy.parameters) == {"rsi_fast": "7"}
    assert settings.origins["strategy.parameters"].source == "environment NIJA__STRATEGY__PARAMETERS__RSI_FAST"


def test_amounts_stay_exact(tmp_path: Path) -> None:
    settings = load(tmp_path, "minimum_funded_usd: 0.10000000000000000001\ncopying: {risk_multiplier: 0.1}\n")
    assert settings.minimum_funded_usd == Decimal("0.10000000000000000001")
    assert settings.copying.risk_multiplier == Decimal("0.1")


def test_a_heading_with_everything_commented_out_sets_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "kraken:\n  # rest_url: x\nstrategy:\n  parameters:\n").kraken.read_timeout_seconds == 5


def test_dollar_signs_in_the_file_of_variables_stay(tmp_path: Path) -> None:
    token = load(tmp_path, dotenv='PAPER_EXCHANGE_TOKEN="a${HOME}$b"\n').paper.exchange_token
    assert token is not None
    assert token.get_secret_value() == "a${HOME}$b"


def test_a_secret_is_in_no_text_about_the_settings(tmp_path: Path) -> None:
    settings = load(tmp_path, environ={"PAPER_EXCHANGE_TOKEN": "sesame-open-sesame"})
    texts = [repr(settings), str(settings), settings.model_dump_json(), repr(settings.origins)]
    assert not any("sesame-open" in text for text in texts)
    assert settings.origins["paper.exchange_token"].value_text == "****same"


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load(tmp_path)
    with pytest.raises(ValidationError):
        settings.metrics_port = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.strategy.parameters["a"] = "b"  # type: ignore[index]


def test_a_state_directory_is_relative_to_the_project_not_to_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert load(tmp_path, environ={"STATE_DIR": "elsewhere"}).state_dir == tmp_path / "elsewhere"
    assert load(tmp_path, environ={"STATE_DIR": "/var/x"}).state_dir == Path("/var/x")


def test_a_whole_configuration_can_lie_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "nija.yaml").write_text("metrics_port: 7\n")
    (tmp_path / ".env").write_text("LOG_JSON=true\n")
    settings = load_settings(environ={"NIJA_CONFIG_DIR": str(tmp_path / "conf")})
    assert (settings.metrics_port, settings.log_json, settings.state_dir) == (7, True, tmp_path / "data")
    with pytest.raises(ConfigurationError, match=r"NIJA_CONFIG_DIR: .* is not a directory"):
        load_settings(environ={"NIJA_CONFIG_DIR": str(tmp_path / "absent")})


def test_a_user_has_the_common_copy_settings_where_its_file_is_silent(tmp_path: Path) -> None:
    users = tmp_path / "config" / "users"
    users.mkdir(parents=True)
    (users / "retail_kraken.json").write_text(
        '[{"user_id": "ann", "name": "Ann", "account_type": "retail", "broker_type": "kraken", "enabled": true,'
        ' "description": "", "risk_multiplier": 0.5}]'
    )
    common = "copying: {mode: fixed_ratio, fixed_ratio: 0.2, risk_multiplier: 3, max_trade_notional_usd: 100}\n"
    (ann,) = load(tmp_path, common).users
    assert (ann.copy_rules.copy_mode, ann.copy_rules.fixed_ratio) == ("fixed_ratio", Decimal("0.2"))
    assert ann.copy_rules.risk_multiplier == Decimal("0.5")
    assert ann.copy_rules.max_trade_notional_usd == Decimal(100)
